"""Many requests at once, on a few connections, without threads: while one answer is read, the engine makes others."""

from __future__ import annotations

import http.client
import selectors
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from dockerlab.errors import EngineTimeout, StreamBroken
from dockerlab.protocol.advice import engine_error
from dockerlab.transport.failures import BROKEN, ERROR_BYTES, failure, not_asked
from dockerlab.transport.transport import ELSEWHERE, seconds_of

if TYPE_CHECKING:
    from dockerlab.protocol.exchange import Exchange
    from dockerlab.protocol.request import Request
    from dockerlab.transport.pools import Asking
    from dockerlab.transport.transport import Transport

    #: A request that is under way: its connection, its number, its exchange, when it was sent.
    _Asked: TypeAlias = tuple[Asking, int, Exchange, float]

__all__ = ["gather"]

#: More than these make no engine faster.
CONNECTIONS = 8
ERROR = 400


def gather(transport: Transport, requests: Sequence[Request], timeout: float | None = None) -> Iterator[Exchange]:
    """Send requests that have no body, and give their exchanges in the same order, each with its whole answer.

    All connections are closed at the end. Raises EngineError for the first status of 400 or more, ConnectionFailed.
    """
    seconds = transport.timeout if timeout is None else seconds_of(timeout)
    ready: dict[int, Exchange] = {}
    given = 0
    for number, exchange in _Connections(transport, requests, seconds):
        ready[number] = exchange
        while given in ready:
            yield ready.pop(given)
            given += 1


class _Connections:
    """The connections of one gathering; each has at most one request under way."""

    def __init__(self, transport: Transport, requests: Sequence[Request], seconds: float) -> None:
        self.transport = transport
        self.seconds = seconds
        self.left = deque(enumerate(requests))
        self.selector = selectors.DefaultSelector()
        self.open: list[Asking] = []

    def __iter__(self) -> Iterator[tuple[int, Exchange]]:
        try:
            for _ in range(min(CONNECTIONS, len(self.left))):
                self._connect()
            while self.selector.get_map():
                found = self.selector.select(self.seconds)
                if not found:
                    raise EngineTimeout(
                        f"The engine did not answer within {self.seconds:g} s. Give it more time with timeout=…."
                    )
                for key, _ in found:
                    yield self._take(key)
        except (http.client.HTTPException, OSError) as error:
            raise failure(error, self.transport.endpoint, self.seconds) from None
        finally:
            self.selector.close()
            for connection in self.open:
                connection.close()

    def _connect(self) -> None:
        """Open a connection, and send the next request on it."""
        connection = self.transport.connection(self.seconds)
        self.open.append(connection)
        self.selector.register(connection.sock, selectors.EVENT_READ, self._ask(connection))

    def _ask(self, connection: Asking) -> _Asked:
        """Send the next request on a connection."""
        number, request = self.left.popleft()
        exchange = self.transport.begin(request)
        clock = time.perf_counter()
        connection.ask(exchange.method, request.target, None, self.transport.headers(request))
        return connection, number, exchange, clock

    def _take(self, key: selectors.SelectorKey) -> tuple[int, Exchange]:
        """Read an answer that has begun to come, and let its connection go on."""
        connection, number, exchange, clock = cast("_Asked", key.data)
        response = connection.answer()
        exchange.set_response_head(response.status, response.reason, response.getheaders())
        wrong = exchange.status >= ERROR or exchange.status in ELSEWHERE
        if unasked := not_asked(exchange):
            raise unasked
        exchange.body = _body(response, wrong)
        exchange.received = len(exchange.body)
        exchange.seconds = time.perf_counter() - clock
        if wrong:
            raise engine_error(exchange)
        if self.left and not response.will_close and connection.sock is not None:
            self.selector.modify(key.fileobj, key.events, self._ask(connection))
            return number, exchange
        self.selector.unregister(key.fileobj)
        self.open.remove(connection)
        connection.close()
        if self.left:
            self._connect()
        return number, exchange


def _body(response: http.client.HTTPResponse, wrong: bool) -> bytes:
    """Read the body of an answer, of one that is an error only the beginning."""
    try:
        return response.read(ERROR_BYTES) if wrong else response.read()
    except (ValueError, OverflowError, MemoryError):  # of a size that is none
        raise StreamBroken(BROKEN) from None
