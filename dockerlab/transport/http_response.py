"""http.client's answer with two quicker ways through; what is read is the same.

Its head is read without the parser of letters that http.client borrows, which takes a third of a small call's time, and
one that ends early is told from a whole one. And a log comes with one chunk of HTTP a line, which http.client reads one
by one: a million lines would wait for a million reads. Here all chunks that are there are taken apart at once.
"""

from __future__ import annotations

import functools
import http.client
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Chunked"]

END = b"\r\n"
WITHOUT_BODY = (http.client.NO_CONTENT, http.client.NOT_MODIFIED)
MOST_HEADERS = 100
#: So much is read at once where nobody says how much; longer than that no chunk's head is.
BLOCK, LONGEST_HEAD = 1 << 18, 1 << 16
#: From so many bytes on it is worth it to take chunks apart at once, whose lengths have at most so many digits.
MANY, DIGITS = 1 << 14, 4


class Chunked(http.client.HTTPResponse):
    """An answer of http.client; where it comes in chunks, `read` and `read1` take apart all that are here."""

    _chunks: _Chunks | None = None

    def begin(self) -> None:
        """Read the head of the answer. Raises IncompleteRead if it ends before that."""
        own: Any = self  # for what http.client keeps to itself
        if own.headers is not None:
            return
        version, status, reason = own._read_status()
        for _ in range(MOST_HEADERS):  # nobody waits for more than one of these
            if status == http.client.CONTINUE:
                _head(self.fp)
                version, status, reason = own._read_status()
        if not version.startswith("HTTP/"):
            raise http.client.UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.code, self.status, self.reason = status, status, reason.strip()
        self.headers = self.msg = _head(self.fp)
        self.chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        self.length = None if self.chunked else _content_length(self.headers)
        if status in WITHOUT_BODY or status < http.client.OK or own._method == "HEAD":
            self.length = 0
        self.will_close = own._check_close() or (self.length is None and not self.chunked)
        if self.chunked:
            self.chunk_left = None
            self._chunks = _Chunks(self.fp.read1)

    def read1(self, n: int = -1) -> bytes:
        """Read what is here, at most n bytes; nothing at the end. Raises IncompleteRead if it ends before that."""
        if self.fp is None or not n:
            return b""
        if self._chunks is None:
            return self._known(super().read1(n))
        data = self._chunks.read(n if n > 0 else BLOCK)
        if not data:
            self.close()
        return data

    def _known(self, data: bytes) -> bytes:
        """Let go of the connection when all of an answer of known length is here. Raises IncompleteRead if it ends."""
        if self.length == 0:
            self.close()
        elif not data and self.length:
            raise http.client.IncompleteRead(b"", self.length)
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


class _Headers(http.client.HTTPMessage):
    """The headers of an answer. urllib3 asks whether something came after them, which is not read here."""

    def get_payload(self, *arguments: Any, **named: Any) -> None:
        """Give nothing."""


def _head(source: Any) -> _Headers:
    """Read headers up to the empty line after them. Raises IncompleteRead if that doesn't come."""
    found: list[list[str]] = []
    while (line := source.readline(LONGEST_HEAD + 1)) not in (END, b"\n"):
        if not line.endswith(b"\n"):
            if len(line) > LONGEST_HEAD:
                raise http.client.LineTooLong("header line")
            raise http.client.IncompleteRead(b"")
        text = line.decode("iso-8859-1").rstrip("\r\n")
        name, colon, value = text.partition(":")
        if found and text[0] in " \t":  # an old way to write a long one
            found[-1][1] += f" {text.strip()}"
        elif colon and name.strip():
            found.append([name.strip(), value.strip()])
        if len(found) > MOST_HEADERS:
            raise http.client.HTTPException(f"got more than {MOST_HEADERS} headers")
    headers = _Headers()
    for name, value in found:
        headers[name] = value
    return headers


def _content_length(headers: _Headers) -> int | None:
    """Give the length that an answer says to have. Raises HTTPException if it says two."""
    told = {length.strip() for value in headers.get_all("Content-Length", []) for length in value.split(",")}
    if len(told) > 1:
        raise http.client.HTTPException("lengths that contradict each other")
    length = told.pop() if told else ""
    return int(length) if length.isascii() and length.isdigit() else None


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
        if have - place >= MANY and (numpy := sys.modules.get("numpy")) is not None:
            place = _even(numpy, data, place, parts)
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


def _even(numpy: Any, data: bytes, place: int, parts: list[bytes]) -> int:
    """Take out all chunks up to the first in which there is a line's end of HTTP; give where that begins.

    numpy does in one step what Python does chunk by chunk. It is not loaded for this: who makes tables has it.
    """
    seen = numpy.frombuffer(data, numpy.uint8)[place:]
    marks = numpy.flatnonzero((seen[:-1] == END[0]) & (seen[1:] == END[1]))
    tails = marks[1::2]
    heads = marks[0::2][: tails.size]
    starts = numpy.concatenate(([0], tails[:-1] + 2))[: tails.size]
    length, digits = numpy.zeros(tails.size, numpy.int64), heads - starts
    for nth in range(DIGITS):
        length = numpy.where(nth < digits, length * 16 + _digits(numpy)[seen[starts + nth]], length)
    good = (digits > 0) & (digits <= DIGITS) & (length > 0) & (length == tails - heads - 2)
    count = int(good.size if good.all() else good.argmin())
    if not count:
        return place
    keep = numpy.ones(int(tails[count - 1]) + 2, bool)
    for nth in range(DIGITS + 2):
        keep[numpy.minimum(starts[:count] + nth, heads[:count] + 1)] = False
    keep[tails[:count]] = keep[tails[:count] + 1] = False
    parts.append(seen[: keep.size][keep].tobytes())
    return place + int(keep.size)


@functools.cache
def _digits(numpy: Any) -> Any:
    """Give what each byte is worth as a digit; one that is none makes any number wrong."""
    values = numpy.full(256, -(1 << 40), numpy.int64)
    for digit in b"0123456789abcdefABCDEF":
        values[digit] = int(chr(digit), 16)
    return values


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
