"""The table of events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import (
    INTEGER,
    OBJECT,
    TEXT,
    TIME,
    Column,
    datetimes,
    datetimes_from_nanoseconds,
    object_list,
    typed_table,
)

__all__ = ["EVENTS", "event_table"]

#: Nanoseconds since 1970 that a time can hold.
LATEST = (1 << 63) - 1
#: How Docker and Podman call the exit code in an event of an end; in Podman's other events the number says nothing.
EXIT_CODES = ("exitCode", "containerExitCode")
ENDS = {"die", "died", "exec_die"}

EVENTS = (
    Column("time", "moment", TIME, "when it happened, to the nanosecond", "UTC"),
    Column("type", "Type", TEXT, "what it happened to: container, image, volume, network, plugin, daemon …"),
    Column("action", "action", TEXT, "what happened: create, start, die, exec_create …"),
    Column("detail", "detail", TEXT, "what an action says after a colon: the command of exec_create, a health"),
    Column("id", "object_id", TEXT, "the object's id, or a volume's or plugin's name"),
    Column("name", "object_name", TEXT, "its name, if it has one"),
    Column("image", "object_image", TEXT, "a container's image"),
    Column("exit_code", "exit_code", INTEGER, "the code with which a container or a command ended"),
    Column("scope", "scope", TEXT, "local, or swarm"),
    Column("attributes", "attributes", OBJECT, "all that the engine adds, with the object's labels; a dict"),
)


def event_table(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Make one row an event of SystemEvents, in their order."""
    rows = object_list(documents)
    actors = [actor if isinstance(actor := row.get("Actor"), dict) else {} for row in rows]
    attributes = [known if isinstance(known := actor.get("Attributes"), dict) else {} for actor in actors]
    kinds = [row.get("Type") for row in rows]
    words = [str(row.get("Action") or row.get("status") or "").partition(":") for row in rows]
    names = [known.get("name") for known in attributes]
    # volumes have no id, and their name stands in its place, or in the attributes
    ids = [
        actor.get("ID") or row.get("id") or (name if kind == "volume" else None)
        for row, actor, kind, name in zip(rows, actors, kinds, names, strict=True)
    ]
    titles = [
        name or (actor.get("ID") if kind == "volume" else None)
        for actor, kind, name in zip(actors, kinds, names, strict=True)
    ]
    images = [known.get("image") or row.get("from") for row, known in zip(rows, attributes, strict=True)]
    codes = [
        _exit_code(known) if action in ENDS else None
        for (action, _, _), known in zip(words, attributes, strict=True)
    ]  # fmt: skip
    columns = {
        "time": _moments(rows),
        "type": _texts(kinds),
        "action": _texts([action for action, _, _ in words]),
        "detail": _texts([detail.strip() for _, _, detail in words]),
        "id": _texts(ids),
        "name": _texts(titles),
        "image": _texts(images),
        "exit_code": codes,
        "scope": _texts([row.get("scope") for row in rows]),
        "attributes": attributes,
    }
    return typed_table({column.name: (columns[column.name], column.dtype) for column in EVENTS}, len(rows))


def _texts(values: list[Any]) -> list[str | None]:
    """Write each as text; an empty one is no answer."""
    return [(value if isinstance(value, str) else None if value is None else str(value)) or None for value in values]


def _moments(rows: list[dict[str, Any]]) -> pd.DatetimeIndex:
    """Read when each happened: to the nanosecond, and where that isn't told, to the second."""
    known = [_nanoseconds(row) for row in rows]
    told = datetimes_from_nanoseconds(known)
    if None not in known:
        return told
    return datetimes([row.get("time") if pd.isna(moment) else moment for moment, row in zip(told, rows, strict=True)])


def _nanoseconds(row: dict[str, Any]) -> int | None:
    number = row.get("timeNano")
    return number if type(number) is int and 0 < number < LATEST else None


def _exit_code(attributes: dict[str, Any]) -> int | None:
    for key in EXIT_CODES:
        text = str(attributes.get(key, ""))
        if text.isascii() and text.isdigit() and len(text) <= len(str(1 << 32)):
            return int(text)
    return None
