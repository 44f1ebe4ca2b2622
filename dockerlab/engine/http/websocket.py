"""A websocket on a connection that was taken over: reads and writes as a Duplex does, each write one message."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import TYPE_CHECKING

from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from wsproto.connection import Connection

    from dockerlab.engine.http.hijacked import Duplex

__all__ = ["WebSocket", "accepted"]

NORMAL = 1000
Headers = list[tuple[str, str]]


def accepted(headers: dict[str, str]) -> Headers:
    """Look at the request for a websocket, and give the headers that accept it. Raises BadParameter."""
    from wsproto.utilities import generate_accept_token  # noqa: PLC0415  (few engines are ever asked for one)

    key = headers.get("sec-websocket-key", "")
    if headers.get("upgrade", "").lower() != "websocket" or not key:
        raise BadParameter("not a websocket handshake")
    token = generate_accept_token(key.encode("latin-1", "replace"))
    return [("Sec-WebSocket-Accept", token.decode("ascii"))]


class WebSocket:
    """The messages of one client."""

    def __init__(self, client: Duplex) -> None:
        """Take over a connection, whose handshake is done."""
        from wsproto.connection import Connection, ConnectionType  # noqa: PLC0415

        self.client = client
        self.frames: Connection = Connection(ConnectionType.SERVER)
        self._over = asyncio.Event()

    async def __aenter__(self) -> WebSocket:
        """Begin."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Say goodbye."""
        from wsproto.events import CloseConnection  # noqa: PLC0415
        from wsproto.utilities import LocalProtocolError  # noqa: PLC0415

        with contextlib.suppress(ConnectionError, LocalProtocolError):
            await self.client.write(self.frames.send(CloseConnection(code=NORMAL)))

    async def read(self) -> bytes:
        """Give what the client sent; none when it has ended."""
        from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage  # noqa: PLC0415

        while True:
            found = b""
            for event in self.frames.events():
                if isinstance(event, BytesMessage):
                    found += bytes(event.data)
                elif isinstance(event, TextMessage):
                    found += event.data.encode()
                elif isinstance(event, Ping):
                    await self.client.write(self.frames.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._over.set()
                    return b""
            if found:
                return found
            data = await self.client.read()
            if not data:
                self._over.set()
                return b""
            self.frames.receive_data(data)

    async def write(self, data: bytes) -> None:
        """Send one message. Raises ConnectionError if the client is gone."""
        from wsproto.events import BytesMessage  # noqa: PLC0415

        await self.client.write(self.frames.send(BytesMessage(data=data)))

    async def gone(self) -> None:
        """Return when the client has said goodbye, or is gone without."""
        both = [asyncio.create_task(self._over.wait()), asyncio.create_task(self.client.gone())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()

    def end(self) -> None:
        """Nothing: the goodbye is sent when the websocket is left."""
