"""Many requests at once, on a few connections and without threads: the engine works on one while another is read."""

from __future__ import annotations

import http.client
import selectors
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dockerlab.errors import EngineTimeout, StreamBroken
from dockerlab.transport.failures import BROKEN, ERROR_BYTES, error_of, failure, unexpected_response
from dockerlab.transport.transport import is_error, valid_timeout

if TYPE_CHECKING:
    from dockerlab.protocol.exchange import Exchange
    from dockerlab.protocol.request import Request
    from dockerlab.transport.pools import DirectConnection
    from dockerlab.transport.transport import Transport

__all__ = ["gather"]

#: No engine answers faster with more connections than these.
CONNECTIONS = 8


def gather(transport: Transport, requests: Sequence[Request], timeout: float | None = None) -> Iterator[Exchange]:
    """Send requests that have no body, and yield their exchanges in the same order, each with its whole response.

    Closes all its connections at the end. Raises EngineError for the first status of 400 or more, ConnectionFailed.
    """
    seconds = transport.timeout if timeout is None else valid_timeout(timeout)
    waiting: dict[int, Exchange] = {}
    next_number = 0
    for number, exchange in _Connections(transport, requests, seconds):
        waiting[number] = exchange
        while next_number in waiting:
            yield waiting.pop(next_number)
            next_number += 1


class _Pending(NamedTuple):
    """A request whose response has not come yet."""

    connection: DirectConnection
    number: int
    exchange: Exchange
    clock: float


class _Connections:
    """The connections for one batch of requests; each has at most one request under way."""

    def __init__(self, transport: Transport, requests: Sequence[Request], seconds: float) -> None:
        self.transport = transport
        self.seconds = seconds
        self.unsent = deque(enumerate(requests))
        self.selector = selectors.DefaultSelector()
        self.open: list[DirectConnection] = []

    def __iter__(self) -> Iterator[tuple[int, Exchange]]:
        try:
            for _ in range(min(CONNECTIONS, len(self.unsent))):
                self._connect()
            while self.selector.get_map():
                readable = self.selector.select(self.seconds)
                if not readable:
                    raise EngineTimeout(
                        f"The engine did not answer within {self.seconds:g} s. Give it more time with timeout=…."
                    )
                for key, _ in readable:
                    yield self._receive(key)
        except (http.client.HTTPException, OSError) as error:
            raise failure(error, self.transport.endpoint, self.seconds) from None
        finally:
            self.selector.close()
            for connection in self.open:
                connection.close()

    def _connect(self) -> None:
        """Open a connection, and send the next request on it."""
        connection = self.transport.new_connection(self.seconds)
        self.open.append(connection)
        self.selector.register(connection.sock, selectors.EVENT_READ, self._send_next(connection))

    def _send_next(self, connection: DirectConnection) -> _Pending:
        number, request = self.unsent.popleft()
        exchange = self.transport.new_exchange(request)
        clock = time.perf_counter()
        connection.send_request(exchange.method, request.target, None, self.transport.headers(request))
        return _Pending(connection, number, exchange, clock)

    def _receive(self, key: selectors.SelectorKey) -> tuple[int, Exchange]:
        """Read a response that has begun to arrive, and send the next request on its connection."""
        pending: _Pending = key.data
        connection, exchange = pending.connection, pending.exchange
        response = connection.read_head()
        exchange.set_response_head(response.status, response.reason, response.getheaders())
        if error := unexpected_response(exchange):
            raise error
        exchange.body = _body(response)
        exchange.received = len(exchange.body)
        exchange.seconds = time.perf_counter() - pending.clock
        if is_error(exchange.status):
            raise error_of(exchange, self.transport.endpoint.url)
        if self.unsent and not response.will_close and connection.sock is not None:
            self.selector.modify(key.fileobj, key.events, self._send_next(connection))
            return pending.number, exchange
        self.selector.unregister(key.fileobj)
        self.open.remove(connection)
        connection.close()
        if self.unsent:
            self._connect()
        return pending.number, exchange


def _body(response: http.client.HTTPResponse) -> bytes:
    """Read the body of a response, or only the beginning if it is an error."""
    try:
        return response.read(ERROR_BYTES) if is_error(response.status) else response.read()
    except (ValueError, OverflowError, MemoryError):  # http.client's reaction to an invalid chunk size
        raise StreamBroken(BROKEN) from None
