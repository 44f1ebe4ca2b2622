"""Bytes over an endpoint: one urllib3 pool for one engine, with timeouts everywhere.

`connections` has the pools, `chunked` reads answers, `failures` has the words for what goes wrong. The pool makes and
keeps connections; they are asked as http.client's, since urllib3's own way to ask costs half a small call more, and a
requests session two to three times as much. `sessions` makes one for those who want requests themselves.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from dockerlab.errors import ArgumentError, ConnectionFailed, EngineUnreachable
from dockerlab.protocol.advice import engine_error
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.request import Request
from dockerlab.transport.failures import CONNECT_SECONDS, ERROR_BYTES, broken, failure, in_between, not_asked
from dockerlab.transport.plaintext_guard import refuse
from dockerlab.transport.pools import Asking, pool

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint
    from dockerlab.transport.http_response import Chunked

__all__ = ["Answer", "Transport", "seconds_of"]

USER_AGENT = "dockerlab"
ERROR = 400
CHUNK = 65536
#: An engine never sends its callers elsewhere, but what stands in front of one may. 304 is an answer.
ELSEWHERE = {301, 302, 303, 307, 308}
#: A longer wait than a system can count, and long enough for anybody.
LONGEST_SECONDS = 30 * 86400.0


class Transport:
    """Sends requests to one engine. `timeout` is in seconds, for connecting and for each wait for bytes."""

    def __init__(self, endpoint: Endpoint, timeout: float = 60.0) -> None:
        """Make the pool; nothing is sent yet."""
        self.endpoint = endpoint
        self.timeout = timeout
        self._pool = pool(endpoint)
        self._finalizer = weakref.finalize(self, self._pool.close)

    def close(self) -> None:
        """Close every connection. May be called more than once."""
        self._finalizer()

    def send(self, request: Request, timeout: float | None = None) -> Exchange:
        """Send a request and read its whole answer. Raises EngineError for a status of 400 or more."""
        answer = self.open(request, timeout)
        answer.read()
        return answer.exchange

    def open(self, request: Request, timeout: float | None = None) -> Answer:
        """Send a request and read the headers of its answer. Raises EngineError for a status of 400 or more."""
        seconds = self.timeout if timeout is None else seconds_of(timeout)
        exchange = self.begin(request)
        clock = time.perf_counter()
        try:
            connection, response = self._answered(request, seconds)
        finally:
            if not isinstance(request.body, (bytes, type(None))) and request.body is not request.arguments.get("body"):
                request.body.close()  # the caller gave a path
        exchange.set_response_head(response.status, response.reason, response.getheaders())
        exchange.seconds = time.perf_counter() - clock
        answer = Answer(exchange, response, self, connection, seconds)
        if unasked := not_asked(exchange):
            answer.close()
            raise unasked
        if response.status >= ERROR or response.status in ELSEWHERE:
            answer.read(ERROR_BYTES)
            if stranger := in_between(exchange):
                raise EngineUnreachable(f"{self.endpoint.url} answers, but {stranger}")
            raise engine_error(exchange)
        return answer

    def _answered(self, request: Request, seconds: float) -> tuple[Asking, Chunked]:
        """Send a request, and read the head of its answer.

        A connection that was kept may end in the moment in which it is used: what only reads is then asked once more,
        on another. What changes something is not, since nobody knows whether it was heard.
        """
        while True:
            connection = self.take(seconds)
            try:
                connection.ask(request.operation.method, request.target, request.body, self.headers(request))
                return connection, connection.answer()
            except BaseException as error:
                connection.close()
                self.give_back(connection)
                only_reads = request.operation.method in ("GET", "HEAD")
                if not (connection.kept and only_reads and isinstance(error, (ConnectionResetError, BrokenPipeError))):
                    raise _ours(error, self.endpoint, seconds) from None

    def connection(self, timeout: float | None = None) -> Asking:
        """Give a new connection to the engine, connected: http.client's kind, over whatever the endpoint is.

        It is no pool's: whoever asked for it closes it. `connection.sock` is its socket, also under ssh and TLS;
        `connections.end_writing` ends what is written to that, and lets the answer come.
        Raises EngineUnreachable, PermissionDenied or EngineTimeout.
        """
        seconds = self.timeout if timeout is None else seconds_of(timeout)
        return self._ready(self._pool._new_conn(), seconds)

    def _ready(self, connection: Any, seconds: float) -> Asking:
        """Connect, if it isn't; from then on each wait takes so many seconds at most."""
        if connection.sock is None:
            connection.timeout = min(seconds, CONNECT_SECONDS)
            try:
                connection.connect()
            except BaseException as error:
                connection.close()
                raise _ours(error, self.endpoint, connection.timeout) from None
        connection.timeout = seconds
        connection.sock.settimeout(seconds)
        return connection  # type: ignore[no-any-return]  # the pool has no others

    def take(self, seconds: float) -> Asking:
        """Take a connection out of the pool, or a new one, connected; `give_back` it."""
        try:
            connection: Any = self._pool._get_conn()
        except HTTPError as error:
            raise failure(error, self.endpoint, seconds) from None
        connection.kept = connection.sock is not None
        try:
            return self._ready(connection, seconds)
        except BaseException:
            self.give_back(connection)
            raise

    def give_back(self, connection: Any) -> None:
        """Give a connection back to the pool. A closed one connects again when it is taken."""
        self._pool._put_conn(connection)

    def begin(self, request: Request) -> Exchange:
        """Give the exchange of a request that is about to be sent. Raises ArgumentError for one that may not be."""
        refuse(self.endpoint, request.operation.method, request.target, request.headers)
        return Exchange(
            operation=request.operation,
            arguments=request.arguments,
            method=request.operation.method,
            target=request.target,
            request_headers=self.headers(request),
            request_body=request.body if isinstance(request.body, bytes) else b"",
            docker_host=self.endpoint.url,
            started=datetime.now(UTC),
            tls=self.endpoint.tls,
        )

    def headers(self, request: Request) -> dict[str, str]:
        """Give all headers that are sent, so that what is shown is what went over the wire."""
        headers = {"Host": self.endpoint.host_header, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        headers |= request.headers
        size = _size(request.body)
        if size is not None and (request.body is not None or request.operation.method in ("POST", "PUT")):
            headers["Content-Length"] = str(size)
        return headers


class Answer:
    """An answer whose headers are here and whose body is still to be read.

    `chunks()` reads it piece by piece as it comes. Close it, or use it in `with`: until then it holds a connection.
    """

    def __init__(
        self, exchange: Exchange, response: Chunked, transport: Transport, connection: Asking, seconds: float
    ) -> None:
        """Take an answer whose headers were read, with its connection, which goes back to the pool in the end."""
        self.exchange = exchange
        self._response = response
        self._transport = transport
        self._connection = connection
        self._seconds: float | None = seconds
        self._clock = time.perf_counter() - exchange.seconds
        self._closed = False

    def __del__(self) -> None:
        """Close it, if it was forgotten."""
        with contextlib.suppress(AttributeError, OSError):
            self.close()

    def __enter__(self) -> Answer:
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Give one line: method, path, status."""
        return f"<Answer {self.exchange.method} {self.exchange.target} · {self.exchange.status}>"

    def read(self, most: int | None = None) -> bytes:
        """Read the whole body into the exchange, or its first so many bytes, and close."""
        try:
            body = self._response.read(most)
        except (HTTPException, OSError) as error:
            raise self._broken(error) from None
        except (ValueError, OverflowError, MemoryError):  # of a chunk whose size is none
            raise self._broken(ConnectionResetError()) from None
        finally:
            self.exchange.seconds = time.perf_counter() - self._clock
            self.close()
        self.exchange.body = body
        self.exchange.received = len(body)
        return body

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """Read the body piece by piece: each piece as soon as it is there, at most `size` bytes.

        Ends when the answer is closed, also by another thread. Raises StreamBroken if the body ends early,
        EngineTimeout if nothing comes for as long as the timeout.
        """
        self.exchange.streamed = True
        try:
            while not self._closed and (data := self._response.read1(size)):
                self.exchange.received += len(data)
                yield data
        except (HTTPException, OSError, AttributeError, ValueError) as error:
            if self._closed:  # by another thread, while a read was under way
                return
            if isinstance(error, (AttributeError, ValueError)):
                raise
            raise self._broken(error) from None
        finally:
            self.exchange.seconds = time.perf_counter() - self._clock
            self.close()

    def patience(self, seconds: float | None) -> None:
        """Change how long each wait for bytes may take from now on; None is for ever."""
        self._seconds = seconds
        if held := self._socket():
            held.settimeout(seconds)

    def close(self) -> None:
        """Give the connection back; one with bytes still to come is closed. May be called more than once."""
        if self._closed:
            return
        self._closed = True
        if not self._response.isclosed():
            if held := self._socket():
                with contextlib.suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for bytes
            self._connection.close()
            self._response.close()
        self._transport.give_back(self._connection)

    def _socket(self) -> socket.socket | None:
        """The socket beneath, while there is one."""
        # http.client hands the socket of a connection that ends with its answer over to the answer
        raw = getattr(getattr(self._response, "fp", None), "raw", None)
        held = self._connection.sock or getattr(raw, "_sock", None)
        return held if isinstance(held, socket.socket) else None

    def _broken(self, error: Exception) -> ConnectionFailed:
        self._connection.close()
        self._response.close()
        return broken(error, self._transport.endpoint, self._seconds or 0)


def _ours(error: BaseException, endpoint: Endpoint, seconds: float) -> BaseException:
    """Turn what the system or a library raises into one of ours; anything else stays."""
    if isinstance(error, (HTTPError, HTTPException, OSError)):
        return failure(error, endpoint, seconds)
    return error


def _size(body: object) -> int | None:
    """Give the length of a body, None for a stream of unknown length."""
    if body is None:
        return 0
    if isinstance(body, bytes):
        return len(body)
    try:
        stat = os.fstat(body.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    return stat.st_size - body.tell() if stat.st_size else None  # type: ignore[attr-defined]


def seconds_of(timeout: object) -> float:
    """Check a timeout. Raises ArgumentError for what isn't a time."""
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise ArgumentError(f"timeout is a number of seconds above 0, not {timeout!r}.")
    return min(float(timeout), LONGEST_SECONDS)
