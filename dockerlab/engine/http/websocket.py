"""A websocket on a hijacked connection. It reads and writes like the connection itself; each write is one message."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import TYPE_CHECKING

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, generate_accept_token

from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from dockerlab.engine.http.hijacked import HijackedConnection

__all__ = ["WebSocket", "handshake_headers"]

NORMAL_CLOSURE = 1000


def handshake_headers(headers: dict[str, str]) -> list[tuple[str, str]]:
    """Return the headers that accept a websocket request. Raises BadParameter if the request is not one."""
    key = headers.get("sec-websocket-key", "")
    if headers.get("upgrade", "").lower() != "websocket" or not key:
        raise BadParameter("not a websocket handshake")
    token = generate_accept_token(key.encode("latin-1", "replace"))
    return [("Sec-WebSocket-Accept", token.decode("ascii"))]


class WebSocket:
    """The messages of one client, after the handshake."""

    def __init__(self, client: HijackedConnection) -> None:
        self.client = client
        self.frames = Connection(ConnectionType.SERVER)
        self._closed = asyncio.Event()

    async def __aenter__(self) -> WebSocket:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with contextlib.suppress(ConnectionError, LocalProtocolError):
            await self.client.write(self.frames.send(CloseConnection(code=NORMAL_CLOSURE)))

    async def read(self) -> bytes:
        """Return what the client sent; an empty result means that it has closed the websocket."""
        while True:
            messages = b""
            for event in self.frames.events():
                if isinstance(event, BytesMessage):
                    messages += bytes(event.data)
                elif isinstance(event, TextMessage):
                    messages += event.data.encode()
                elif isinstance(event, Ping):
                    await self.client.write(self.frames.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._closed.set()
                    return b""
            if messages:
                return messages
            data = await self.client.read()
            if not data:
                self._closed.set()
                return b""
            self.frames.receive_data(data)

    async def write(self, data: bytes) -> None:
        """Send one message. Raises ConnectionError if the client is gone."""
        await self.client.write(self.frames.send(BytesMessage(data=data)))

    async def gone(self) -> None:
        """Return when the client has closed the websocket, or the connection below it."""
        waiting = [asyncio.create_task(self._closed.wait()), asyncio.create_task(self.client.gone())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
