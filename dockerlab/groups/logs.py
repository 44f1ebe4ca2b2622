"""How `lab.container.logs` reads: to the end, or following."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dockerlab.errors import EngineTimeout
from dockerlab.streams import Line, frames, lines, unframed

if TYPE_CHECKING:
    from dockerlab.transport import Answer

__all__ = ["Follow", "read"]


def read(answer: Answer, *, tty: bool, timestamps: bool) -> Iterator[Line]:
    """Read the lines of an answer; a container with a TTY sends them without frames."""
    chunks = answer.chunks(1 << 20)
    return lines(unframed(chunks) if tty else frames(chunks), timestamps=timestamps)


class Follow:
    """The lines of a log, as they are written. Iterate over it; close it, or use it in `with`.

    Each is a `Line`: `time` (text), `stream`, `data` (bytes), `message` (text). It ends with the container, when it
    is closed, or after `limit` seconds: the limit is looked at when a line comes, and when nothing came for a while.
    """

    def __init__(self, answer: Answer, *, tty: bool, timestamps: bool, limit: float | None = None) -> None:
        """Follow an answer whose headers were read."""
        self._answer = answer
        self._lines = read(answer, tty=tty, timestamps=timestamps)
        self._end = None if limit is None else time.monotonic() + limit

    def __enter__(self) -> Follow:
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def __del__(self) -> None:
        """Close it when nobody holds it any more."""
        self.close()

    def __iter__(self) -> Iterator[Line]:
        """Give itself."""
        return self

    def __next__(self) -> Line:
        """Wait for the next line."""
        if self._end is not None and time.monotonic() >= self._end:
            self.close()
            raise StopIteration
        try:
            return next(self._lines)
        except EngineTimeout:
            self.close()
            if self._end is not None:  # silence until the limit is an end, not an error
                raise StopIteration from None
            raise

    def close(self) -> None:
        """Stop following. May be called more than once."""
        self._answer.close()
