"""The wire log: the latest exchanges of a Lab, within fixed bounds of count and size."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.protocol.exchange import Exchange

__all__ = ["Wire"]

#: The most exchanges in the log, the most bytes of each body, and the most bytes of all bodies together.
MAX_EXCHANGES, MAX_BODY_BYTES, MAX_TOTAL_BYTES = 500, 1 << 20, 64 << 20


class Wire:
    """The latest exchanges, the oldest first.

    The log stays small: at most 500 exchanges, and fewer if their bodies are long. When the next exchange arrives,
    a body over 1 MiB is cut to its first MiB; a reference to the exchange itself still has the whole body.
    """

    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque()
        self._sizes: deque[int] = deque()  # without the last exchange, whose response may still be arriving
        self._total_bytes = 0
        self._lock = threading.Lock()

    def append(self, exchange: Exchange) -> None:
        """Add an exchange, and drop the oldest ones that exceed the bounds."""
        with self._lock:
            if self._exchanges:
                last = self._exchanges[-1] = self._exchanges[-1].shortened(MAX_BODY_BYTES)
                self._sizes.append(len(last.body) + len(last.request_body))
                self._total_bytes += self._sizes[-1]
            self._exchanges.append(exchange)
            while len(self._exchanges) > MAX_EXCHANGES or (
                self._total_bytes > MAX_TOTAL_BYTES and len(self._exchanges) > 1
            ):
                self._exchanges.popleft()
                self._total_bytes -= self._sizes.popleft()

    def __len__(self) -> int:
        return len(self._exchanges)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(list(self._exchanges))

    @overload
    def __getitem__(self, index: int) -> Exchange: ...
    @overload
    def __getitem__(self, index: slice) -> list[Exchange]: ...
    def __getitem__(self, index: int | slice) -> Exchange | list[Exchange]:
        return list(self._exchanges)[index] if isinstance(index, slice) else self._exchanges[index]

    def __repr__(self) -> str:
        return f"<Wire {len(self)} exchanges>"

    def table(self) -> pd.DataFrame:
        """Return one row per exchange.

        Columns: `started` (datetime, UTC), `operation`, `method`, `path` (str), `status` (Int64),
        `duration_seconds` (float), `request_bytes`, `response_bytes` (Int64).
        """
        import pandas as pd

        rows = [
            (e.started, e.operation.id, e.method, e.target, e.status, e.seconds, len(e.request_body), e.received)
            for e in self._exchanges
        ]
        names = ["started", "operation", "method", "path", "status", "duration_seconds"]
        table = pd.DataFrame(rows, columns=[*names, "request_bytes", "response_bytes"])
        table["started"] = pd.to_datetime(table["started"], utc=True)
        whole_numbers = dict.fromkeys(("status", "request_bytes", "response_bytes"), "Int64")
        return table.astype({**whole_numbers, "duration_seconds": "float64"})
