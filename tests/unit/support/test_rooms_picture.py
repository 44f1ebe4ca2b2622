"""The picture of the rooms has a sentence for every room of the import contracts."""

from __future__ import annotations

from rooms_picture import ideas, layers


def test_contributing_has_a_sentence_for_every_room_and_for_nothing_else() -> None:
    client = {name for floor in layers("dockerlab") for name in floor}
    engine = {f"engine/{name}" for floor in layers("dockerlab.engine") for name in floor}
    assert set(ideas()) == client | engine
