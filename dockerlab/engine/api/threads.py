"""Reads what takes time in a thread, so that other clients don't wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

__all__ = ["threaded"]

GATHERED = 1 << 18


async def threaded(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Give blocks that are read in a thread, a quarter of a megabyte at a time."""

    def gather() -> bytes:
        parts, size = [], 0
        while size < GATHERED and (block := next(blocks, None)) is not None:
            parts.append(block)
            size += len(block)
        return b"".join(parts)

    while data := await asyncio.to_thread(gather):
        yield data
