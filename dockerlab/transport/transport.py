"""Requests and responses over the connections to one engine, with a timeout for every wait."""

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

from dockerlab.errors import ArgumentError, ConnectionFailed
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.request import Request
from dockerlab.transport.failures import (
    CONNECT_SECONDS,
    ERROR_BYTES,
    broken_response,
    error_of,
    failure,
    unexpected_response,
)
from dockerlab.transport.plaintext_guard import refuse_credentials
from dockerlab.transport.pools import Connections, DirectConnection

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint
    from dockerlab.transport.http_response import HttpResponse

__all__ = ["Response", "Transport", "is_error", "valid_timeout"]

USER_AGENT = "dockerlab"
ERROR = 400
CHUNK = 65536
#: An engine never redirects, but a server in front of one may. 304 is not a redirect but an engine's response.
REDIRECTS = {301, 302, 303, 307, 308}
#: Longer timeouts are cut to this, because the operating system can't count them.
LONGEST_SECONDS = 30 * 86400.0


class Transport:
    """Sends requests to one engine. `timeout` is in seconds, for connecting and for each wait for bytes."""

    def __init__(self, endpoint: Endpoint, timeout: float = 60.0) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._connections = Connections(endpoint)
        self._finalizer = weakref.finalize(self, self._connections.close)

    def close(self) -> None:
        """Close every connection. May be called more than once."""
        self._finalizer()

    def send(self, request: Request, timeout: float | None = None) -> Exchange:
        """Send a request and read its whole response. Raises EngineError for a status of 400 or more."""
        response = self.open(request, timeout)
        response.read()
        return response.exchange

    def open(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the headers of its response. Raises EngineError for a status of 400 or more."""
        seconds = self.timeout if timeout is None else valid_timeout(timeout)
        exchange = self.new_exchange(request)
        clock = time.perf_counter()
        try:
            connection, head = self._send(request, seconds)
        finally:
            if not isinstance(request.body, (bytes, type(None))) and request.body is not request.arguments.get("body"):
                request.body.close()  # encode() opened this file, because the caller passed a path
        exchange.set_response_head(head.status, head.reason, head.getheaders())
        exchange.seconds = time.perf_counter() - clock
        response = Response(exchange, head, self, connection, seconds)
        if error := unexpected_response(exchange):
            response.close()
            raise error
        if is_error(head.status):
            response.read(ERROR_BYTES)
            raise error_of(exchange, self.endpoint.url)
        return response

    def _send(self, request: Request, seconds: float) -> tuple[DirectConnection, HttpResponse]:
        """Send a request, and read the head of its response.

        The engine may close an idle connection just when it is used again. A request that only reads is then sent once
        more, on another connection. One that changes something is not, since the engine may already have acted on it.
        """
        while True:
            connection = self._take_connection(seconds)
            try:
                connection.send_request(request.operation.method, request.target, request.body, self.headers(request))
                return connection, connection.read_head()
            except BaseException as error:
                connection.close()
                self.give_back(connection)
                only_reads = request.operation.method in ("GET", "HEAD")
                was_closed = isinstance(error, (ConnectionResetError, BrokenPipeError))
                if not (connection.reused and only_reads and was_closed):
                    raise _as_dockerlab_error(error, self.endpoint, seconds) from None

    def new_connection(self, timeout: float | None = None) -> DirectConnection:
        """Return a new, open connection to the engine, which the caller closes.

        `connection.sock` is its socket, also under ssh and TLS; `pools.shutdown_write` ends what is written to it.
        Raises EngineUnreachable, PermissionDenied or EngineTimeout.
        """
        seconds = self.timeout if timeout is None else valid_timeout(timeout)
        return self._connected(self._connections.new(), seconds)

    def _connected(self, connection: Any, seconds: float) -> DirectConnection:
        """Connect if necessary, and set the timeout of each wait from then on."""
        if connection.sock is None:
            connection.timeout = min(seconds, CONNECT_SECONDS)
            try:
                connection.connect()
            except BaseException as error:
                connection.close()
                raise _as_dockerlab_error(error, self.endpoint, connection.timeout) from None
        connection.timeout = seconds
        connection.sock.settimeout(seconds)
        return connection  # type: ignore[no-any-return]  # there are no others

    def _take_connection(self, seconds: float) -> DirectConnection:
        """Return an open connection, which must be given back."""
        connection = self._connections.take()
        connection.reused = connection.sock is not None
        try:
            return self._connected(connection, seconds)
        except BaseException:
            self.give_back(connection)
            raise

    def give_back(self, connection: DirectConnection) -> None:
        """Keep a connection for another request. A closed one connects again when it is taken."""
        self._connections.give_back(connection)

    def new_exchange(self, request: Request) -> Exchange:
        """Return the exchange for a request that is about to be sent. Raises ArgumentError if it must not be sent."""
        refuse_credentials(self.endpoint, request.operation.method, request.target, request.headers)
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
        """Return all headers of a request: http.client adds none, so an exchange shows exactly what was sent."""
        headers = {"Host": self.endpoint.host_header, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        headers |= request.headers
        length = _content_length(request.body)
        if length is not None and (request.body is not None or request.operation.method in ("POST", "PUT")):
            headers["Content-Length"] = str(length)
        return headers


class Response:
    """A response whose headers were read and whose body was not.

    `chunks()` reads the body piece by piece as it arrives. Close the response or use it in `with`: until then it
    occupies a connection.
    """

    def __init__(
        self, exchange: Exchange, head: HttpResponse, transport: Transport, connection: DirectConnection, seconds: float
    ) -> None:
        self.exchange = exchange
        self._http = head
        self._transport = transport
        self._connection = connection
        self._seconds: float | None = seconds
        self._clock = time.perf_counter() - exchange.seconds
        self._closed = False

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            self.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Response {self.exchange.method} {self.exchange.target} · {self.exchange.status}>"

    def read(self, most: int | None = None) -> bytes:
        """Read the whole body into the exchange, or at most so many bytes of it, and close."""
        try:
            body = self._http.read(most)
        except (HTTPException, OSError) as error:
            raise self._broken(error) from None
        except (ValueError, OverflowError, MemoryError):  # http.client's reaction to an invalid chunk size
            raise self._broken(ConnectionResetError()) from None
        finally:
            self.exchange.seconds = time.perf_counter() - self._clock
            self.close()
        self.exchange.body = body
        self.exchange.received = len(body)
        return body

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """Yield the body in pieces of at most `size` bytes, each as soon as it arrives.

        Ends when the response is closed, also by another thread. Raises StreamBroken if the body ends too early,
        EngineTimeout if nothing comes for as long as the timeout.
        """
        self.exchange.streamed = True
        try:
            while not self._closed and (data := self._http.read1(size)):
                self.exchange.received += len(data)
                yield data
        except (HTTPException, OSError, AttributeError, ValueError) as error:
            if self._closed:  # another thread closed the response during the read
                return
            if isinstance(error, (AttributeError, ValueError)):
                raise
            raise self._broken(error) from None
        finally:
            self.exchange.seconds = time.perf_counter() - self._clock
            self.close()

    def patience(self, seconds: float | None) -> None:
        """Set how long each wait for bytes may take from now on; None is no limit."""
        self._seconds = seconds
        if sock := self._socket():
            sock.settimeout(seconds)

    def close(self) -> None:
        """Give the connection back, or close it if bytes are still to come. May be called more than once."""
        if self._closed:
            return
        self._closed = True
        if not self._http.isclosed():
            if sock := self._socket():
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for bytes
            self._connection.close()
            self._http.close()
        self._transport.give_back(self._connection)

    def _socket(self) -> socket.socket | None:
        """Return the socket, while there is one."""
        sock = self._connection.request_socket
        return sock if sock is not None and sock.fileno() >= 0 else None

    def _broken(self, error: Exception) -> ConnectionFailed:
        self._connection.close()
        self._http.close()
        return broken_response(error, self._transport.endpoint, self._seconds or 0)


def is_error(status: int) -> bool:
    """Return whether a status is an error, or a redirect, which no engine sends."""
    return status >= ERROR or status in REDIRECTS


def _as_dockerlab_error(error: BaseException, endpoint: Endpoint, seconds: float) -> BaseException:
    """Turn an error of the system or of a library into a DockerlabError; any other stays as it is."""
    if isinstance(error, (HTTPError, HTTPException, OSError)):
        return failure(error, endpoint, seconds)
    return error


def _content_length(body: object) -> int | None:
    """Return the length of a body, None for a stream of unknown length."""
    if body is None:
        return 0
    if isinstance(body, bytes):
        return len(body)
    try:
        stat = os.fstat(body.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    return stat.st_size - body.tell() if stat.st_size else None  # type: ignore[attr-defined]


def valid_timeout(timeout: object) -> float:
    """Return a timeout as a float. Raises ArgumentError if it is not a positive number."""
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise ArgumentError(f"timeout is a number of seconds above 0, not {timeout!r}.")
    return min(float(timeout), LONGEST_SECONDS)
