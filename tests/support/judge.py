"""Checks every JSON response of an engine that a test receives against the facts of the Engine API.

It wraps http.client, which is beneath every client that tests use: the standard library's own, dockerlab's and
requests. tests/conftest.py fails the test that received a wrong response.

It also notes which operations an engine has answered, so that docs/coverage.md says where each was verified. With
`DOCKERLAB_VERIFIED=FILE` in the environment, the file gets one line per operation that succeeded in a test's Lab.
`python tests/support/generated_pages.py --verified FILE ENGINE` keeps them in tests/contract/verified.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import recordings

__all__ = ["Judge", "judging", "note_verified"]

SPEC = Path(__file__).resolve().parents[1] / "spec"
MAX_BYTES = 4 << 20  #: a longer response is a stream that has no facts, such as an archive
OLDEST = "1.41"


@functools.cache
def spec() -> tuple[Any, Any]:
    """Return the modules `validate` and `kinds` of tests/spec."""
    sys.path.insert(0, str(SPEC))
    try:
        import kinds
        import validate
    finally:
        sys.path.remove(str(SPEC))
    return validate, kinds


class Judge:
    """The number of responses that were checked, and what was wrong with them."""

    def __init__(self) -> None:
        self.count = 0
        self.problems: list[str] = []

    def check(self, method: str, url: str, version: str, status: int, body: bytes) -> None:
        """Check one whole response."""
        validate, kinds = spec()
        if url.startswith("/v1."):
            version = url[2:].partition("/")[0]
        version = max(version, OLDEST, key=validate.number)
        try:
            name = validate.find_operation(version, (method, url))
        except LookupError:
            return  # a test requests an unknown path on purpose
        row = validate.facts(version)["operations"][name]
        is_stream = kinds.kind(name, row)[0] == kinds.LINES and status < http.client.BAD_REQUEST
        try:
            records = list(documents(body)) if is_stream else [json.loads(body)]
        except ValueError as error:
            self.problems.append(f"{method} {url}: {status}: no JSON: {error}: {body[:200]!r}")
            return
        self.count += 1
        if status < http.client.MULTIPLE_CHOICES:
            recordings.record_response(name, records if is_stream else records[0])
        for record in records:
            problems = validate.validate(version, name, status, record)
            self.problems += [f"{method} {url}: {status}: {problem}" for problem in problems]


def documents(body: bytes) -> Iterator[Any]:
    """Yield the JSON documents of a body, in which one follows the other. Raises ValueError."""
    decoder, text, position = json.JSONDecoder(), body.decode("utf-8"), 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        document, position = decoder.raw_decode(text, position)
        yield document


@contextlib.contextmanager
def judging() -> Iterator[Judge]:
    """Give a judge that checks every response while the block runs."""
    judge = Judge()
    connection = http.client.HTTPConnection
    putrequest, getresponse = connection.putrequest, connection.getresponse

    def remember_request(self: Any, method: str, url: str, *arguments: Any, **options: Any) -> None:
        self.judged_request = method, url
        putrequest(self, method, url, *arguments, **options)

    def watch_response(self: Any) -> Any:
        response = getresponse(self)
        version = response.headers.get("Api-Version")
        if version and response.headers.get("Content-Type") == "application/json":
            method, url = self.judged_request
            _collect(response, lambda body: judge.check(method, url, version, response.status, body))
        return response

    connection.putrequest, connection.getresponse = remember_request, watch_response  # type: ignore[method-assign]
    try:
        yield judge
    finally:
        connection.putrequest, connection.getresponse = putrequest, getresponse  # type: ignore[method-assign]


def _collect(response: Any, check: Callable[[bytes], None]) -> None:
    """Collect what a client reads of a response, and check it at its end."""
    body, is_checked = bytearray(), False

    def collect(data: bytes) -> bytes:
        nonlocal is_checked
        if len(body) <= MAX_BYTES:
            body.extend(data)
        if response.isclosed() and not is_checked:
            is_checked = True
            if body and len(body) <= MAX_BYTES:
                check(bytes(body))
        return data

    def collecting(read: Callable[..., bytes]) -> Callable[..., bytes]:
        return lambda *arguments: collect(read(*arguments))

    for name in ("read", "read1", "readline"):
        setattr(response, name, collecting(getattr(response, name)))
    readinto = response.readinto

    def readinto_and_collect(buffer: Any) -> int:
        count: int = readinto(buffer)
        collect(bytes(memoryview(buffer)[:count]))
        return count

    response.readinto = readinto_and_collect


def note_verified(exchanges: Iterable[Any]) -> None:
    """Append the operations that succeeded to DOCKERLAB_VERIFIED. One write lets several processes share the file."""
    target = os.environ.get("DOCKERLAB_VERIFIED")
    names = sorted({exchange.operation.id for exchange in exchanges if 0 < exchange.status < http.client.BAD_REQUEST})
    if target and names:
        with Path(target).open("a", encoding="utf-8") as file:
            file.write("".join(f"{name}\n" for name in names))
