"""The picture of the rooms shows every room of the import contracts, with its sentence, as CONTRIBUTING has them."""

from __future__ import annotations

from rooms_picture import PICTURE, ideas, layers, picture


def test_the_picture_is_fresh() -> None:
    assert PICTURE.read_text("utf-8") == picture(), "python tests/support/rooms_picture.py"


def test_contributing_has_a_sentence_for_every_room_and_for_nothing_else() -> None:
    client = {name for floor in layers("dockerlab") for name in floor}
    engine = {f"engine/{name}" for floor in layers("dockerlab.engine") for name in floor}
    assert set(ideas()) == client | engine
