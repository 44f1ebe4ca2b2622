"""Runs iterators that read files or registries in threads, so that other clients don't wait meanwhile.

When the client goes away, the iterator ends before its next block.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from dockerlab.engine.common.cancellable_threads import check_cancelled, run_cancellable

__all__ = ["blocks_in_thread", "documents_in_thread"]

BATCH_BYTES = 1 << 18


async def blocks_in_thread(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the blocks, about a quarter of a megabyte at a time: a switch to a thread costs more than a small read."""

    def read_batch() -> bytes:
        batch, size = [], 0
        while size < BATCH_BYTES and (block := next(blocks, None)) is not None:
            check_cancelled()
            batch.append(block)
            size += len(block)
        return b"".join(batch)

    try:
        while data := await run_cancellable(read_batch):
            yield data
    finally:
        await run_cancellable(_close, blocks)


async def documents_in_thread(documents: Iterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """Yield the documents one by one."""
    end: dict[str, Any] = {}
    try:
        while (document := await run_cancellable(next, documents, end)) is not end:
            yield document
    finally:
        await run_cancellable(_close, documents)


def _close(iterator: Iterator[Any]) -> None:
    """Let a generator remove what it has made; another iterator has nothing to close."""
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
