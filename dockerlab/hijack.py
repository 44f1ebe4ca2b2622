"""Connections that are taken over: after the headers of attach and exec they carry bytes both ways.

Docker's words for it is hijacking: the request asks for an upgrade to `tcp`, and after 101 (or 200, of an engine that
lets the bytes begin at once) HTTP is over.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from dockerlab.connections import end_writing
from dockerlab.errors import EngineTimeout, StreamBroken, engine_error
from dockerlab.failures import BROKEN, ERROR_BYTES, failure, not_asked
from dockerlab.transport import seconds_of

if TYPE_CHECKING:
    from dockerlab.chunked import Chunked
    from dockerlab.encoding import Request
    from dockerlab.exchange import Exchange
    from dockerlab.transport import Transport

__all__ = ["Hijacked", "hijack"]

SWITCHED, GOOD = 101, range(200, 300)
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


def hijack(transport: Transport, request: Request, timeout: float | None = None) -> Hijacked:
    """Send a request on a connection of its own, and take that over. Raises EngineError, ConnectionFailed."""
    seconds = transport.timeout if timeout is None else seconds_of(timeout)
    request.headers |= UPGRADE
    exchange = transport.begin(request)
    clock = time.perf_counter()
    connection = transport.connection(seconds)
    held: socket.socket = connection.sock
    response = None
    try:
        connection.ask(exchange.method, request.target, request.body, transport.headers(request))
        response = connection.answer()
        exchange.told(response.status, response.reason, response.getheaders())
        exchange.seconds = time.perf_counter() - clock
        if response.status != SWITCHED and (unasked := not_asked(exchange)):
            raise unasked
        if response.status != SWITCHED and response.status not in GOOD:
            exchange.body = response.read(ERROR_BYTES)
            exchange.received = len(exchange.body)
            raise engine_error(exchange)
    except BaseException as error:
        if response is not None:
            response.close()  # which may hold the socket by itself
        connection.close()
        if isinstance(error, (HTTPError, http.client.HTTPException, OSError)):
            raise failure(error, transport.endpoint, seconds) from None
        raise
    exchange.streamed = True
    return Hijacked(exchange, held, response, connection)


class Hijacked:
    """A connection that was taken over: `chunks()` reads it, `write` sends, `close_write` ends what is sent."""

    def __init__(self, exchange: Exchange, held: socket.socket, response: Chunked, owner: Any) -> None:
        """Take the socket, and what was read of it already; the response would close it if it were let go."""
        self.exchange = exchange
        self._socket = held
        self._response = response
        self._owner = owner
        self._rest = _read_already(held, response.fp)
        self._closed = False
        self._patience: float | None = None

    def __enter__(self) -> Hijacked:
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Give one line: method, path, status."""
        return f"<Hijacked {self.exchange.method} {self.exchange.target} · {self.exchange.status}>"

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Give the bytes as they come; ends with the connection, or when it is closed.

        Raises EngineTimeout if nothing comes for as long as `patience` says, StreamBroken if the connection breaks.
        """
        try:
            while not self._closed and (data := self._read(size)):
                self.exchange.received += len(data)
                yield data
        except (OSError, ValueError):
            if not self._closed:  # by another thread, while a read was under way
                raise StreamBroken(BROKEN) from None

    def _read(self, size: int) -> bytes:
        if self._rest:
            data, self._rest = self._rest[:size], self._rest[size:]
            return data
        return self._received(size)

    def _received(self, size: int) -> bytes:
        """Wait for bytes as long as `patience` says, and give them; none at the end."""
        pending = getattr(self._socket, "pending", None)  # of TLS: bytes that are decrypted already
        if not (pending and pending()) and not select.select([self._socket], [], [], self._patience)[0]:
            raise EngineTimeout(
                f"Nothing came for {self._patience:g} s. Give it more time with timeout=…, or leave it out."
            )
        return self._socket.recv(size)

    def patience(self, seconds: float | None) -> None:
        """Wait no longer than that for the next bytes."""
        self._patience = seconds

    def write(self, data: bytes) -> None:
        """Send bytes to the other side's input. Raises StreamBroken if it has closed it."""
        try:
            self._socket.sendall(data)
        except (OSError, ValueError):
            raise StreamBroken("The other side does not take input any more: its program may have ended.") from None

    def close_write(self) -> None:
        """End the input; what comes can still be read."""
        with contextlib.suppress(OSError):
            end_writing(self._socket)

    def close(self) -> None:
        """Let the connection go; wakes a thread that waits for bytes. May be called more than once."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._response.close()
        self._owner.close()
        self._socket.close()


def _read_already(held: socket.socket, file: Any) -> bytes:
    """Give what came with the headers: from here on the socket itself is read."""
    held.setblocking(False)
    try:
        return bytes(file.peek()) if file is not None else b""
    except OSError:
        return b""
    finally:
        held.setblocking(True)
