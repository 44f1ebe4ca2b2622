"""Bytes over an endpoint: one urllib3 pool for one engine, with timeouts everywhere.

Unix sockets go through requests-unixsocket's connection class. A requests session would cost two to three times
as much a call; `session` makes one for those who want requests themselves.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import urllib3
from requests_unixsocket.adapters import UnixHTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    IncompleteRead,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.exceptions import TimeoutError as PoolTimeout

from dockerlab.encoding import Request
from dockerlab.errors import (
    ConnectionFailed,
    EngineTimeout,
    EngineUnreachable,
    PermissionDenied,
    StreamBroken,
    engine_error,
)
from dockerlab.exchange import Exchange

if TYPE_CHECKING:
    import requests

    from dockerlab.endpoint import Endpoint

__all__ = ["Answer", "Transport", "session"]

CONNECTIONS = 8
USER_AGENT = "dockerlab"
ERROR = 400
#: Timeouts while connecting never need to be longer than this.
CONNECT_SECONDS = 10.0


class _UnixPool(urllib3.HTTPConnectionPool):
    """A pool of connections to one unix socket."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__("localhost", **options)
        self._socket_url = f"http+unix://{quote(path, safe='')}"

    def _new_conn(self) -> Any:
        self.num_connections += 1
        return UnixHTTPConnection(self._socket_url, timeout=self.timeout.connect_timeout)


def pool(endpoint: Endpoint) -> urllib3.HTTPConnectionPool:
    """Make the pool for an endpoint; it connects when it is first used."""
    options: dict[str, Any] = {"maxsize": CONNECTIONS, "block": False, "retries": False}
    if endpoint.kind == "unix":
        return _UnixPool(endpoint.address, **options)
    return urllib3.HTTPConnectionPool(endpoint.host, endpoint.port, **options)


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
        seconds = self.timeout if timeout is None else timeout
        exchange = self._begin(request)
        clock = time.perf_counter()
        try:
            response = self._pool.urlopen(
                request.operation.method,
                request.target,
                body=request.body,
                headers=self._headers(request),
                timeout=urllib3.Timeout(connect=min(seconds, CONNECT_SECONDS), read=seconds),
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                chunked=_size(request.body) is None,
            )
        except (HTTPError, OSError) as error:
            raise self._failure(error, seconds) from None
        finally:
            if request.body is not None and not isinstance(request.body, bytes):
                request.body.close()
        exchange.status, exchange.reason = response.status, response.reason or ""
        exchange.headers = list(response.headers.items())
        exchange.seconds = time.perf_counter() - clock
        answer = Answer(exchange, response, self, seconds, clock)
        if response.status >= ERROR:
            answer.read()
            raise engine_error(exchange)
        return answer

    def _begin(self, request: Request) -> Exchange:
        return Exchange(
            operation=request.operation,
            arguments=request.arguments,
            method=request.operation.method,
            target=request.target,
            request_headers=self._headers(request),
            request_body=request.body if isinstance(request.body, bytes) else b"",
            docker_host=self.endpoint.url,
            started=datetime.now(UTC),
        )

    def _headers(self, request: Request) -> dict[str, str]:
        """Give all headers that are sent, so that what is shown is what went over the wire."""
        headers = {"Host": self.endpoint.host_header, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        headers |= request.headers
        size = _size(request.body)
        if size is not None and (request.body is not None or request.operation.method in ("POST", "PUT")):
            headers["Content-Length"] = str(size)
        return headers

    def _failure(self, error: Exception, seconds: float) -> ConnectionFailed:
        """Turn what urllib3 or the system raises into one of ours, with its mend."""
        cause = _root(error)
        where = self.endpoint.url
        timed_out = isinstance(error, (ReadTimeoutError, ConnectTimeoutError, PoolTimeout))
        if (timed_out and not isinstance(error, NewConnectionError)) or isinstance(cause, TimeoutError):
            return EngineTimeout(
                f"The engine did not answer within {seconds:g} s. Give it more time with timeout=…, "
                "in connect() for all calls or in one call."
            )
        if isinstance(cause, PermissionError):
            return PermissionDenied(
                f"This user may not use {where}. Join the socket's group (usually: sudo usermod -aG docker $USER, "
                'then log in again), or use the practice engine: dockerlab.connect("practice").'
            )
        if isinstance(cause, (FileNotFoundError, ConnectionRefusedError, NewConnectionError)):
            return EngineUnreachable(
                f"No engine answers at {where}. Start it (for Docker: sudo systemctl start docker), check "
                'DOCKER_HOST, or use the practice engine: dockerlab.connect("practice").'
            )
        if isinstance(cause, OSError) and not isinstance(cause, ConnectionError):
            return EngineUnreachable(f"{where} can't be used: {cause.strerror or cause}. Check DOCKER_HOST.")
        return StreamBroken(
            "The engine closed the connection before its answer was whole. "
            "Is it still running? dockerlab doctor tells; then ask again."
        )


class Answer:
    """An answer whose headers are here and whose body is still to be read.

    `chunks()` reads it piece by piece as it comes. Close it, or use it in `with`: until then it holds a connection.
    """

    def __init__(
        self, exchange: Exchange, response: urllib3.BaseHTTPResponse, transport: Transport, seconds: float, clock: float
    ) -> None:
        """Take an answer whose headers were read."""
        self.exchange = exchange
        self._response = response
        self._transport = transport
        self._seconds = seconds
        self._clock = clock

    def __enter__(self) -> Answer:
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Give one line: method, path, status."""
        return f"<Answer {self.exchange.method} {self.exchange.target} · {self.exchange.status}>"

    def read(self) -> bytes:
        """Read the whole body into the exchange, and close."""
        try:
            self.exchange.body = self._response.read()
        except (HTTPError, OSError) as error:
            self._response.close()
            raise self._broken(error) from None
        self.exchange.seconds = time.perf_counter() - self._clock
        self.close()
        return self.exchange.body

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Read the body piece by piece: each piece as soon as it is there, at most `size` bytes.

        Raises StreamBroken if the body ends early, EngineTimeout if nothing comes for as long as the timeout.
        """
        self.exchange.streamed = True
        try:
            while data := self._response.read1(size):
                yield data
        except (HTTPError, OSError) as error:
            self._response.close()
            raise self._broken(error) from None
        except AttributeError:
            if not self._response.closed:  # closed from another thread while a read was under way
                raise
        finally:
            self.exchange.seconds = time.perf_counter() - self._clock
        self.close()

    def close(self) -> None:
        """Give the connection back; one with bytes still to come is closed. May be called more than once."""
        if getattr(self._response, "length_remaining", 0) in (0, None) and self._done():
            self._response.release_conn()
        else:
            self._response.close()
            self._response.release_conn()

    def _done(self) -> bool:
        inner = getattr(self._response, "_fp", None)
        return inner is None or bool(getattr(inner, "isclosed", lambda: True)())

    def _broken(self, error: Exception) -> ConnectionFailed:
        if isinstance(_root(error), (ProtocolError, IncompleteRead, ConnectionError)):
            return StreamBroken(
                "The engine closed the connection before its answer was whole. "
                "Is it still running? dockerlab doctor tells; then ask again."
            )
        return self._transport._failure(error, self._seconds)


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


def _root(error: BaseException) -> BaseException:
    """Find the first cause: urllib3 puts the system's error into its own."""
    while True:
        inner = next((item for item in error.args if isinstance(item, BaseException)), None) or error.__cause__
        inner = inner or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or inner is error:
            return error
        error = inner


def session(endpoint: Endpoint, timeout: float) -> requests.Session:
    """Make a requests session for an engine: one pool, no proxies or settings from the environment."""
    import requests  # noqa: PLC0415  (only those who want requests pay for it)
    from requests.adapters import HTTPAdapter  # noqa: PLC0415
    from requests_unixsocket.adapters import UnixAdapter  # noqa: PLC0415

    class OnePool(UnixAdapter):  # type: ignore[misc]
        """requests-unixsocket's adapter keeps a pool for each URL; this one keeps a pool for the engine."""

        def get_connection(self, url: str, proxies: Any = None) -> Any:
            return one

        def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or timeout
            return super().send(request, *arguments, **options)

        def close(self) -> None:
            one.close()
            super().close()

    class Timed(HTTPAdapter):
        """requests has no timeout of its own."""

        def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or timeout
            return super().send(request, *arguments, **options)

    one = pool(endpoint)
    made = requests.Session()
    made.trust_env = False
    made.mount("http+unix://", OnePool())
    made.mount("http://", Timed(pool_maxsize=CONNECTIONS))
    return made
