"""The table of events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import (
    INTEGER,
    MAX_INTEGER,
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

#: The names of the exit code in Docker's and Podman's events. Podman also sends it where it has no meaning, so it is
#: read only for the actions below.
EXIT_CODES = ("exitCode", "containerExitCode")
EXIT_ACTIONS = {"die", "died", "exec_die"}

EVENTS = (
    Column("time", "timeNano", TIME, "when it happened, to the nanosecond", "UTC"),
    Column("type", "Type", TEXT, "the kind of object: container, image, volume, network, plugin, daemon …"),
    Column("action", "action", TEXT, "what happened: create, start, die, exec_create …"),
    Column("detail", "detail", TEXT, "the text after a colon: the command of exec_create, a health status"),
    Column("id", "object_id", TEXT, "the object's id; for a volume or a plugin, its name"),
    Column("name", "object_name", TEXT, "its name, if it has one"),
    Column("image", "object_image", TEXT, "the image of a container"),
    Column("exit_code", "exit_code", INTEGER, "the exit code of a container or an exec"),
    Column("scope", "scope", TEXT, "local or swarm"),
    Column("attributes", "attributes", OBJECT, "all attributes of the event, including the object's labels; a dict"),
)


def event_table(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Return one row per event of SystemEvents, in their order."""
    rows = object_list(documents)
    actors = [actor if isinstance(actor := row.get("Actor"), dict) else {} for row in rows]
    attributes = [value if isinstance(value := actor.get("Attributes"), dict) else {} for actor in actors]
    kinds = [row.get("Type") for row in rows]
    actions = [str(row.get("Action") or row.get("status") or "").partition(":") for row in rows]
    names = [values.get("name") for values in attributes]
    # A volume has no id. Engines send its name as the id, or in the attributes.
    ids = [
        actor.get("ID") or row.get("id") or (name if kind == "volume" else None)
        for row, actor, kind, name in zip(rows, actors, kinds, names, strict=True)
    ]
    titles = [
        name or (actor.get("ID") if kind == "volume" else None)
        for actor, kind, name in zip(actors, kinds, names, strict=True)
    ]
    images = [values.get("image") or row.get("from") for row, values in zip(rows, attributes, strict=True)]
    codes = [
        _exit_code(values) if action in EXIT_ACTIONS else None
        for (action, _, _), values in zip(actions, attributes, strict=True)
    ]  # fmt: skip
    columns = {
        "time": _times(rows),
        "type": _texts(kinds),
        "action": _texts([action for action, _, _ in actions]),
        "detail": _texts([detail.strip() for _, _, detail in actions]),
        "id": _texts(ids),
        "name": _texts(titles),
        "image": _texts(images),
        "exit_code": codes,
        "scope": _texts([row.get("scope") for row in rows]),
        "attributes": attributes,
    }
    return typed_table({column.name: (columns[column.name], column.dtype) for column in EVENTS}, len(rows))


def _texts(values: list[Any]) -> list[str | None]:
    """Convert each value to text; an empty text becomes None."""
    return [(value if isinstance(value, str) else None if value is None else str(value)) or None for value in values]


def _times(rows: list[dict[str, Any]]) -> pd.DatetimeIndex:
    """Return the time of each event: to the nanosecond, or to the second if the engine sends no nanoseconds."""
    numbers = [_nanoseconds(row) for row in rows]
    times = datetimes_from_nanoseconds(numbers)
    if None not in numbers:
        return times
    return datetimes([row.get("time") if pd.isna(time) else time for time, row in zip(times, rows, strict=True)])


def _nanoseconds(row: dict[str, Any]) -> int | None:
    number = row.get("timeNano")
    return number if type(number) is int and 0 < number < MAX_INTEGER else None


def _exit_code(attributes: dict[str, Any]) -> int | None:
    for key in EXIT_CODES:
        text = str(attributes.get(key, ""))
        if text.isascii() and text.isdigit() and len(text) <= len(str(1 << 32)):
            return int(text)
    return None
