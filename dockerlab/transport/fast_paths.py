"""Where the transport leaves the plain way of a library for a faster one. There is one such place.

Each place saves at least a quarter of the CPU time of a whole task; a smaller saving is not worth code that a new
release may break. Each says what it saves and which undocumented names it uses. Where these are missing, the plain way
does the same work, only more slowly, and `test_fast_paths.py` says which name has disappeared. The tables have one such
place for pandas, in `tables/build.py`.

1. `chunk_reader`: an engine sends each line of a log as one HTTP chunk, and http.client reads chunks one by one. Here
   all chunks that have arrived are separated at once. CPU seconds of the client with it and without it:

       a log of 100 MB, a million lines, as a table              0.70   1.70   saves 59 %
       the same log, line by line                                0.99   3.33   saves 70 %
       5,000 events, one by one                                  0.014  0.029  saves 51 %
"""

from __future__ import annotations

import functools
import http.client
from collections.abc import Callable
from typing import Any

__all__ = ["UNDOCUMENTED", "ChunkReader", "chunk_reader"]

#: The undocumented names of http.client that the fast path needs: a new Python may lack them.
UNDOCUMENTED = ("HTTPConnection.response_class", "HTTPResponse.begin", "HTTPResponse.chunked", "HTTPResponse.fp")
END = b"\r\n"
#: No chunk's header is longer than this.
MAX_HEADER = 1 << 16
#: Splitting many chunks at once pays from so many bytes on. After a longer chunk than this, bytes are not copied again.
WORTH_SPLITTING, LONG_CHUNK = 1 << 9, 1 << 13


def chunk_reader(response: http.client.HTTPResponse) -> ChunkReader | None:
    """Return a reader for the body of a chunked response, or None if http.client has to read it."""
    source: Any = getattr(response, "fp", None)
    if not getattr(response, "chunked", False) or not hasattr(source, "read1"):
        return None
    return ChunkReader(source.read1, source.readline)


class ChunkReader:
    """Turns chunked bytes into their content."""

    def __init__(self, read: Callable[[int], bytes], readline: Callable[[int], bytes]) -> None:
        """`read(size)` must return at most `size` bytes of those that have arrived, `readline(limit)` a line."""
        self._read, self._readline = read, readline
        self._pending = b""  # the beginning of a chunk's header, or of the trailer
        self._missing = 0  # bytes of an incomplete chunk that are still to come, its line end included
        self._last_was_long = False
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes of content: what one read brings, or more reads if they bring only headers.

        Raises IncompleteRead if the bytes end before the last chunk, HTTPException if they are not chunks.
        """
        while not self._ended:
            data = self._next_part(size) if self._last_was_long else self._read(max(size - len(self._pending), 1))
            if not data:
                raise http.client.IncompleteRead(b"")
            if content := self._content(self._pending + data if self._pending else data):
                return content
        return b""

    def _next_part(self, size: int) -> bytes:
        """Read only a header, or only content of one chunk.

        So the content of long chunks is not copied once more: an export of 300 MB takes a fifth less time.
        """
        missing_content = self._missing - len(END)
        return self._read(min(size, missing_content)) if missing_content > 0 else self._readline(MAX_HEADER)

    def _content(self, data: bytes) -> bytes:
        """Return the content of all chunks in `data`, and store what is incomplete."""
        parts: list[bytes] = []
        size, position, self._pending = len(data), 0, b""
        if self._missing:
            position = self._continue_chunk(data, parts)
        if size - position >= WORTH_SPLITTING:
            position += _split(data[position:], parts)
        while position < size:
            end = data.find(END, position)
            if end < 0 or (length := _length(data[position:end])) == 0:
                self._pending = data[position:]
                self._look_for_end(is_last_chunk=end >= 0)
                break
            start, stop = end + len(END), end + len(END) + length
            parts.append(data[start:stop])
            position, self._last_was_long = stop + len(END), length > LONG_CHUNK
            if position > size:
                self._missing = position - size
                break
            if data[stop:position] != END:
                raise http.client.HTTPException("a chunk is longer than its header says")
        return b"".join(parts)

    def _continue_chunk(self, data: bytes, parts: list[bytes]) -> int:
        """Append the rest of an incomplete chunk, without its line end, and return the position after it."""
        parts.append(data[: max(self._missing - len(END), 0)])
        position = min(self._missing, len(data))
        self._missing -= position
        return position

    def _look_for_end(self, *, is_last_chunk: bool) -> None:
        """Check whether the last chunk is complete: its header, optional trailers, an empty line."""
        if is_last_chunk and END + END in self._pending:
            self._ended = True
        elif len(self._pending) > MAX_HEADER:
            raise http.client.LineTooLong("chunk size")


def _split(data: bytes, parts: list[bytes]) -> int:
    """Append the contents of all complete chunks up to the first that contains a line end; return their size in `data`.

    Between line ends, headers and contents alternate. These few operations on whole lists replace a loop over chunks.
    """
    pieces = data.split(END)
    pieces.pop()  # whatever follows the last line end may be incomplete
    contents = pieces[1::2]
    headers = pieces[0::2][: len(contents)]
    lengths, announced = list(map(len, contents)), list(map(_plain_length, headers))
    if lengths != announced:
        pairs = enumerate(zip(lengths, announced, strict=True))
        first_wrong = next(number for number, (length, expected) in pairs if length != expected)
        del contents[first_wrong:], headers[first_wrong:]
    parts += contents
    return sum(map(len, headers)) + sum(map(len, contents)) + 2 * len(END) * len(contents)


@functools.lru_cache(maxsize=1024)  # lines often have the same length
def _plain_length(header: bytes) -> int | None:
    """Return the length of a chunk with content, or None if its header has anything else."""
    try:
        return (int(header, 16) or None) if header.isalnum() else None
    except ValueError:
        return None


@functools.lru_cache(maxsize=1024)
def _length(header: bytes) -> int:
    """Return a chunk's length; extensions may follow it. Raises HTTPException if there is none."""
    try:
        length = int(header if header.isalnum() else header.partition(b";")[0].strip(), 16)
    except ValueError:
        raise http.client.HTTPException("a chunk has no length") from None
    if length < 0:
        raise http.client.HTTPException("a chunk has no length")
    return length
