"""How `logs` reads: to the end, or following."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from dockerlab.groups.following import Following
from dockerlab.streams import Line, frames, lines, unframed

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab import Lab
    from dockerlab.transport import Answer

__all__ = ["Follow", "read", "read_log"]

#: So many bytes are read at once, if they are there.
BLOCK = 1 << 20


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
    from dockerlab.tables.log import read_log_table  # noqa: PLC0415  (pandas: only who asks for a table)

    answer = lab.open(operation, timeout=timeout, **asked)
    timestamps = bool(asked.get("timestamps"))
    if asked.get("follow"):
        return Follow(answer, tty=tty, timestamps=timestamps, limit=limit, timeout=timeout)
    with answer:
        return read_log_table(answer.chunks(BLOCK), tty=tty, timestamps=timestamps, text=text)


def read(answer: Answer, *, tty: bool, timestamps: bool) -> Iterator[Line]:
    """Read the lines of a log; a container with a TTY sends them without frames."""
    return _read(answer.chunks(BLOCK), tty=tty, timestamps=timestamps)


def _read(chunks: Iterable[bytes], *, tty: bool, timestamps: bool) -> Iterator[Line]:
    return lines(unframed(chunks) if tty else frames(chunks), timestamps=timestamps, tty=tty)


class Follow(Following[Line]):
    """The lines of a log, as they are written.

    Each is a `Line`: `time` (text), `stream`, `data` (bytes), `message` (text). It ends with the container, too.
    """

    def __init__(
        self, answer: Answer, *, tty: bool, timestamps: bool, limit: float | None = None, timeout: float | None = None
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
    from dockerlab.tables.log import log_table  # noqa: PLC0415  (pandas: only who asks for a table)

    return log_table(found, timestamps=timestamps)
