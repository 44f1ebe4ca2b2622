"""A websocket to an engine, read and written as a connection that was taken over: `ContainerAttachWebsocket`."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dockerlab.errors import DockerlabError, StreamBroken
from dockerlab.protocol.advice import engine_error
from dockerlab.transport.failures import BROKEN, ERROR_BYTES, failure
from dockerlab.transport.hijack import GOOD, Hijacked
from dockerlab.transport.transport import seconds_of

if TYPE_CHECKING:
    from wsproto import WSConnection

    from dockerlab.protocol.request import Request
    from dockerlab.transport.transport import Transport

__all__ = ["WebSocket", "websocket"]

CHUNK = 65536
#: How many answers to pings, and bytes of them, are kept for who doesn't read, and how long one waits for its turn.
MOST_PONGS, MOST_LATE, TURN_SECONDS = 500, 65536, 0.2
NO_WEBSOCKET = "What came is no websocket's: is it an engine? Ask again, or use attach."
#: How a websocket ends that ends well: it is over, the other side goes, no word about it.
GOOD_ENDS, PROTOCOL_ERROR = {1000, 1001, 1005}, 1002
SHOWN = {"Connection": "Upgrade", "Upgrade": "websocket"}


def websocket(transport: Transport, request: Request, timeout: float | None = None) -> WebSocket:
    """Send a request for a websocket. Raises EngineError, ConnectionFailed."""
    seconds = transport.timeout if timeout is None else seconds_of(timeout)
    request.headers |= SHOWN
    exchange = transport.begin(request)
    clock = time.perf_counter()
    connection = transport.connection(seconds)
    made = WebSocket(exchange, connection.sock, connection, seconds)
    made.patience(seconds)
    try:
        made.shake_hands(transport.endpoint.host_header, request.target)
    except OSError as error:
        made.close()
        raise failure(error, transport.endpoint, seconds) from None
    except BaseException:
        made.close()
        raise
    finally:
        exchange.seconds = time.perf_counter() - clock
    exchange.streamed = True
    made.patience(None)
    return made


class WebSocket(Hijacked):
    """The messages of a websocket: `chunks()` gives them, `write` sends one, `close_write` says goodbye."""

    def __init__(self, exchange: Any, held: socket.socket, owner: Any, seconds: float) -> None:
        """Take a connection on which nothing was said yet."""
        from wsproto import ConnectionType, WSConnection

        super().__init__(exchange, held, None, owner, seconds)
        self._frames: WSConnection = WSConnection(ConnectionType.CLIENT)
        self._pongs: deque[bytes] = deque(maxlen=MOST_PONGS)
        self._late = b""

    def shake_hands(self, host: str, target: str) -> None:
        """Ask for the websocket. Raises EngineError if the engine refuses, StreamBroken, OSError."""
        from wsproto import events

        self._send(self._frames.send(events.Request(host=host, target=target)), self._seconds)
        for event in self._events():
            if isinstance(event, events.AcceptConnection):
                self._told(101, event.extra_headers)
                return
            if isinstance(event, events.RejectConnection):
                self._told(event.status_code, event.headers)
                if not event.has_body:
                    raise self._refused()
            if isinstance(event, events.RejectData):
                self.exchange.body += bytes(event.data)
                if event.body_finished or len(self.exchange.body) > ERROR_BYTES:
                    raise self._refused()
        raise StreamBroken(BROKEN)

    def _refused(self) -> DockerlabError:
        """Give the error of an answer that is no websocket."""
        self.exchange.received = len(self.exchange.body)
        return StreamBroken(NO_WEBSOCKET) if self.exchange.status in GOOD else engine_error(self.exchange)

    def _told(self, status: int, headers: Any) -> None:
        reason = "Switching Protocols" if status == 101 else ""  # noqa: PLR2004
        known = [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers]
        self.exchange.set_response_head(status, reason, known)

    def _events(self) -> Iterator[Any]:
        """Give what the engine says, until it says no more."""
        from wsproto.utilities import RemoteProtocolError

        while not self._closed:
            yield from self._frames.events()
            data = self._received(CHUNK)
            if not data:
                return
            try:
                self._frames.receive_data(data)
            except RemoteProtocolError:
                raise StreamBroken(NO_WEBSOCKET) from None

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """Give the messages as they come; ends with the connection, or when it is closed.

        Raises EngineTimeout, and StreamBroken if what comes is no websocket's, or the other side says that it failed.
        """
        from wsproto import events

        try:
            for event in self._events():
                if isinstance(event, events.CloseConnection):
                    if event.code not in GOOD_ENDS:
                        raise StreamBroken(NO_WEBSOCKET if event.code == PROTOCOL_ERROR else BROKEN)
                    return
                if isinstance(event, events.Ping):
                    self._answer(self._frames.send(event.response()))
                if isinstance(event, (events.BytesMessage, events.TextMessage)):
                    data = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
                    self.exchange.received += len(data)
                    yield data
        except (OSError, ValueError):
            if not self._closed:
                raise StreamBroken(BROKEN) from None

    def _answer(self, pong: bytes) -> None:
        """Send what answers a ping as far as that goes at once: reading must not wait for who doesn't read."""
        if len(self._late) < MOST_LATE:
            self._pongs.append(pong)
        if not self._writing.acquire(timeout=TURN_SECONDS):
            return  # it follows the message that is under way
        try:
            if not self._cut:
                data = self._unsent()
                self._late = data
                with self._turn, contextlib.suppress(OSError):  # who has ended its half has no use for it
                    self._late = data[self._socket.send(data) :]
        finally:
            self._writing.release()

    def _unsent(self) -> bytes:
        """Take what should have been sent before, for who has the right to write now."""
        late = [self._late]
        while self._pongs:
            late.append(self._pongs.popleft())
        self._late = b""
        return b"".join(late)

    def _write(self, data: bytes, seconds: float) -> None:
        """Send it between what answers pings, which is no part of it."""
        super()._write(self._unsent() + data, seconds)
        super()._write(self._unsent(), seconds)

    def write(self, data: bytes, timeout: float | None = None) -> None:
        """Send a message. Raises as for a connection that was taken over."""
        from wsproto import events

        super().write(self._frames.send(events.BytesMessage(data=data)), timeout)

    def close_write(self) -> None:
        """Say goodbye: a websocket has no other end of what is sent."""
        from wsproto import events
        from wsproto.utilities import LocalProtocolError

        with contextlib.suppress(LocalProtocolError, StreamBroken):
            super().write(self._frames.send(events.CloseConnection(code=1000)))
