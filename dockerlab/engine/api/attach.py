"""Handlers of the operations that join a client with a container's input and output: attach, websocket, resize."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers import attach, logs
from dockerlab.engine.faults import BadParameter, Conflict, Fault, status_of
from dockerlab.engine.http.messages import Answer, Request
from dockerlab.engine.http.websocket import WebSocket, accepted

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.http.hijacked import Duplex
    from dockerlab.engine.processes.shim_connection import Link

__all__ = ["FRAMED", "HANDLERS", "RAW", "container_attach", "container_attach_websocket", "container_resize", "size"]

FRAMED, RAW = "application/vnd.docker.multiplexed-stream", "application/vnd.docker.raw-stream"
#: From here on a stream's content type says whether it has frames.
TELLS_FRAMES = (1, 42)


async def container_attach(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/attach. What is refused is told as the stream would be, not in JSON."""
    try:
        container = engine.containers.find(request.id)
        wanted = _wanted(container, request)
        future = await container.attach() if request.flag("stream") else None
    except Fault as fault:
        return Answer(status_of(fault), f"{fault}\n".encode(), RAW)
    tty = bool(container.record["Config"]["Tty"])
    kind = RAW if tty or request.version < TELLS_FRAMES else FRAMED

    attached = _Attached(engine, container, wanted, request.flag("logs"), future)

    async def joined(client: Duplex) -> None:
        await attached.serve(client)
        client.end()

    return Answer(200, content_type=kind, hijack=joined)


async def container_attach_websocket(engine: Engine, request: Request) -> Answer:
    """GET /containers/{id}/attach/ws: the same in messages of a websocket, and always without frames."""
    headers = accepted(request.headers)
    container = engine.containers.find(request.id)
    wanted = _wanted(container, request, raw=True)
    future = await container.attach() if request.flag("stream") else None

    attached = _Attached(engine, container, wanted, request.flag("logs"), future)

    async def joined(client: Duplex) -> None:
        async with WebSocket(client) as messages:
            await attached.serve(messages)

    return Answer(101, hijack=joined, headers=headers)


def _wanted(container: Container, request: Request, raw: bool = False) -> attach.Wanted:
    config = container.record["Config"]
    return attach.Wanted(
        stdin=request.flag("stdin") and bool(config["OpenStdin"]),
        stdout=request.flag("stdout"),
        stderr=request.flag("stderr"),
        frames=not (raw or config["Tty"]),
        tty=bool(config["Tty"]),
        once=bool(config["StdinOnce"]),
        detach=attach.detach_keys(request.text("detachKeys")),
    )


@dataclass(frozen=True, slots=True)
class _Attached:
    """One client of a container's streams; `connection` comes when the container is started."""

    engine: Engine
    container: Container
    wanted: attach.Wanted
    logs: bool
    connection: asyncio.Future[Link] | None

    async def serve(self, client: attach.Client) -> None:
        """Tell what was logged, if that is asked for, then join the two until one of them ends."""
        if self.logs:
            wanted = self.wanted
            past = logs.Wanted(stdout=wanted.stdout, stderr=wanted.stderr, frames=wanted.frames)
            self.container.log_path.touch()
            async for data in logs.read(self.container.log_path, past, lambda: True):
                await client.write(data)
        if self.connection is None:
            return
        self.engine.events.tell("attach", self.container)
        gone = asyncio.create_task(client.gone())
        try:
            first: set[asyncio.Future[Any]] = {self.connection, gone}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            started = self.connection.done() and not self.connection.exception()
            if started and await attach.join(self.connection.result(), client, self.wanted):
                self.engine.events.tell("detach", self.container)
        finally:
            gone.cancel()
            self.connection.cancel()


async def container_resize(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/resize."""
    container = engine.containers.find(request.id)
    height, width = size(request)
    if container.running is None:
        raise Conflict(f"container {container.id} is not running")
    await attach.resize(await container.running.connect(), height, width)
    engine.events.tell("resize", container, height=str(height), width=str(width))
    return Answer(200)


def size(request: Request) -> tuple[int, int]:
    """Read a terminal's size. Raises BadParameter."""
    found = []
    for name, word in (("h", "height"), ("w", "width")):
        text = request.text(name)
        if not text.isdigit():
            raise BadParameter(f'invalid resize {word} "{text}": invalid syntax')
        found.append(min(int(text), 65535))
    return found[0], found[1]


HANDLERS = {
    "ContainerAttach": container_attach,
    "ContainerAttachWebsocket": container_attach_websocket,
    "ContainerResize": container_resize,
}
