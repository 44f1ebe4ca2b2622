"""The part of a Lab that groups, widgets and the recorder use, as protocols.

They are written against these, so that they don't depend on the Lab, which itself loads the groups.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint
    from dockerlab.protocol.exchange import Exchange

__all__ = ["Caller", "Connection", "Response"]


class Response(Protocol):
    """A response whose headers were read and whose body was not."""

    exchange: Exchange

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Yield the bytes as they arrive."""

    def patience(self, seconds: float | None) -> None:
        """Set how long to wait for the next bytes; None is no limit."""

    def close(self) -> None: ...


class Connection(Response, Protocol):
    """A hijacked connection: it also takes the input of attach or exec."""

    def write(self, data: bytes, timeout: float | None = None) -> None: ...

    def close_write(self) -> None:
        """End the input; reading goes on."""


class Caller(Protocol):
    """Whatever makes requests to one engine: a Lab, or what a test puts in its place."""

    endpoint: Endpoint
    timeout: float
    version: str

    def __init__(self, endpoint: Endpoint, *, timeout: float = 60.0) -> None:
        """Connect to an engine. `type(caller)(caller.endpoint)` is a second, independent connection to the same one."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def call(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Exchange:
        """Make one request and read the whole response."""

    def open(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Response:
        """Make one request and read the headers of its response."""

    def gathering(
        self, operation: str, arguments: list[dict[str, Any]], /, *, timeout: float | None = None
    ) -> Generator[Exchange]:
        """Make several requests of one operation at once, and yield their exchanges in order."""

    def hijack(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Connection:
        """Make a request whose connection then carries bytes both ways."""

    def close(self) -> None: ...
