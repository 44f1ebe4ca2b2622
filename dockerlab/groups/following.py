"""A response that has no end, as an iterator over its records that can be closed at any time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

from dockerlab.errors import DockerlabError, EngineTimeout

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.protocol.caller import Connection, Response

__all__ = ["Following"]

T = TypeVar("T")


class _LimitReached(Exception):
    """The `limit` of a Following is over."""


class Following(Generic[T]):
    """Records, as they arrive. Iterate over it with `for` or `async for`; close it, or use it in `with`.

    It ends with the engine's response, when it is closed, or after `limit` seconds. Silence of `timeout` seconds
    raises EngineTimeout; without a timeout it waits for ever. It is closed by any exception, including Ctrl-C, and
    when it is garbage-collected. `table(n)` returns the next n records, or all remaining ones, as a DataFrame.
    """

    def __init__(
        self,
        source: Response | Connection,
        records: Callable[[Iterator[bytes]], Iterator[T]],
        *,
        limit: float | None = None,
        timeout: float | None = None,
        table: Callable[[list[T]], pd.DataFrame] | None = None,
    ) -> None:
        """Follow `source`; `records` splits its bytes into records, `table` builds a DataFrame from a list of them."""
        self._source = source
        end = None if limit is None else time.monotonic() + limit
        self._table = table
        self._records = records(_chunks(source, end, timeout))

    def __enter__(self) -> Following[T]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_source"):
            self.close()

    def __repr__(self) -> str:
        exchange = self._source.exchange
        return f"<{type(self).__name__} {exchange.method} {exchange.target}>"

    def __iter__(self) -> Following[T]:
        return self

    def __next__(self) -> T:
        try:
            return next(self._records)
        except _LimitReached:
            self.close()
            raise StopIteration from None
        except BaseException:
            self.close()
            raise

    def __aiter__(self) -> Following[T]:
        return self

    async def __anext__(self) -> T:
        """Wait for the next record in a thread, so that other tasks go on. Cancelling the task closes the iterator."""
        end = object()
        try:
            record = await asyncio.to_thread(next, self, end)
        except asyncio.CancelledError:
            self.close()  # wakes the thread, which is waiting for bytes
            raise
        if record is end:
            raise StopAsyncIteration
        return record  # type: ignore[return-value]

    def table(self, n: int | None = None) -> pd.DataFrame:
        """Wait for the next n records, or for all remaining ones, and return them as a DataFrame."""
        if self._table is None:
            raise DockerlabError("These records can't be made into a table: iterate over them.")
        return self._table(list(islice(self, n)))

    def close(self) -> None:
        """Stop. Any thread may call this, and more than once."""
        self._records = iter(())
        self._source.close()


def _chunks(source: Response | Connection, end: float | None, timeout: float | None) -> Iterator[bytes]:
    """Yield chunks until `end`, never waiting longer than that or `timeout`.

    This is a function without a reference to the Following: a reference cycle would keep an abandoned connection open
    until the garbage collector runs.
    """
    chunks = source.chunks()
    while True:
        remaining = None if end is None else end - time.monotonic()
        if remaining is not None and remaining <= 0:
            raise _LimitReached
        source.patience(min([seconds for seconds in (remaining, timeout) if seconds is not None], default=None))
        try:
            chunk = next(chunks, None)
        except EngineTimeout:
            if remaining is None or time.monotonic() < (end or 0):
                raise
            raise _LimitReached from None
        if chunk is None:
            return
        yield chunk
