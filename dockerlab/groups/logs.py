"""How `logs` reads: to the end, or following."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from dockerlab.groups.following import Following
from dockerlab.protocol.streams import Line, frames, lines, unframed

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab.lab import Lab
    from dockerlab.transport.transport import Response

__all__ = ["Follow", "read_log"]

#: So many bytes are read at once, if they are there.
BLOCK = 1 << 20
#: From so many bytes on a log is long; a piece is small that is shorter than this; what comes in a moment fits into a
#: socket's buffer, which holds some 250 lines.
LONG, SMALL, MOMENT_SECONDS = 1 << 17, 1 << 15, 0.0002


def read_log(
    lab: Lab,
    operation: str,
    asked: dict[str, Any],
    *,
    tty: bool,
    text: bool,
    limit: float | None,
    timeout: float | None,
) -> pd.DataFrame | Follow:
    """Ask for a log, of a container, a service or a task: its table, or with `follow` an iterator of its lines."""
    from dockerlab.tables.log import read_log_table

    answer = lab.open(operation, timeout=timeout, **asked)
    timestamps = bool(asked.get("timestamps"))
    if asked.get("follow"):
        return Follow(answer, tty=tty, timestamps=timestamps, limit=limit, timeout=timeout)
    with answer:
        return read_log_table(_unhurried(answer.chunks(BLOCK)), tty=tty, timestamps=timestamps, text=text)


def _unhurried(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the pieces of a log that is read whole, and wait a moment after each small one of a long log.

    An engine writes line by line: if it wakes nobody for each of them, it is done a fifth sooner (measured).
    """
    have = 0
    for chunk in chunks:
        yield chunk
        have += len(chunk)
        if have > LONG and len(chunk) < SMALL:
            time.sleep(MOMENT_SECONDS)


def _read(chunks: Iterable[bytes], *, tty: bool, timestamps: bool) -> Iterator[Line]:
    return lines(unframed(chunks) if tty else frames(chunks), timestamps=timestamps, tty=tty)


class Follow(Following[Line]):
    """The lines of a log, as they are written.

    Each is a `Line`: `time` (text), `stream`, `data` (bytes), `message` (text). It ends with the container, too.
    """

    def __init__(
        self, answer: Response, *, tty: bool, timestamps: bool, limit: float | None = None, timeout: float | None = None
    ) -> None:
        """Follow an answer whose headers were read."""
        super().__init__(
            answer,
            lambda chunks: _read(chunks, tty=tty, timestamps=timestamps),
            limit=limit,
            timeout=timeout,
            table=partial(_log_table, timestamps),
        )

    def __repr__(self) -> str:
        """Give one line."""
        return f"<Follow the log of {self._source.exchange.arguments.get('id')}>"


def _log_table(timestamps: bool, found: list[Line]) -> pd.DataFrame:
    from dockerlab.tables.log import log_table

    return log_table(found, timestamps=timestamps)
