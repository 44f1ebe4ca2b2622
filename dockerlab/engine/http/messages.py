"""A request as a handler sees it, and the answers that it may give."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from dockerlab.engine.faults import Fault
from dockerlab.engine.http import bodies

if TYPE_CHECKING:
    from dockerlab.engine.http.hijacked import Duplex
    from dockerlab.protocol.operations import Operation

__all__ = ["Answer", "Request", "done", "json_answer", "json_lines", "stream", "text_answer"]

FALSE = {"", "0", "no", "false", "none"}


@dataclass(slots=True)
class Request:
    """One request: its operation, and its parameters by the names of the API."""

    operation: Operation
    version: tuple[int, ...]
    path: dict[str, str]
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = b""
    upload: IO[bytes] | None = None  #: the body of an operation that takes a tar, as a file at its beginning

    @property
    def id(self) -> str:
        """The object that it is about: `{id}` or `{name}` of the path."""
        return next(iter(self.path.values()))

    def text(self, name: str, default: str = "") -> str:
        """Give a query parameter as text; of several the first, as Go does."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str, default: bool = False) -> bool:
        """Give a query parameter as yes or no; Docker takes every word but a few for yes."""
        return self.text(name).strip().lower() not in FALSE if name in self.query else default

    def number(self, name: str) -> int | None:
        """Give a query parameter as a whole number. Raises Fault in Go's words: Docker answers 500 here."""
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise Fault(f'strconv.Atoi: parsing "{text}": invalid syntax') from None

    def json(self) -> dict[str, Any]:
        """Give the JSON body. Raises BadParameter."""
        return bodies.read(self.operation, self.headers.get("content-type", ""), self.body)


@dataclass(slots=True)
class Answer:
    """One answer: a status with a whole body, with chunks that are sent as they come, or a connection taken over.

    `hijack` gets the connection after the headers; when it returns, the connection is closed.
    """

    status: int
    body: bytes = b""
    content_type: str = ""
    chunks: AsyncIterator[bytes] | None = None
    hijack: Callable[[Duplex], Awaitable[None]] | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


def json_answer(value: Any, status: int = 200) -> Answer:
    """Answer with JSON. The content type is this word alone: the docker CLI compares it as a whole."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Answer(status, text.encode("utf-8", "replace") + b"\n", "application/json")


def text_answer(text: str, status: int) -> Answer:
    """Answer with plain text, as Go's HTTP server does by itself."""
    return Answer(
        status, f"{text}\n".encode(), "text/plain; charset=utf-8", headers=[("X-Content-Type-Options", "nosniff")]
    )


def done(changed: bool = True) -> Answer:
    """Answer 204, or 304 if nothing had to be changed."""
    return Answer(204 if changed else 304)


def stream(chunks: AsyncIterator[bytes], content_type: str) -> Answer:
    """Answer with chunks."""
    return Answer(200, content_type=content_type, chunks=chunks)


async def _lines(documents: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    async for document in documents:
        yield json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\r\n"


def json_lines(documents: AsyncIterator[Any]) -> Answer:
    """Answer with one JSON document a line, as they come: how pull, push, load and build tell their progress."""
    return stream(_lines(documents), "application/json")
