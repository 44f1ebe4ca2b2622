"""A request as a handler sees it, and the answers that it may give."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from dockerlab.engine.bodies import check
from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from dockerlab.engine.duplex import Duplex
    from dockerlab.operations import Operation

__all__ = ["Answer", "Request", "done", "json_answer", "json_lines", "stream"]

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
        """Give a query parameter as text."""
        return self.query.get(name, [default])[-1]

    def flag(self, name: str, default: bool = False) -> bool:
        """Give a query parameter as yes or no; Docker takes every word but a few for yes."""
        return self.text(name).strip().lower() not in FALSE if name in self.query else default

    def number(self, name: str) -> int | None:
        """Give a query parameter as a whole number. Raises BadParameter in Go's words, as Docker does."""
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise BadParameter(f'strconv.Atoi: parsing "{text}": invalid syntax') from None

    def json(self) -> dict[str, Any]:
        """Give the JSON body. Raises BadParameter."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise BadParameter(f"Content-Type specified ({kind}) must be 'application/json'")
        try:
            value = json.loads(self.body)
        except ValueError:
            raise BadParameter(_unreadable(self.body)) from None
        if not isinstance(value, dict):
            raise BadParameter("the body is not a JSON object")
        check(self.operation, value)
        return value


def _unreadable(body: bytes) -> str:
    """Say in Go's words, as Docker does, why a body is not JSON."""
    begin = body.decode("utf-8", "replace").strip()[:1]
    if not begin:
        return "EOF"
    return "unexpected EOF" if begin in '{["' else f"invalid character '{begin}' looking for beginning of value"


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
