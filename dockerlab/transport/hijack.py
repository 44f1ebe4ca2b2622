"""Connections that are taken over: after the headers of attach and exec they carry bytes both ways.

Docker's words for it is hijacking: the request asks for an upgrade to `tcp`, and after 101 (or 200, of an engine that
lets the bytes begin at once) HTTP is over.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from urllib3.exceptions import HTTPError
from urllib3.util import wait_for_read, wait_for_write

from dockerlab.errors import EngineTimeout, StreamBroken
from dockerlab.protocol.advice import engine_error
from dockerlab.transport.failures import BROKEN, ERROR_BYTES, failure, not_asked
from dockerlab.transport.pools import end_writing
from dockerlab.transport.transport import seconds_of

if TYPE_CHECKING:
    from dockerlab.protocol.exchange import Exchange
    from dockerlab.protocol.request import Request
    from dockerlab.transport.http_response import Chunked
    from dockerlab.transport.transport import Transport

__all__ = ["Hijacked", "hijack"]

T = TypeVar("T")

SWITCHED, GOOD = 101, range(200, 300)
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
#: How much is given to the system at once, and how often TLS looks again if it must read in order to write.
PIECE, AGAIN_SECONDS = 65536, 0.1
ENDED = "The other side does not take input any more: its program may have ended."
NOTHING_CAME = "Nothing came for {:g} s. Give it more time with timeout=…, or leave it out."
NOT_TAKEN = (
    "For {:g} s nothing of the input was taken: its program does not read it. It may wait until its own output is "
    "read, in another thread; or give it more time with timeout=…."
)
CUT = "A write before this one was cut off, and nobody knows how much of it arrived. Attach, or exec, once more."


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
        exchange.set_response_head(response.status, response.reason, response.getheaders())
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
    return Hijacked(exchange, held, response, connection, seconds)


class Hijacked:
    """A connection that was taken over: `chunks()` reads it, `write` sends, `close_write` ends what is sent.

    One thread may read while another writes. The socket itself never waits: whoever has nothing to read, or can't
    write yet, waits here, for as long as it likes.
    """

    def __init__(
        self, exchange: Exchange, held: socket.socket, response: Chunked | None, owner: Any, seconds: float
    ) -> None:
        """Take the socket, and what was read of it already; the response would close it if it were let go.

        `seconds` is how long a write waits for the other side to take something.
        """
        self.exchange = exchange
        self._socket = held
        self._response = response
        self._owner = owner
        self._seconds = seconds
        self._closed = False
        self._patience: float | None = None
        self._turn, self._writing, self._cut = threading.Lock(), threading.Lock(), False
        held.setblocking(False)
        self._rest = _read_already(getattr(response, "fp", None))

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
        return self._in_time(partial(self._socket.recv, size), wait_for_read, self._patience, NOTHING_CAME)

    def _in_time(self, act: Callable[[], T], wait: Callable[..., bool], seconds: float | None, late: str) -> T:
        """Do something with the socket, and wait until it can be done. Raises EngineTimeout, which says `late`."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            now, most = wait, None
            try:
                with self._turn:  # for TLS both directions are one thing
                    return act()
            except BlockingIOError:
                pass
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                now = wait_for_read if isinstance(wanted, ssl.SSLWantReadError) else wait_for_write
                most = None if now is wait else AGAIN_SECONDS  # the other thread may have waited for it, too
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise EngineTimeout(late.format(seconds))
            now(self._socket, min((one for one in (left, most) if one is not None), default=None))

    def patience(self, seconds: float | None) -> None:
        """Wait no longer than that for the next bytes."""
        self._patience = seconds

    def write(self, data: bytes, timeout: float | None = None) -> None:
        """Send bytes to the other side's input, as fast as it takes them.

        Raises StreamBroken if it has closed it, and EngineTimeout if for `timeout` seconds, else the Lab's, it takes
        nothing. What was sent in part can't be gone on with: then the connection is only good for reading.
        """
        seconds = self._seconds if timeout is None else seconds_of(timeout)
        with self._writing:
            self._write(data, seconds)

    def _write(self, data: bytes, seconds: float) -> None:
        """Send all of it, for who has the right to write now."""
        if self._cut:
            raise StreamBroken(CUT)
        try:
            self._send(data, seconds)
        except (OSError, ValueError):
            raise StreamBroken(ENDED) from None
        except BaseException:
            self._cut = True
            raise

    def _send(self, data: bytes, seconds: float) -> None:
        left = memoryview(data)
        while left:
            act = partial(self._socket.send, left[:PIECE])
            left = left[self._in_time(act, wait_for_write, seconds, NOT_TAKEN) :]

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
        if self._response is not None:
            self._response.close()
        self._owner.close()
        self._socket.close()


def _read_already(file: Any) -> bytes:
    """Give what came with the headers, without waiting for more: from here on the socket itself is read."""
    try:
        return bytes(file.peek()) if file is not None else b""
    except OSError:
        return b""
