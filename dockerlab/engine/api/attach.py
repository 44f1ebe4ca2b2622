"""Handlers that connect a client with a container's input and output: attach, attach by websocket, resize."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers import attach, logs
from dockerlab.engine.faults import BadParameter, Conflict, Fault, status_of
from dockerlab.engine.http.messages import Request, Response

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.http.hijacked import HijackedConnection
    from dockerlab.engine.processes.shim_connection import ShimConnection

__all__ = [
    "CONTENT_TYPE_TELLS_FRAMES",
    "HANDLERS",
    "container_attach",
    "container_attach_websocket",
    "container_resize",
    "stream_content_type",
    "terminal_size",
]

FRAMED, RAW = "application/vnd.docker.multiplexed-stream", "application/vnd.docker.raw-stream"
#: Since this version, the content type says whether the stream has frames.
CONTENT_TYPE_TELLS_FRAMES = (1, 42)


def stream_content_type(request: Request, frames: bool) -> str:
    """Return the content type of a container's output as one stream."""
    return FRAMED if frames and request.version >= CONTENT_TYPE_TELLS_FRAMES else RAW


async def container_attach(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/attach. An error is plain text with the stream's content type, not JSON, as on Docker."""
    try:
        container = engine.containers.find(request.id)
        options = _options(container, request)
        link = await container.attach() if request.flag("stream") else None
    except Fault as fault:
        return Response(status_of(fault), f"{fault}\n".encode(), RAW)
    session = _AttachSession(engine, container, options, request.flag("logs"), link)

    async def hijack(client: HijackedConnection) -> None:
        await session.serve(client)
        client.end()

    content_type = stream_content_type(request, frames=not container.record.config["Tty"])
    return Response(200, content_type=content_type, hijack=hijack)


async def container_attach_websocket(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/attach/ws: the same in websocket messages, and always without frames."""
    # The import of wsproto takes about 8 ms, and few clients ever ask for a websocket.
    from dockerlab.engine.http.websocket import WebSocket, handshake_headers  # noqa: PLC0415

    headers = handshake_headers(request.headers)
    container = engine.containers.find(request.id)
    options = _options(container, request, raw=True)
    link = await container.attach() if request.flag("stream") else None
    session = _AttachSession(engine, container, options, request.flag("logs"), link)

    async def hijack(client: HijackedConnection) -> None:
        async with WebSocket(client) as websocket:
            await session.serve(websocket)

    return Response(101, hijack=hijack, headers=headers)


def _options(container: Container, request: Request, raw: bool = False) -> attach.Options:
    config = container.record.config
    return attach.Options(
        stdin=request.flag("stdin") and bool(config["OpenStdin"]),
        stdout=request.flag("stdout"),
        stderr=request.flag("stderr"),
        frames=not (raw or config["Tty"]),
        tty=bool(config["Tty"]),
        once=bool(config["StdinOnce"]),
        detach_keys=attach.parse_detach_keys(request.text("detachKeys")),
    )


@dataclass(frozen=True, slots=True)
class _AttachSession:
    """One client attached to a container. The future `link` is resolved when the container's process starts."""

    engine: Engine
    container: Container
    options: attach.Options
    logs: bool
    link: asyncio.Future[ShimConnection] | None

    async def serve(self, client: attach.Client) -> None:
        """Send the logs if the request includes them, then join the two until one of them ends."""
        if self.logs:
            query = logs.LogQuery(stdout=self.options.stdout, stderr=self.options.stderr, frames=self.options.frames)
            self.container.record.log_path.touch()
            async for data in logs.read(self.container.record.log_path, query, lambda: True):
                await client.write(data)
        if self.link is None:
            return
        self.engine.events.publish_container("attach", self.container.record)
        gone = asyncio.create_task(client.gone())
        try:
            waiting: set[asyncio.Future[Any]] = {self.link, gone}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            started = self.link.done() and not self.link.exception()
            if started and await attach.join(self.link.result(), client, self.options):
                self.engine.events.publish_container("detach", self.container.record)
        finally:
            gone.cancel()
            self.link.cancel()


async def container_resize(engine: Engine, request: Request) -> Response:
    """POST /containers/{id}/resize."""
    container = engine.containers.find(request.id)
    height, width = terminal_size(request)
    if container.main_process is None:
        raise Conflict(f"container {container.id} is not running")
    await attach.resize(await container.main_process.connect(), height, width)
    engine.events.publish_container("resize", container.record, height=str(height), width=str(width))
    return Response(200)


def terminal_size(request: Request) -> tuple[int, int]:
    """Return the height and width that a resize request names. Raises BadParameter."""
    return _terminal_length(request, "h", "height"), _terminal_length(request, "w", "width")


def _terminal_length(request: Request, parameter: str, word: str) -> int:
    text = request.text(parameter)
    if not text.isdigit():
        raise BadParameter(f'invalid resize {word} "{text}": invalid syntax')
    return min(int(text), 65535)


HANDLERS = {
    "ContainerAttach": container_attach,
    "ContainerAttachWebsocket": container_attach_websocket,
    "ContainerResize": container_resize,
}
