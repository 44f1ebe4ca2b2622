"""The `State` object of a container that has never run."""

from __future__ import annotations

from typing import Any

from dockerlab.engine.common.timestamps import NEVER

__all__ = ["NEW_STATE", "new_state"]

Document = dict[str, Any]

NEW_STATE: Document = {
    "Status": "created",
    "Running": False,
    "Paused": False,
    "Restarting": False,
    "OOMKilled": False,
    "Dead": False,
    "Pid": 0,
    "ExitCode": 0,
    "Error": "",
    "StartedAt": NEVER,
    "FinishedAt": NEVER,
}


def new_state() -> Document:
    """Return the part of a record that describes a container which has never run."""
    return {"State": dict(NEW_STATE), "RestartCount": 0, "Stopped": False}
