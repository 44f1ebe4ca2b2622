"""http.client's response, with two additions: it detects an early end, and it closes itself at its end.

Chunked bodies are read by `fast_paths`, all others by http.client.
"""

from __future__ import annotations

import http.client
from typing import Any

from dockerlab.protocol import fast_paths

__all__ = ["HttpResponse"]

#: The size of a read if the caller names none.
BLOCK = 1 << 18
#: http.client limits the number of headers, but not how often an engine may send 100 Continue before.
MAX_LINES = 1000


class HttpResponse(http.client.HTTPResponse):
    """A response of http.client that raises IncompleteRead if the head or the body ends too early."""

    _chunks: fast_paths.ChunkReader | None = None

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._request_method = method

    def begin(self) -> None:
        """Read the head of the response. Raises IncompleteRead if the connection ends within it."""
        headers: Any = self.headers  # None before the first call, although its type does not say so
        if headers is not None or not hasattr(self, "fp"):  # fp is undocumented, and a new Python may lack it
            super().begin()
            return
        if fast_paths.can_read_head(self):
            fast_paths.read_head(self, self._request_method)
        else:
            self._read_head()
        lengths = self.headers.get_all("Content-Length", [])
        if len({length.strip() for value in lengths for length in value.split(",")}) > 1:
            raise http.client.HTTPException("lengths that contradict each other")
        self._chunks = fast_paths.chunk_reader(self)

    def _read_head(self) -> None:
        """Read the head as http.client does. Raises IncompleteRead if the connection ends within it."""
        head = _HeadReader(self.fp)
        self.fp: Any = head
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = head.source
        if head.last_line not in fast_paths.LINE_ENDS:  # http.client takes the end of the connection for one
            raise http.client.IncompleteRead(b"")

    def read1(self, n: int = -1) -> bytes:
        """Read at most n bytes of those that have arrived; return none at the end. Raises IncompleteRead."""
        if self.isclosed() or not n:
            return b""
        if self._chunks is None:
            return self._checked(super().read1(n))
        data = self._chunks.read(n if n > 0 else BLOCK)
        if not data:
            self.close()
        return data

    def _checked(self, data: bytes) -> bytes:
        """Close the response if its body is complete. Raises IncompleteRead if it can't become complete any more."""
        if self.length == 0:
            self.close()
        elif not data and self.length:
            raise http.client.IncompleteRead(b"", self.length)
        return data

    def read(self, amt: int | None = None) -> bytes:
        """Read n bytes, or all. Raises IncompleteRead."""
        if self._chunks is None or self.isclosed():
            return super().read(amt)
        parts: list[bytes] = []
        remaining = -1 if amt is None or amt < 0 else amt
        while remaining and (data := self.read1(remaining)):
            parts.append(data)
            remaining -= len(data) if remaining > 0 else 0
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer as much as has arrived."""
        if self._chunks is None or self.isclosed():
            return super().readinto(buffer)
        data = self.read1(len(memoryview(buffer)))
        memoryview(buffer)[: len(data)] = data
        return len(data)


class _HeadReader:
    """Passes the lines of a head to http.client, and remembers the last one."""

    def __init__(self, source: Any) -> None:
        self.source, self._remaining = source, MAX_LINES
        self.last_line = b""

    def readline(self, limit: int) -> bytes:
        self.last_line = self.source.readline(limit)
        self._remaining -= 1
        if self._remaining < 0:
            raise http.client.HTTPException(f"a head of more than {MAX_LINES} lines")
        return bytes(self.last_line)

    def close(self) -> None:
        self.source.close()
