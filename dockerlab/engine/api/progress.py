"""Responses that report progress, one JSON document per line: pull, push, load, import and build."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from dockerlab.engine.api.run_in_thread import documents_in_thread
from dockerlab.engine.faults import Fault, message_of
from dockerlab.engine.http.messages import Response, json_lines_response

__all__ = ["error_line", "failure_line", "progress_response"]

Record = dict[str, Any]
log = logging.getLogger("dockerlab.engine")


def progress_response(lines: Iterator[Record]) -> Response:
    """Return a response whose lines are made in a thread.

    The status is sent before the first line. So whatever goes wrong afterwards becomes the last line.
    """
    return json_lines_response(_lines_or_error(lines))


async def _lines_or_error(lines: Iterator[Record]) -> AsyncIterator[Record]:
    try:
        async with aclosing(documents_in_thread(lines)) as documents:  # type: ignore[type-var]
            async for line in documents:
                yield line
    except Exception as error:
        yield failure_line(error)


def failure_line(error: Exception, **detail: Any) -> Record:
    """Return the line that reports an exception, and log it unless it is a fault."""
    if not isinstance(error, Fault):
        log.error("a response ended early", exc_info=error)
    return error_line(message_of(error), **detail)


def error_line(message: str, **detail: Any) -> Record:
    """Return the line that reports an error; `detail` stands before the message in `errorDetail`."""
    return {"errorDetail": {**detail, "message": message}, "error": message}
