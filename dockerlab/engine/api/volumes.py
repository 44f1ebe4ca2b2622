"""Handlers of the volume operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine.common.filters import parse
from dockerlab.engine.http.messages import Request, Response, json_response, no_content

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "volume_create", "volume_delete", "volume_inspect", "volume_list", "volume_prune"]

SINCE_ALL = (1, 42)  #: from here on prune leaves volumes with names alone


async def volume_list(engine: Engine, request: Request) -> Response:
    """GET /volumes."""
    found = engine.volumes.list(parse(request.text("filters")))
    return json_response({"Volumes": found, "Warnings": None})


async def volume_create(engine: Engine, request: Request) -> Response:
    """POST /volumes/create."""
    body = request.json()
    made = engine.volumes.create(
        body.get("Name") or "", body.get("Driver") or "", body.get("DriverOpts") or {}, body.get("Labels")
    )
    return json_response(made, 201)


async def volume_inspect(engine: Engine, request: Request) -> Response:
    """GET /volumes/{name}."""
    return json_response(engine.volumes.find(request.id))


async def volume_delete(engine: Engine, request: Request) -> Response:
    """DELETE /volumes/{name}."""
    engine.volumes.remove(request.id, force=request.flag("force"))
    return no_content()


async def volume_prune(engine: Engine, request: Request) -> Response:
    """POST /volumes/prune."""
    only = request.version >= SINCE_ALL
    names, freed = engine.volumes.prune(parse(request.text("filters")), only)
    return json_response({"VolumesDeleted": names, "SpaceReclaimed": freed})


HANDLERS = {
    "VolumeList": volume_list,
    "VolumeCreate": volume_create,
    "VolumeInspect": volume_inspect,
    "VolumeDelete": volume_delete,
    "VolumePrune": volume_prune,
}
