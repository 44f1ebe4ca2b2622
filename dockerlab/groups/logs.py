"""Reading a log: to its end as a table, or line by line while it is written."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from dockerlab.groups.following import Following
from dockerlab.protocol.streams import Line, frames, lines, unframed

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.protocol.caller import Caller, Response

__all__ = ["Follow", "read_log"]

#: The most bytes to read at once.
BLOCK = 1 << 20
#: A log of more bytes than LONG is long, a chunk of fewer than SMALL is small. After MOMENT_SECONDS the engine has
#: filled the socket's buffer, which holds some 250 lines.
LONG, SMALL, MOMENT_SECONDS = 1 << 17, 1 << 15, 0.0002
#: No log needs more pauses, except where each chunk is one line, and there pauses save nothing.
MAX_PAUSES = 10_000


def read_log(
    lab: Caller,
    operation: str,
    *,
    tty: bool,
    text: bool,
    limit: float | None,
    timeout: float | None,
    **arguments: Any,
) -> pd.DataFrame | Follow:
    """Read the log of a container, a service or a task: a table, or with `follow` an iterator over its lines."""
    from dockerlab.tables.log import read_log_table

    response = lab.open(operation, timeout=timeout, **arguments)
    timestamps = bool(arguments.get("timestamps"))
    if arguments.get("follow"):
        return Follow(response, tty=tty, timestamps=timestamps, limit=limit, timeout=timeout)
    with response:
        return read_log_table(_with_pauses(response.chunks(BLOCK)), tty=tty, timestamps=timestamps, text=text)


def _with_pauses(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks, and pause a moment after each small one of a long log.

    An engine writes line by line. If it does not have to wake a reader for each line, it finishes a fifth sooner, as
    measured.
    """
    size, pauses = 0, 0
    for chunk in chunks:
        yield chunk
        size += len(chunk)
        if size > LONG and len(chunk) < SMALL and pauses < MAX_PAUSES:
            pauses += 1
            time.sleep(MOMENT_SECONDS)


class Follow(Following[Line]):
    """The lines of a log, as they are written.

    Each is a `Line`: `time` (text), `stream`, `data` (bytes), `message` (text). The iterator also ends when the
    container stops.
    """

    def __init__(
        self,
        response: Response,
        *,
        tty: bool,
        timestamps: bool,
        limit: float | None = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__(
            response,
            partial(_lines, tty=tty, timestamps=timestamps),
            limit=limit,
            timeout=timeout,
            table=partial(_log_table, timestamps),
        )

    def __repr__(self) -> str:
        return f"<Follow the log of {self._source.exchange.arguments.get('id')}>"


def _lines(chunks: Iterable[bytes], *, tty: bool, timestamps: bool) -> Iterator[Line]:
    """Read lines; a container with a TTY sends its log without frames."""
    return lines(unframed(chunks) if tty else frames(chunks), timestamps=timestamps, tty=tty)


def _log_table(timestamps: bool, records: list[Line]) -> pd.DataFrame:
    from dockerlab.tables.log import log_table

    return log_table(records, timestamps=timestamps)
