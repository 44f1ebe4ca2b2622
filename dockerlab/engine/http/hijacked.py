"""A connection that was hijacked: bytes both ways, and each side may end its own half first."""

from __future__ import annotations

import asyncio
import contextlib
import select

__all__ = ["Duplex"]

BLOCK = 1 << 16
LOOK_SECONDS = 0.5


class Duplex:
    """Reads what a client sends, beginning with what came together with its request, and writes to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes = b"") -> None:
        """Take over a connection."""
        self._reader = reader
        self._writer = writer
        self._early = early

    async def read(self) -> bytes:
        """Give some bytes; none when the client has ended its half."""
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            return await self._reader.read(BLOCK)
        except ConnectionError:
            return b""

    async def exactly(self, count: int) -> bytes:
        """Give so many bytes. Raises asyncio.IncompleteReadError if the client ends before."""
        have, self._early = self._early[:count], self._early[count:]
        return have + (await self._reader.readexactly(count - len(have)) if len(have) < count else b"")

    async def write(self, data: bytes) -> None:
        """Send bytes, and wait while the client is behind. Raises ConnectionError if it is gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Return when the client has closed both halves; one that has only ended its own may still be reading."""
        handle = self._writer.get_extra_info("socket")
        poller = select.poll()
        poller.register(handle.fileno(), 0)
        while not poller.poll(0):
            await asyncio.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """End our half: the client reads the end, and may still send."""
        with contextlib.suppress(OSError, NotImplementedError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
