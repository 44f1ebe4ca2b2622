"""What an answer without an end becomes: an iterator of records, which can be closed at any time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from dockerlab.errors import DockerlabError, EngineTimeout

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.protocol.exchange import Exchange

__all__ = ["Following", "Source"]

T = TypeVar("T")


class Source(Protocol):
    """Where the bytes come from: an answer that is still to be read, or a connection that was taken over."""

    exchange: Exchange

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Give the bytes as they come."""

    def patience(self, seconds: float | None) -> None:
        """Wait no longer than that for the next bytes."""

    def close(self) -> None:
        """Let it go."""


class _LimitReached(Exception):
    """The time that the user gave is over."""


class Following(Generic[T]):
    """Records as they come. Iterate over it with `for` or `async for`; close it, or use it in `with`.

    It ends with the engine's answer, when it is closed, or after `limit` seconds. Silence of `timeout` seconds raises
    EngineTimeout; without a timeout it may be silent for ever. An exception, Ctrl-C among them, closes it, and so does
    Python when nobody holds it any more. `table(n)` gives the next n records, or all that still come, as a DataFrame.
    """

    def __init__(
        self,
        source: Source,
        records: Callable[[Iterator[bytes]], Iterator[T]],
        *,
        limit: float | None = None,
        timeout: float | None = None,
        table: Callable[[list[T]], pd.DataFrame] | None = None,
    ) -> None:
        """Follow a source; `records` takes its bytes apart, `table` makes a DataFrame of records."""
        self._source = source
        end = None if limit is None else time.monotonic() + limit
        self._table = table
        self._records = records(_chunks(source, end, timeout))

    def __enter__(self) -> Following[T]:
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def __del__(self) -> None:
        """Close it when nobody holds it any more."""
        if hasattr(self, "_source"):
            self.close()

    def __repr__(self) -> str:
        """Give one line."""
        exchange = self._source.exchange
        return f"<{type(self).__name__} {exchange.method} {exchange.target}>"

    def __iter__(self) -> Following[T]:
        """Give itself."""
        return self

    def __next__(self) -> T:
        """Wait for the next record."""
        try:
            return next(self._records)
        except _LimitReached:
            self.close()
            raise StopIteration from None
        except BaseException:
            self.close()
            raise

    def __aiter__(self) -> Following[T]:
        """Give itself."""
        return self

    async def __anext__(self) -> T:
        """Wait for the next record in a thread, so that other tasks go on; a cancelled task closes it."""
        nothing = object()
        try:
            found = await asyncio.to_thread(next, self, nothing)
        except asyncio.CancelledError:
            self.close()  # and the thread, which waits for bytes, wakes up
            raise
        if found is nothing:
            raise StopAsyncIteration
        return found  # type: ignore[return-value]

    def table(self, n: int | None = None) -> pd.DataFrame:
        """Wait for the next n records, or for all that still come, and give them as a DataFrame."""
        if self._table is None:
            raise DockerlabError("There is no table of these records: iterate over them.")
        return self._table(list(islice(self, n)))

    def close(self) -> None:
        """Stop. May be called more than once, and by another thread than the one that waits."""
        self._records = iter(())
        self._source.close()


def _chunks(source: Source, end: float | None, timeout: float | None) -> Iterator[bytes]:
    """Read, and wait no longer than the limit leaves time.

    It doesn't know who follows: a ring of two would be let go by the collector only, and in any order.
    """
    chunks = source.chunks()
    while True:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise _LimitReached
        source.patience(min([seconds for seconds in (left, timeout) if seconds is not None], default=None))
        try:
            chunk = next(chunks, None)
        except EngineTimeout:
            if left is None or time.monotonic() < (end or 0):
                raise
            raise _LimitReached from None
        if chunk is None:
            return
        yield chunk
