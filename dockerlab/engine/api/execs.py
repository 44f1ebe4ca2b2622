"""Handlers of the exec operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine.api.attach import stream_content_type, terminal_size
from dockerlab.engine.containers import attach
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.messages import Request, Response, json_response
from dockerlab.engine.processes.process import StartFailed

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.http.hijacked import HijackedConnection

__all__ = ["HANDLERS", "exec_create", "exec_inspect", "exec_resize", "exec_start"]


async def exec_create(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/exec."""
    execution = engine.execs.create(engine.containers.find(request.id), request.json())
    return json_response({"Id": execution.id}, 201)


async def exec_start(engine: Engine, request: Request) -> Response:
    """POST /exec/{id}/start: hijack the client's connection or, if detached, respond once the process has started."""
    body = request.json() if request.body.strip() else {}
    execution, console_size = engine.execs.find(request.id), list(body.get("ConsoleSize") or [])
    execution.require_new()
    tty = bool(body.get("Tty"))
    if console_size and not tty:
        raise BadParameter("console size is only supported when TTY is enabled")
    if body.get("Detach"):
        try:
            (await execution.start(console_size)).release()
        except StartFailed as error:
            raise BadParameter(str(error)) from None
        return Response(200)
    execution.reserve()

    async def hijack(client: HijackedConnection) -> None:
        await execution.attend(client, not tty, console_size)

    return Response(200, content_type=stream_content_type(request, frames=not tty), hijack=hijack)


async def exec_resize(engine: Engine, request: Request) -> Response:
    """POST /exec/{id}/resize."""
    execution = engine.execs.find(request.id)
    height, width = terminal_size(request)
    running = await execution.require_process()
    await attach.resize(await running.connect(), height, width)
    return Response(200)


async def exec_inspect(engine: Engine, request: Request) -> Response:
    """GET /exec/{id}/json."""
    return json_response(engine.execs.find(request.id).inspect())


HANDLERS = {
    "ContainerExec": exec_create,
    "ExecStart": exec_start,
    "ExecResize": exec_resize,
    "ExecInspect": exec_inspect,
}
