"""Whatever goes wrong after the status is sent becomes the last line of the response."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from dockerlab.engine.api.progress import progress_response
from dockerlab.engine.faults import NotFound


def read(error: Exception) -> list[dict[str, Any]]:
    """Return the lines of a response whose second line can't be made."""

    def lines() -> Iterator[dict[str, Any]]:
        yield {"status": "begun"}
        raise error

    async def chunks() -> list[bytes]:
        response = progress_response(lines())
        assert response.status == 200
        assert response.chunks is not None
        return [chunk async for chunk in response.chunks]

    return [json.loads(chunk) for chunk in asyncio.run(chunks())]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NotFound("no such image"), "no such image"),
        (OSError(28, "No space left on device"), "no space left on device"),
    ],
)
def test_an_error_is_the_last_line(error: Exception, message: str) -> None:
    assert read(error) == [{"status": "begun"}, {"errorDetail": {"message": message}, "error": message}]


@pytest.mark.parametrize(
    "error", [KeyError("secret"), ValueError("secret"), RecursionError("secret"), AssertionError("secret"), EOFError()]
)
def test_the_text_of_an_unexpected_exception_is_not_sent(error: Exception) -> None:
    begin, last = read(error)
    assert begin == {"status": "begun"}
    assert last["error"] == last["errorDetail"]["message"]
    assert last["error"]
    assert "secret" not in last["error"]
    assert type(error).__name__ not in last["error"]
