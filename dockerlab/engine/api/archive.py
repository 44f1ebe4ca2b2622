"""Handlers for a container's files: copying them in and out, and what has changed."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

from dockerlab.engine.api.run_in_thread import blocks_in_thread
from dockerlab.engine.common.cancellable_threads import run_cancellable
from dockerlab.engine.containers import copy_files
from dockerlab.engine.http.messages import Request, Response, json_response
from dockerlab.engine.storage.changes import changes

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "archive_get", "archive_info", "archive_put", "container_changes"]

PATH_STAT = "X-Docker-Container-Path-Stat"


async def archive_info(engine: Engine, request: Request) -> Response:
    """HEAD /containers/{id}/archive: size, mode and time of a path, in a header."""
    container = engine.containers.find(request.id)
    path_stat = await asyncio.to_thread(copy_files.path_stat, container.record, request.text("path"), request.id)
    return Response(200, headers=[(PATH_STAT, path_stat)])


async def archive_get(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/archive: a path as a tar."""
    container, path = engine.containers.find(request.id), request.text("path")
    path_stat = await asyncio.to_thread(copy_files.path_stat, container.record, path, request.id)
    blocks = copy_files.pack(container.record, path, request.id)
    engine.events.publish_container("archive-path", container.record)
    return Response(
        200, content_type="application/x-tar", chunks=blocks_in_thread(blocks), headers=[(PATH_STAT, path_stat)]
    )


async def archive_put(engine: Engine, request: Request) -> Response:
    """PUT /containers/{id}/archive: unpack a tar into a directory."""
    container = engine.containers.find(request.id)
    await run_cancellable(
        copy_files.extract,
        container.record,
        request.text("path"),
        request.id,
        request.upload or io.BytesIO(),
        request.flag("noOverwriteDirNonDir"),
    )
    engine.events.publish_container("extract-to-dir", container.record)
    return Response(200)


async def container_changes(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/changes."""
    container = engine.containers.find(request.id)
    before = await asyncio.to_thread(engine.containers.image_tree, container)
    hidden = [point["Destination"] for point in container.record.mount_points]
    differences = await asyncio.to_thread(changes, before, container.record.root, hidden)
    return json_response([{"Path": change.path, "Kind": change.kind} for change in differences] or None)


HANDLERS = {
    "ContainerArchiveInfo": archive_info,
    "ContainerArchive": archive_get,
    "PutContainerArchive": archive_put,
    "ContainerChanges": container_changes,
}
