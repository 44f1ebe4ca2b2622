"""Handlers of the container operations: each decodes the request, calls the container, and encodes the response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dockerlab.engine.api.attach import CONTENT_TYPE_TELLS_FRAMES, stream_content_type
from dockerlab.engine.api.run_in_thread import blocks_in_thread
from dockerlab.engine.api.views import container as container_view
from dockerlab.engine.api.views.items import items
from dockerlab.engine.common import signals
from dockerlab.engine.containers import log_options, logs, top, update, validation
from dockerlab.engine.faults import BadParameter, Conflict, Fault
from dockerlab.engine.http.messages import (
    Request,
    Response,
    json_response,
    no_content,
    not_modified_unless,
    stream_response,
)
from dockerlab.engine.storage import tar_writer

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.engine import Engine

__all__ = [
    "HANDLERS",
    "container_create",
    "container_delete",
    "container_export",
    "container_inspect",
    "container_kill",
    "container_list",
    "container_logs",
    "container_pause",
    "container_prune",
    "container_rename",
    "container_restart",
    "container_start",
    "container_stop",
    "container_top",
    "container_unpause",
    "container_update",
    "container_wait",
]

#: The size of the longest body that counts as empty: `null` with line ends around it.
EMPTY_BODY_BYTES = 7
WAIT_CONDITIONS = ("not-running", "next-exit", "removed")


async def container_list(engine: Engine, request: Request) -> Response:
    """GET /containers/json."""
    containers = engine.containers.list(
        everything=request.flag("all"), limit=request.number("limit") or 0, filters=request.filters()
    )
    sizes = {container.id: await _sizes(engine, container, request) for container in containers}
    return json_response(items(containers, lambda it: container_view.summary(it, request.version, sizes[it.id])))


async def container_create(engine: Engine, request: Request) -> Response:
    """POST /containers/create."""
    validation.check_platform(request.text("platform"))
    container, warnings = await engine.containers.create(request.text("name"), request.json())
    return json_response({"Id": container.id, "Warnings": warnings}, 201)


async def container_inspect(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/json."""
    container = engine.containers.find(request.id)
    sizes = await _sizes(engine, container, request)
    return json_response(container_view.inspect(container, request.version, sizes))


async def _sizes(engine: Engine, container: Container, request: Request) -> tuple[int, int] | None:
    """Measure a container's files if the request includes sizes: that reads the whole tree."""
    if not request.flag("size"):
        return None
    return await asyncio.to_thread(container_view.sizes, container, engine.images)


async def container_top(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/top."""
    container = engine.containers.find(request.id)
    if container.main_process is None:
        raise Conflict(f"container {container.id} is not running")
    titles, processes = await asyncio.to_thread(top.top, container.main_process.pids(), request.text("ps_args"))
    engine.events.publish_container("top", container.record)
    return json_response({"Processes": processes or None, "Titles": titles})


async def container_logs(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/logs."""
    container = engine.containers.find(request.id)
    if not (request.flag("stdout") or request.flag("stderr")):
        raise BadParameter("Bad parameters: you must choose at least one stream")
    tty = container.record.config["Tty"]
    query = logs.LogQuery(
        stdout=request.flag("stdout") or tty,
        stderr=request.flag("stderr"),
        since=request.time("since"),
        until=request.time("until"),
        timestamps=request.flag("timestamps"),
        details=request.flag("details"),
        tail=_tail(request.text("tail", "all")),
        follow=request.flag("follow"),
        frames=not tty,
    )
    log_options.check_readable(container.record)
    container.record.log_path.touch()
    # Before the content type told whether there are frames, Docker sent logs without one.
    content_type = stream_content_type(request, frames=not tty) if request.version >= CONTENT_TYPE_TELLS_FRAMES else ""
    return stream_response(
        logs.read(container.record.log_path, query, lambda: not container.state["Running"]), content_type
    )


def _tail(text: str) -> int | None:
    """Return the number of lines; None means all of them, as for everything that is not a number of 0 or more."""
    return int(text) if text.isdigit() else None


async def container_export(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/export."""
    container = engine.containers.find(request.id)
    engine.events.publish_container("export", container.record)
    return stream_response(blocks_in_thread(tar_writer.export(container.record.root)), "application/octet-stream")


async def container_start(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/start."""
    if len(request.body) > EMPTY_BODY_BYTES:
        raise BadParameter(
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
        )
    return not_modified_unless(await engine.containers.find(request.id).start())


async def container_stop(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/stop."""
    container = engine.containers.find(request.id)
    with _message_prefix(f"cannot stop container: {request.id}"):
        return not_modified_unless(await container.stop(request.number("t"), request.text("signal") or None))


async def container_restart(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/restart."""
    container = engine.containers.find(request.id)
    with _message_prefix(f"Cannot restart container {request.id}"):
        await container.restart(request.number("t"), request.text("signal") or None)
    return no_content()


async def container_kill(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/kill."""
    with _message_prefix(f"cannot kill container: {request.id}"):
        number = signals.number(request.text("signal") or "SIGKILL")  # Docker checks this before the container
        await engine.containers.find(request.id).kill(number)
    return no_content()


@contextmanager
def _message_prefix(prefix: str) -> Iterator[None]:
    """Put Docker's prefix before the message of a fault."""
    try:
        yield
    except Fault as fault:
        raise type(fault)(f"{prefix}: {fault}") from None


async def container_rename(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/rename."""
    engine.containers.rename(engine.containers.find(request.id), request.text("name"))
    return no_content()


async def container_wait(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/wait: the headers are sent at once, the body when the condition is met."""
    container = engine.containers.find(request.id)
    condition = request.text("condition") or "not-running"
    if condition not in WAIT_CONDITIONS:
        if request.version >= (1, 42):
            raise BadParameter(f'invalid condition: "{condition}"')
        condition = "not-running"
    result = container.wait(condition)

    async def body() -> AsyncIterator[bytes]:
        yield json_response(container_view.wait_result(await result, request.version)).body

    return stream_response(body(), "application/json")


async def container_delete(engine: Engine, request: Request) -> Response:
    """DELETE /containers/{id}."""
    if request.flag("link"):
        engine.containers.unlink(request.id)
        return no_content()
    await engine.containers.find(request.id).remove(force=request.flag("force"), volumes=request.flag("v"))
    return no_content()


async def container_pause(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/pause."""
    await engine.containers.find(request.id).pause()
    return no_content()


async def container_unpause(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/unpause."""
    await engine.containers.find(request.id).unpause()
    return no_content()


async def container_update(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/update."""
    container = engine.containers.find(request.id)
    return json_response({"Warnings": update.update(container, request.json()) or None})


async def container_prune(engine: Engine, request: Request) -> Response:
    """POST /containers/prune."""
    names, freed = await engine.containers.prune(request.filters())
    return json_response({"ContainersDeleted": names or None, "SpaceReclaimed": freed})


HANDLERS = {
    "ContainerList": container_list,
    "ContainerCreate": container_create,
    "ContainerInspect": container_inspect,
    "ContainerTop": container_top,
    "ContainerLogs": container_logs,
    "ContainerExport": container_export,
    "ContainerStart": container_start,
    "ContainerStop": container_stop,
    "ContainerRestart": container_restart,
    "ContainerKill": container_kill,
    "ContainerRename": container_rename,
    "ContainerWait": container_wait,
    "ContainerDelete": container_delete,
    "ContainerPause": container_pause,
    "ContainerUnpause": container_unpause,
    "ContainerUpdate": container_update,
    "ContainerPrune": container_prune,
}
