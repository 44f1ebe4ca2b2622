"""A hijacked connection: bytes flow both ways, and each side may end its own direction first."""

from __future__ import annotations

import asyncio
import contextlib
import select

__all__ = ["HijackedConnection"]

BLOCK = 1 << 16
POLL_SECONDS = 0.5


class HijackedConnection:
    """Reads what a client sends and writes to it. `early` holds bytes that arrived together with the request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes = b"") -> None:
        self._reader = reader
        self._writer = writer
        self._early = early

    async def read(self) -> bytes:
        """Return some bytes; an empty result means that the client has ended its direction."""
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            return await self._reader.read(BLOCK)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send bytes, and wait while the client is behind. Raises ConnectionError if the client is gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Return when the client has closed both directions; after closing only its own it may still be reading."""
        connected = self._writer.get_extra_info("socket")
        poller = select.poll()
        poller.register(connected.fileno(), 0)  # without events, poll reports only POLLHUP and errors
        while not poller.poll(0):
            await asyncio.sleep(POLL_SECONDS)

    def end(self) -> None:
        """End the engine's direction: the client reads the end, and may still send."""
        with contextlib.suppress(OSError, NotImplementedError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
