"""Holds every JSON answer of an engine that a test sees against the facts of the Engine API.

It listens in http.client, beneath every client that tests have: theirs, dockerlab's and requests. What is wrong is
told at the end of the test in which it was seen (tests/conftest.py).
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import answers

__all__ = ["Judge", "listening"]

SPEC = Path(__file__).resolve().parents[1] / "spec"
LONGEST = 4 << 20  #: bytes; what is longer is a stream of a kind that has no facts
OLDEST = "1.41"


@functools.cache
def spec() -> tuple[Any, Any]:
    """Give the validator, and the kinds of answers."""
    sys.path.insert(0, str(SPEC))
    try:
        import kinds
        import validate
    finally:
        sys.path.remove(str(SPEC))
    return validate, kinds


class Judge:
    """What was seen: how many answers, and what was wrong with them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seen = 0
        self.problems: list[str] = []

    def look(self, method: str, url: str, version: str, status: int, body: bytes) -> None:
        """Judge one whole answer."""
        validate, kinds = spec()
        if url.startswith("/v1."):
            version = url[2:].partition("/")[0]
        version = max(version, OLDEST, key=validate.number)
        try:
            name = validate.find_operation(version, (method, url))
        except LookupError:
            return  # no operation: an error that is asked for on purpose
        row = validate.facts(version)["operations"][name]
        stream = kinds.kind(name, row)[0] == kinds.LINES and status < http.client.BAD_REQUEST
        try:
            records = list(documents(body)) if stream else [json.loads(body)]
        except ValueError as error:
            self.problems.append(f"{method} {url}: {status}: no JSON: {error}: {body[:200]!r}")
            return
        self.seen += 1
        if status < http.client.MULTIPLE_CHOICES:
            answers.keep(name, records if stream else records[0])
        for record in records:
            found = validate.validate(version, name, status, record)
            self.problems += [f"{method} {url}: {status}: {one}" for one in found]


def documents(body: bytes) -> Iterator[Any]:
    """Read JSON documents that follow one another. Raises ValueError."""
    decoder, text, place = json.JSONDecoder(), body.decode("utf-8"), 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        found, place = decoder.raw_decode(text, place)
        yield found


@contextlib.contextmanager
def listening() -> Iterator[Judge]:
    """Listen for a while; give the judge."""
    judge = Judge()
    connection = http.client.HTTPConnection
    putrequest, getresponse = connection.putrequest, connection.getresponse

    def asking(self: Any, method: str, url: str, *arguments: Any, **options: Any) -> None:
        self.judged = method, url
        putrequest(self, method, url, *arguments, **options)

    def answering(self: Any) -> Any:
        answer = getresponse(self)
        version = answer.headers.get("Api-Version")
        if version and answer.headers.get("Content-Type") == "application/json":
            method, url = self.judged
            _follow(answer, lambda body: judge.look(method, url, version, answer.status, body))
        return answer

    connection.putrequest, connection.getresponse = asking, answering  # type: ignore[method-assign]
    try:
        yield judge
    finally:
        connection.putrequest, connection.getresponse = putrequest, getresponse  # type: ignore[method-assign]


def _follow(answer: Any, whole: Callable[[bytes], None]) -> None:
    """Keep what is read of an answer, and give it away once it has come to its end."""
    kept, told = bytearray(), False

    def took(data: bytes) -> bytes:
        nonlocal told
        if len(kept) <= LONGEST:
            kept.extend(data)
        if answer.isclosed() and not told:
            told = True
            if kept and len(kept) <= LONGEST:
                whole(bytes(kept))
        return data

    def watched(read: Callable[..., bytes]) -> Callable[..., bytes]:
        return lambda *arguments: took(read(*arguments))

    for name in ("read", "read1", "readline"):
        setattr(answer, name, watched(getattr(answer, name)))
    readinto = answer.readinto

    def into(buffer: Any) -> int:
        count: int = readinto(buffer)
        took(bytes(memoryview(buffer)[:count]))
        return count

    answer.readinto = into
