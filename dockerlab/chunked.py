"""Answers that come in many small chunks, read many chunks at once.

A log comes with one chunk of HTTP a line, and http.client reads chunks one by one: a million lines would wait for a
million reads. `Chunked` is http.client's answer with a quicker way through; what is read is the same.
"""

from __future__ import annotations

import functools
import http.client
from collections.abc import Callable
from typing import Any

__all__ = ["Chunked"]

END = b"\r\n"
#: So much is read at once where nobody says how much; longer than that no chunk's head is.
BLOCK, LONGEST_HEAD = 1 << 18, 1 << 16


class Chunked(http.client.HTTPResponse):
    """An answer of http.client; where it comes in chunks, `read` and `read1` take apart all that are here."""

    def begin(self) -> None:
        """Read the head of the answer."""
        super().begin()
        self._chunks = _Chunks(self.fp.read1) if self.chunked and self.fp is not None else None

    def read1(self, n: int = -1) -> bytes:
        """Read what is here, at most n bytes; nothing at the end. Raises IncompleteRead if it ends before that."""
        if self._chunks is None or self.fp is None or not n:
            return super().read1(n)
        data = self._chunks.read(n if n > 0 else BLOCK)
        if not data:
            self.close()
        return data

    def read(self, amt: int | None = None) -> bytes:
        """Read n bytes, or all. Raises IncompleteRead if it ends before that."""
        if self._chunks is None or self.fp is None:
            return super().read(amt)
        parts: list[bytes] = []
        left = -1 if amt is None or amt < 0 else amt
        while left and (data := self.read1(left)):
            parts.append(data)
            left -= len(data) if left > 0 else 0
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, as much as is here."""
        if self._chunks is None or self.fp is None:
            return super().readinto(buffer)
        data = self.read1(len(memoryview(buffer)))
        memoryview(buffer)[: len(data)] = data
        return len(data)


class _Chunks:
    """Bytes with the marks of chunks in, bytes without them out."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._rest = b""  # the beginning of a head, or of the end
        self._left = 0  # of a chunk that is not here as a whole, with the line's end after it
        self._ended = False

    def read(self, size: int) -> bytes:
        """Give at most so many bytes: what one read brings, or more reads if that brings heads alone."""
        while not self._ended:
            data = self._read(max(size - len(self._rest), 1))
            if not data:
                raise http.client.IncompleteRead(b"")
            if found := self._apart(self._rest + data if self._rest else data):
                return found
        return b""

    def _apart(self, data: bytes) -> bytes:
        """Take bytes apart; what can't be read yet is kept."""
        parts: list[bytes] = []
        have, place, self._rest = len(data), 0, b""
        if self._left:
            place = self._go_on(data, parts)
        while place < have:
            end = data.find(END, place)
            if end < 0 or (length := _length(data[place:end])) == 0:
                self._rest = data[place:]
                self._look_for_end(end >= 0)
                break
            start, stop = end + 2, end + 2 + length
            parts.append(data[start:stop])
            place = stop + 2
            if place > have:
                self._left = place - have
                break
            if data[stop:place] != END:
                raise http.client.HTTPException("a chunk is longer than its head says")
        return b"".join(parts)

    def _go_on(self, data: bytes, parts: list[bytes]) -> int:
        """Take what was missing of a chunk, of which the last two bytes are no content; give where the next begins."""
        parts.append(data[: max(self._left - 2, 0)])
        taken = min(self._left, len(data))
        self._left -= taken
        return taken

    def _look_for_end(self, last: bool) -> None:
        """See whether the last chunk is here as a whole: its head, lines that may follow, an empty one."""
        if last and END + END in self._rest:
            self._ended = True
        elif len(self._rest) > LONGEST_HEAD:
            raise http.client.LineTooLong("chunk size")


@functools.lru_cache(maxsize=1024)  # lines are often as long as one before
def _length(head: bytes) -> int:
    """Read a chunk's length, before what may follow it. Raises HTTPException for what is none."""
    try:
        length = int(head if head.isalnum() else head.partition(b";")[0].strip(), 16)
    except ValueError:
        raise http.client.HTTPException("a chunk has no length") from None
    if length < 0:
        raise http.client.HTTPException("a chunk has no length")
    return length
