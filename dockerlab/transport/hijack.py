"""Hijacked connections: after the headers of attach and exec they carry bytes both ways.

Docker calls this hijacking: the request asks for an upgrade to `tcp`, and after status 101 the connection no longer
speaks HTTP. Some engines send 200 instead, and begin with the bytes at once.
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
from dockerlab.transport.failures import BROKEN, ERROR_BYTES, failure, unexpected_response
from dockerlab.transport.pools import shutdown_write
from dockerlab.transport.transport import valid_timeout

if TYPE_CHECKING:
    from dockerlab.protocol.exchange import Exchange
    from dockerlab.protocol.request import Request
    from dockerlab.transport.http_response import HttpResponse
    from dockerlab.transport.transport import Transport

__all__ = ["Hijacked", "hijack"]

T = TypeVar("T")

SWITCHED, SUCCESS = 101, range(200, 300)
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
#: How many bytes are passed to the system at once, and how often TLS tries again if it must read in order to write.
PIECE, RETRY_SECONDS = 65536, 0.1
INPUT_CLOSED = "The other side no longer accepts input: its program may have ended. Attach, or exec, again."
NOTHING_CAME = "Nothing came for {:g} s. Give it more time with timeout=…, or leave it out."
NOT_ACCEPTED = (
    "For {:g} s no input was accepted, because the program does not read it. Perhaps it waits until its own output is "
    "read: read it in another thread, or give it more time with timeout=…."
)
CUT_OFF = "An earlier write was cut off, and it is unknown how much of it arrived. Attach, or exec, again."


def hijack(transport: Transport, request: Request, timeout: float | None = None) -> Hijacked:
    """Send a request on a connection of its own, and take that over. Raises EngineError, ConnectionFailed."""
    seconds = transport.timeout if timeout is None else valid_timeout(timeout)
    request.headers |= UPGRADE
    exchange = transport.new_exchange(request)
    clock = time.perf_counter()
    connection = transport.new_connection(seconds)
    sock: socket.socket = connection.sock
    response = None
    try:
        connection.send_request(exchange.method, request.target, request.body, transport.headers(request))
        response = connection.read_head()
        exchange.set_response_head(response.status, response.reason, response.getheaders())
        exchange.seconds = time.perf_counter() - clock
        if response.status != SWITCHED and (unexpected := unexpected_response(exchange)):
            raise unexpected
        if response.status != SWITCHED and response.status not in SUCCESS:
            exchange.body = response.read(ERROR_BYTES)
            exchange.received = len(exchange.body)
            raise engine_error(exchange)
    except BaseException as error:
        if response is not None:
            response.close()  # it may be the last to hold the socket
        connection.close()
        if isinstance(error, (HTTPError, http.client.HTTPException, OSError)):
            raise failure(error, transport.endpoint, seconds) from None
        raise
    exchange.streamed = True
    return Hijacked(exchange, sock, response, connection, seconds)


class Hijacked:
    """A hijacked connection: `chunks()` reads, `write` sends, `close_write` ends the input.

    One thread may read while another writes. The socket never blocks: a thread that can't go on waits here, for as long
    as its own timeout.
    """

    def __init__(
        self, exchange: Exchange, sock: socket.socket, response: HttpResponse | None, owner: Any, seconds: float
    ) -> None:
        """Take over a socket from its `response` and its connection, the `owner`. Both stay alive until `close`.

        A write waits `seconds` for the other side to accept something.
        """
        self.exchange = exchange
        self._socket = sock
        self._response = response  # garbage-collecting it would close the socket
        self._owner = owner
        self._seconds = seconds
        self._closed = False
        self._patience: float | None = None
        self._socket_lock, self._write_lock, self._cut_off = threading.Lock(), threading.Lock(), False
        sock.setblocking(False)
        self._buffered = _buffered_bytes(getattr(response, "fp", None))

    def __enter__(self) -> Hijacked:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Hijacked {self.exchange.method} {self.exchange.target} · {self.exchange.status}>"

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Yield the bytes as they arrive. Ends with the connection, or when it is closed.

        Raises EngineTimeout if nothing comes for as long as `patience` allows, StreamBroken if the connection breaks.
        """
        try:
            while not self._closed and (data := self._read(size)):
                self.exchange.received += len(data)
                yield data
        except (OSError, ValueError):
            if not self._closed:  # otherwise another thread closed it during the read
                raise StreamBroken(BROKEN) from None

    def _read(self, size: int) -> bytes:
        if self._buffered:
            data, self._buffered = self._buffered[:size], self._buffered[size:]
            return data
        return self._receive(size)

    def _receive(self, size: int) -> bytes:
        """Wait for bytes as long as `patience` allows; return none at the end."""
        return self._retry(partial(self._socket.recv, size), wait_for_read, self._patience, NOTHING_CAME)

    def _retry(self, action: Callable[[], T], wait: Callable[..., bool], seconds: float | None, late: str) -> T:
        """Repeat an action on the socket until it does not block. Raises EngineTimeout with the message `late`."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            wait_now, limit = wait, None
            try:
                with self._socket_lock:  # under TLS reading and writing share one state
                    return action()
            except BlockingIOError:
                pass
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as blocked:
                wait_now = wait_for_read if isinstance(blocked, ssl.SSLWantReadError) else wait_for_write
                # The other thread may consume the bytes this one waits for, so look again from time to time.
                limit = None if wait_now is wait else RETRY_SECONDS
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                raise EngineTimeout(late.format(seconds))
            wait_now(self._socket, min((value for value in (remaining, limit) if value is not None), default=None))

    def patience(self, seconds: float | None) -> None:
        """Set how long to wait for the next bytes; None is no limit."""
        self._patience = seconds

    def write(self, data: bytes, timeout: float | None = None) -> None:
        """Send bytes to the other side's input, as fast as it accepts them.

        Raises StreamBroken if that input is closed, and EngineTimeout if it accepts nothing for `timeout` seconds, by
        default the Lab's. After a write that was sent in part, the connection can only be read.
        """
        seconds = self._seconds if timeout is None else valid_timeout(timeout)
        with self._write_lock:
            self._write(data, seconds)

    def _write(self, data: bytes, seconds: float) -> None:
        """Send all of the data. The caller holds the write lock."""
        if self._cut_off:
            raise StreamBroken(CUT_OFF)
        try:
            self._send(data, seconds)
        except (OSError, ValueError):
            raise StreamBroken(INPUT_CLOSED) from None
        except BaseException:
            self._cut_off = True
            raise

    def _send(self, data: bytes, seconds: float) -> None:
        unsent = memoryview(data)
        while unsent:
            action = partial(self._socket.send, unsent[:PIECE])
            unsent = unsent[self._retry(action, wait_for_write, seconds, NOT_ACCEPTED) :]

    def close_write(self) -> None:
        """End the input; the output can still be read."""
        with contextlib.suppress(OSError):
            shutdown_write(self._socket)

    def close(self) -> None:
        """Close the connection, and wake a thread that waits for bytes. May be called more than once."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        if self._response is not None:
            self._response.close()
        self._owner.close()
        self._socket.close()


def _buffered_bytes(file: Any) -> bytes:
    """Return the bytes that were read together with the headers; from here on the socket itself is read."""
    try:
        return bytes(file.peek()) if file is not None else b""
    except OSError:
        return b""
