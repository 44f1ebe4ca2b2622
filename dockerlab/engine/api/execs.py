"""Handlers of the exec operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine.api.attach import FRAMED, RAW, TELLS_FRAMES, size
from dockerlab.engine.containers import attach
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.messages import Answer, Request, json_answer
from dockerlab.engine.processes.process import StartFailed

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.http.hijacked import Duplex

__all__ = ["HANDLERS", "exec_create", "exec_inspect", "exec_resize", "exec_start"]


async def exec_create(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/exec."""
    made = engine.execs.create(engine.containers.find(request.id), request.json())
    return json_answer({"Id": made.id}, 201)


async def exec_start(engine: Engine, request: Request) -> Answer:
    """POST /exec/{id}/start: joined with the client's connection, or, detached, answered when it has begun."""
    body = request.json() if request.body.strip() else {}
    made, console = engine.execs.find(request.id), list(body.get("ConsoleSize") or [])
    made.must_be_new()
    tty = bool(body.get("Tty"))
    if console and not tty:
        raise BadParameter("console size is only supported when TTY is enabled")
    if body.get("Detach"):
        try:
            (await made.start(console)).release()
        except StartFailed as error:
            raise BadParameter(str(error)) from None
        return Answer(200)
    made.reserve()

    async def joined(client: Duplex) -> None:
        await made.attend(client, not tty, console)

    kind = RAW if tty or request.version < TELLS_FRAMES else FRAMED
    return Answer(200, content_type=kind, hijack=joined)


async def exec_resize(engine: Engine, request: Request) -> Answer:
    """POST /exec/{id}/resize."""
    made = engine.execs.find(request.id)
    height, width = size(request)
    running = await made.must_run()
    await attach.resize(await running.connect(), height, width)
    return Answer(200)


async def exec_inspect(engine: Engine, request: Request) -> Answer:
    """GET /exec/{id}/json."""
    return json_answer(engine.execs.find(request.id).inspect())


HANDLERS = {
    "ContainerExec": exec_create,
    "ExecStart": exec_start,
    "ExecResize": exec_resize,
    "ExecInspect": exec_inspect,
}
