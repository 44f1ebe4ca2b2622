"""Responses that report progress, one JSON document per line: pull, push, load, import and build."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from dockerlab.engine.api.run_in_thread import documents_in_thread
from dockerlab.engine.faults import Fault
from dockerlab.engine.http.messages import Response, json_lines_response

__all__ = ["error_line", "progress_response"]

Record = dict[str, Any]


def progress_response(lines: Iterator[Record]) -> Response:
    """Return a response whose lines are made in a thread. The status is sent already: a fault becomes the last line."""
    return json_lines_response(_lines_or_error(lines))


async def _lines_or_error(lines: Iterator[Record]) -> AsyncIterator[Record]:
    try:
        async for line in documents_in_thread(lines):
            yield line
    except Fault as fault:
        yield error_line(str(fault))


def error_line(message: str, **detail: Any) -> Record:
    """Return the line that reports an error; `detail` stands before the message in `errorDetail`."""
    return {"errorDetail": {**detail, "message": message}, "error": message}
