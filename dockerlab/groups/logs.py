"""How `lab.container.logs` reads: to the end, or following."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dockerlab.errors import EngineTimeout
from dockerlab.streams import Line, frames, lines, unframed

if TYPE_CHECKING:
    from dockerlab.transport import Answer

__all__ = ["Follow", "read"]


def read(answer: Answer, *, tty: bool, timestamps: bool) -> Iterator[Line]:
    """Read the lines of a log; a container with a TTY sends them without frames."""
    return _read(answer.chunks(1 << 20), tty=tty, timestamps=timestamps)


def _read(chunks: Iterable[bytes], *, tty: bool, timestamps: bool) -> Iterator[Line]:
    return lines(unframed(chunks) if tty else frames(chunks), timestamps=timestamps, tty=tty)


class _LimitReached(Exception):
    """The time that the user gave is over."""


class Follow:
    """The lines of a log, as they are written. Iterate over it; close it, or use it in `with`.

    Each is a `Line`: `time` (text), `stream`, `data` (bytes), `message` (text). It ends with the container, when it
    is closed, or after `limit` seconds. Silence of `timeout` seconds raises EngineTimeout; without a timeout it may
    be silent for ever.
    """

    def __init__(
        self, answer: Answer, *, tty: bool, timestamps: bool, limit: float | None = None, timeout: float | None = None
    ) -> None:
        """Follow an answer whose headers were read."""
        self._answer = answer
        self._timeout = timeout
        self._end = None if limit is None else time.monotonic() + limit
        self._lines = _read(self._chunks(), tty=tty, timestamps=timestamps)

    def __enter__(self) -> Follow:
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def __del__(self) -> None:
        """Close it when nobody holds it any more."""
        self.close()

    def __repr__(self) -> str:
        """Give one line."""
        return f"<Follow the log of {self._answer.exchange.arguments.get('id')}>"

    def __iter__(self) -> Iterator[Line]:
        """Give itself."""
        return self

    def __next__(self) -> Line:
        """Wait for the next line."""
        try:
            return next(self._lines)
        except _LimitReached:
            self.close()
            raise StopIteration from None
        except BaseException:
            self.close()
            raise

    def _chunks(self) -> Iterator[bytes]:
        """Read, and wait no longer than the limit leaves time."""
        chunks = self._answer.chunks()
        while True:
            left = None if self._end is None else self._end - time.monotonic()
            if left is not None and left <= 0:
                raise _LimitReached
            waits = [seconds for seconds in (left, self._timeout) if seconds is not None]
            self._answer.patience(min(waits, default=None))
            try:
                chunk = next(chunks, None)
            except EngineTimeout:
                if left is None or time.monotonic() < (self._end or 0):
                    raise
                raise _LimitReached from None
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Stop following. May be called more than once."""
        self._lines = iter(())
        self._answer.close()
