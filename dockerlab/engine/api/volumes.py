"""Handlers of the volume operations: there are no volumes yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine.faults import NotFound
from dockerlab.engine.messages import Answer, Request, json_answer

if TYPE_CHECKING:
    from dockerlab.engine.core import Engine

__all__ = ["HANDLERS", "volume_inspect", "volume_list"]


async def volume_list(engine: Engine, request: Request) -> Answer:
    """GET /volumes."""
    return json_answer({"Volumes": [], "Warnings": None})


async def volume_inspect(engine: Engine, request: Request) -> Answer:
    """GET /volumes/{name}."""
    raise NotFound(f"get {request.id}: no such volume")


HANDLERS = {"VolumeList": volume_list, "VolumeInspect": volume_inspect}
