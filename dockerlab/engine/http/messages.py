"""The request as a handler sees it, and the responses that a handler may return."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from dockerlab.engine.common import filters, timestamps
from dockerlab.engine.faults import Fault
from dockerlab.engine.http import bodies

if TYPE_CHECKING:
    from dockerlab.engine.http.hijacked import HijackedConnection
    from dockerlab.protocol.operations import Operation

__all__ = [
    "Request",
    "Response",
    "json_lines_response",
    "json_response",
    "json_stream_response",
    "no_content",
    "not_modified_unless",
    "stream_response",
    "text_response",
]

FALSE_WORDS = {"", "0", "no", "false", "none"}


@dataclass(slots=True)
class Request:
    """One request: its operation, and its parameters under the names of the API."""

    operation: Operation
    version: tuple[int, ...]
    path: dict[str, str]
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = b""
    upload: IO[bytes] | None = None  #: the body of an operation that takes a tar: a file, positioned at its beginning

    @property
    def id(self) -> str:
        """The id or name of the object: `{id}` or `{name}` in the path."""
        return next(iter(self.path.values()))

    def text(self, name: str, default: str = "") -> str:
        """Return a query parameter as text. If it is repeated, the first value counts, as in Go."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a query parameter as a boolean. Docker takes every word but a few for true."""
        return self.text(name).strip().lower() not in FALSE_WORDS if name in self.query else default

    def number(self, name: str) -> int | None:
        """Return a query parameter as an integer. Raises Fault in Go's words: Docker answers 500 here."""
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise Fault(f'strconv.Atoi: parsing "{text}": invalid syntax') from None

    def time(self, name: str) -> int:
        """Return a query parameter such as `since` in nanoseconds; 0 if it is missing. Raises Fault."""
        return timestamps.query_time(self.text(name))

    def filters(self) -> dict[str, list[str]]:
        """Return the query parameter `filters`: the values by the name of each filter. Raises BadParameter."""
        return filters.parse(self.text("filters"))

    def json(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raises BadParameter."""
        return bodies.read(self.operation, self.headers.get("content-type", ""), self.body)


@dataclass(slots=True)
class Response:
    """A status with one of three bodies: a complete one, chunks that are sent as they come, or a hijacked connection.

    `hijack` gets the connection after the headers; when it returns, the connection is closed.
    """

    status: int
    body: bytes = b""
    content_type: str = ""
    chunks: AsyncIterator[bytes] | None = None
    hijack: Callable[[HijackedConnection], Awaitable[None]] | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


def json_response(value: Any, status: int = 200) -> Response:
    """Return a JSON response. Its content type has no charset, because the docker CLI compares the whole header."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Response(status, text.encode("utf-8", "replace") + b"\n", "application/json")


def text_response(text: str, status: int) -> Response:
    """Return a plain text response, as Go's HTTP server writes it."""
    return Response(
        status, f"{text}\n".encode(), "text/plain; charset=utf-8", headers=[("X-Content-Type-Options", "nosniff")]
    )


def no_content() -> Response:
    """Return 204 No Content."""
    return Response(204)


def not_modified_unless(changed: bool) -> Response:
    """Return 204 No Content if the request changed something, and 304 Not Modified otherwise."""
    return Response(204 if changed else 304)


def stream_response(chunks: AsyncIterator[bytes], content_type: str) -> Response:
    """Return a response whose chunks are sent as they come."""
    return Response(200, content_type=content_type, chunks=chunks)


def json_stream_response(documents: AsyncIterator[Any]) -> Response:
    """Return a response with one JSON document per line, sent as they come: events and stats."""

    async def lines() -> AsyncIterator[bytes]:
        async for document in documents:
            yield json.dumps(document, separators=(",", ":")).encode() + b"\n"

    return stream_response(lines(), "application/json")


def json_lines_response(documents: AsyncIterator[Any]) -> Response:
    """Return a response with the progress of an operation: one JSON document per line, with CR LF as on Docker."""

    async def lines() -> AsyncIterator[bytes]:
        async with aclosing(documents):  # type: ignore[type-var]
            async for document in documents:
                text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
                yield text.encode("utf-8", "replace") + b"\r\n"

    return stream_response(lines(), "application/json")
