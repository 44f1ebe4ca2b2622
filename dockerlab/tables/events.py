"""The table of events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import PLAIN, TEXT, TIME, WHOLE, Column, array_table, objects

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
    Column("exit_code", "exit_code", WHOLE, "the code with which a container or a command ended"),
    Column("scope", "scope", TEXT, "local, or swarm"),
    Column("attributes", "attributes", PLAIN, "all that the engine adds, with the object's labels; a dict"),
)


def event_table(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Make one row an event of SystemEvents, in their order."""
    return array_table(EVENTS, [_record(document) for document in objects(documents)])


def _record(document: dict[str, Any]) -> dict[str, Any]:
    actor = document.get("Actor")
    actor = actor if isinstance(actor, dict) else {}
    attributes = actor.get("Attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    action, _, detail = str(document.get("Action") or document.get("status") or "").partition(":")
    kind = document.get("Type")
    name = attributes.get("name")
    texts = {
        "Type": kind,
        "action": action,
        "detail": detail.strip(),
        "object_id": actor.get("ID") or document.get("id") or (name if kind == "volume" else None),
        "object_name": name or (actor.get("ID") if kind == "volume" else None),
        "object_image": attributes.get("image") or document.get("from"),
        "scope": document.get("scope"),
    }
    return {
        **{key: None if text is None else str(text) or None for key, text in texts.items()},
        "moment": _moment(document),
        "exit_code": _exit_code(attributes) if action in ENDS else None,
        "attributes": attributes,
    }


def _moment(document: dict[str, Any]) -> Any:
    nanoseconds = document.get("timeNano")
    if isinstance(nanoseconds, int) and not isinstance(nanoseconds, bool) and 0 < nanoseconds < LATEST:
        return pd.Timestamp(nanoseconds, unit="ns", tz="UTC")
    return document.get("time")


def _exit_code(attributes: dict[str, Any]) -> int | None:
    for key in EXIT_CODES:
        text = str(attributes.get(key, ""))
        if text.isascii() and text.isdigit() and len(text) <= len(str(1 << 32)):
            return int(text)
    return None
