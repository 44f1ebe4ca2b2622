"""Handlers of the volume operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine.http.messages import Request, Response, json_response, no_content

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "volume_create", "volume_delete", "volume_inspect", "volume_list", "volume_prune"]

#: Since this version, prune keeps volumes with a name unless the filter `all` is set.
PRUNES_ONLY_ANONYMOUS_SINCE = (1, 42)


async def volume_list(engine: Engine, request: Request) -> Response:
    """GET /volumes."""
    volumes = engine.volumes.select(request.filters())
    return json_response({"Volumes": volumes, "Warnings": None})


async def volume_create(engine: Engine, request: Request) -> Response:
    """POST /volumes/create."""
    body = request.json()
    volume = engine.volumes.create(
        body.get("Name") or "", body.get("Driver") or "", body.get("DriverOpts") or {}, body.get("Labels")
    )
    return json_response(volume, 201)


async def volume_inspect(engine: Engine, request: Request) -> Response:
    """GET /volumes/{name}."""
    return json_response(engine.volumes.find(request.id))


async def volume_delete(engine: Engine, request: Request) -> Response:
    """DELETE /volumes/{name}."""
    engine.volumes.remove(request.id, force=request.flag("force"))
    return no_content()


async def volume_prune(engine: Engine, request: Request) -> Response:
    """POST /volumes/prune."""
    only_anonymous = request.version >= PRUNES_ONLY_ANONYMOUS_SINCE
    names, freed = await engine.volumes.prune(request.filters(), only_anonymous)
    return json_response({"VolumesDeleted": names, "SpaceReclaimed": freed})


HANDLERS = {
    "VolumeList": volume_list,
    "VolumeCreate": volume_create,
    "VolumeInspect": volume_inspect,
    "VolumeDelete": volume_delete,
    "VolumePrune": volume_prune,
}
