"""A websocket to an engine, read and written like a hijacked connection: `ContainerAttachWebsocket`."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dockerlab.errors import DockerlabError, StreamBroken
from dockerlab.protocol.advice import engine_error
from dockerlab.transport.failures import BROKEN, ERROR_BYTES, failure
from dockerlab.transport.hijack import SUCCESS, SWITCHED, Hijacked
from dockerlab.transport.transport import valid_timeout

if TYPE_CHECKING:
    from wsproto import WSConnection

    from dockerlab.protocol.request import Request
    from dockerlab.transport.transport import Transport

__all__ = ["WebSocket", "websocket"]

CHUNK = 65536
#: If the other side does not read, at most so many pongs are queued, and after so many unsent bytes none is added.
MAX_PONGS, MAX_UNSENT = 500, 65536
#: How long a pong waits for the write lock.
LOCK_SECONDS = 0.2
NO_WEBSOCKET = (
    "The response does not follow the websocket protocol. "
    "Check with dockerlab doctor that an engine answers, then try again, or use attach."
)
#: Close codes of a normal end: finished, the other side goes away, none given.
NORMAL_CLOSE, PROTOCOL_ERROR = {1000, 1001, 1005}, 1002
#: wsproto sends these headers; the exchange shows them.
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


def websocket(transport: Transport, request: Request, timeout: float | None = None) -> WebSocket:
    """Send a request for a websocket, and return it when it is open. Raises EngineError, ConnectionFailed."""
    seconds = transport.timeout if timeout is None else valid_timeout(timeout)
    request.headers |= UPGRADE
    exchange = transport.new_exchange(request)
    clock = time.perf_counter()
    connection = transport.new_connection(seconds)
    stream = WebSocket(exchange, connection.sock, connection, seconds)
    stream.patience(seconds)
    try:
        stream.shake_hands(transport.endpoint.host_header, request.target)
    except OSError as error:
        stream.close()
        raise failure(error, transport.endpoint, seconds) from None
    except BaseException:
        stream.close()
        raise
    finally:
        exchange.seconds = time.perf_counter() - clock
    exchange.streamed = True
    stream.patience(None)
    return stream


class WebSocket(Hijacked):
    """The messages of a websocket: `chunks()` yields them, `write` sends one, `close_write` closes the websocket."""

    def __init__(self, exchange: Any, sock: socket.socket, owner: Any, seconds: float) -> None:
        """Take over a connection on which nothing was sent yet."""
        from wsproto import ConnectionType, WSConnection

        super().__init__(exchange, sock, None, owner, seconds)
        self._protocol: WSConnection = WSConnection(ConnectionType.CLIENT)
        self._pongs: deque[bytes] = deque(maxlen=MAX_PONGS)
        self._unsent = b""

    def shake_hands(self, host: str, target: str) -> None:
        """Open the websocket. Raises EngineError if the engine refuses, StreamBroken, OSError."""
        from wsproto import events

        self._send(self._protocol.send(events.Request(host=host, target=target)), self._seconds)
        for event in self._events():
            if isinstance(event, events.AcceptConnection):
                self._set_response_head(SWITCHED, event.extra_headers)
                return
            if isinstance(event, events.RejectConnection):
                self._set_response_head(event.status_code, event.headers)
                if not event.has_body:
                    raise self._refusal()
            if isinstance(event, events.RejectData):
                self.exchange.body += bytes(event.data)
                if event.body_finished or len(self.exchange.body) > ERROR_BYTES:
                    raise self._refusal()
        raise StreamBroken(BROKEN)

    def _refusal(self) -> DockerlabError:
        """Return the error for a response that opens no websocket."""
        self.exchange.received = len(self.exchange.body)
        return StreamBroken(NO_WEBSOCKET) if self.exchange.status in SUCCESS else engine_error(self.exchange)

    def _set_response_head(self, status: int, headers: Any) -> None:
        reason = HTTPStatus.SWITCHING_PROTOCOLS.phrase if status == SWITCHED else ""
        decoded = [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers]
        self.exchange.set_response_head(status, reason, decoded)

    def _events(self) -> Iterator[Any]:
        """Yield the events of the protocol, until the connection ends."""
        from wsproto.utilities import RemoteProtocolError

        while not self._closed:
            yield from self._protocol.events()
            data = self._receive(CHUNK)
            if not data:
                return
            try:
                self._protocol.receive_data(data)
            except RemoteProtocolError:
                raise StreamBroken(NO_WEBSOCKET) from None

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """Yield the messages as they arrive. Ends with the connection, or when it is closed.

        Raises EngineTimeout, and StreamBroken if the bytes break the protocol or the other side reports an error.
        """
        from wsproto import events

        try:
            for event in self._events():
                if isinstance(event, events.CloseConnection):
                    if event.code not in NORMAL_CLOSE:
                        raise StreamBroken(NO_WEBSOCKET if event.code == PROTOCOL_ERROR else BROKEN)
                    return
                if isinstance(event, events.Ping):
                    self._send_pong(self._protocol.send(event.response()))
                if isinstance(event, (events.BytesMessage, events.TextMessage)):
                    data = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
                    self.exchange.received += len(data)
                    yield data
        except (OSError, ValueError):
            if not self._closed:
                raise StreamBroken(BROKEN) from None

    def _send_pong(self, pong: bytes) -> None:
        """Send as much as the socket accepts at once: reading must not wait for a peer that does not read."""
        if len(self._unsent) < MAX_UNSENT:
            self._pongs.append(pong)
        if not self._write_lock.acquire(timeout=LOCK_SECONDS):
            return  # the pong follows the message that another thread is writing
        try:
            if not self._cut_off:
                data = self._take_unsent()
                self._unsent = data
                with self._socket_lock, contextlib.suppress(OSError):  # a peer that ended its half needs no pong
                    self._unsent = data[self._socket.send(data) :]
        finally:
            self._write_lock.release()

    def _take_unsent(self) -> bytes:
        """Return the pongs that are still to be sent. The caller holds the write lock."""
        pieces = [self._unsent]
        while self._pongs:
            pieces.append(self._pongs.popleft())
        self._unsent = b""
        return b"".join(pieces)

    def _write(self, data: bytes, seconds: float) -> None:
        """Send a whole message, with the waiting pongs before and after it but never inside it."""
        super()._write(self._take_unsent() + data, seconds)
        super()._write(self._take_unsent(), seconds)

    def write(self, data: bytes, timeout: float | None = None) -> None:
        """Send a message. Raises the errors of `Hijacked.write`."""
        from wsproto import events

        super().write(self._protocol.send(events.BytesMessage(data=data)), timeout)

    def close_write(self) -> None:
        """Close the websocket: it can't end its input alone."""
        from wsproto import events
        from wsproto.utilities import LocalProtocolError

        with contextlib.suppress(LocalProtocolError, StreamBroken):
            super().write(self._protocol.send(events.CloseConnection(code=1000)))
