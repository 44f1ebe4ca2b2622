"""Runs iterators that read files or registries in threads, so that other clients don't wait meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

__all__ = ["blocks_in_thread", "documents_in_thread"]

BATCH_BYTES = 1 << 18


async def blocks_in_thread(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the blocks, about a quarter of a megabyte at a time: a switch to a thread costs more than a small read."""

    def read_batch() -> bytes:
        batch, size = [], 0
        while size < BATCH_BYTES and (block := next(blocks, None)) is not None:
            batch.append(block)
            size += len(block)
        return b"".join(batch)

    while data := await asyncio.to_thread(read_batch):
        yield data


async def documents_in_thread(documents: Iterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """Yield the documents one by one."""
    end: dict[str, Any] = {}
    while (document := await asyncio.to_thread(next, documents, end)) is not end:
        yield document
