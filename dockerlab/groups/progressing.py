"""How pull, push, build and load are read: as a table of what they told, with a bar meanwhile, or as an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dockerlab.errors import OperationFailed
from dockerlab.groups.export import progress_bar
from dockerlab.streams import json_lines
from dockerlab.tables.image import progress_table

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab import Lab

__all__ = ["Show", "progressing"]

Show = bool | Callable[[int], Any] | None


def progressing(
    lab: Lab, operation: str, show: Show, title: str, *, timeout: float | None, **asked: Any
) -> pd.DataFrame:
    """Make a request whose answer tells its progress; `show` is called with the bytes so far, True shows a bar.

    Raises OperationFailed if the engine tells of an error after its answer has begun; its `table` has what was told.
    """
    call = progress_bar(show, title)
    records: list[dict[str, Any]] = []
    done: dict[str, int] = {}
    with lab.open(operation, timeout=timeout, **asked) as answer:
        for record in json_lines(answer.chunks()):
            if not isinstance(record, dict):
                continue
            records.append(record)
            detail = record.get("progressDetail")
            current = detail.get("current") if isinstance(detail, dict) else None
            if call and isinstance(current, int):
                done[str(record.get("id"))] = current
                call(sum(done.values()))
    table = progress_table(records)
    failed = table["error"].dropna()
    if len(failed):
        raise OperationFailed(answer.exchange, str(failed.iloc[-1]), table)
    getattr(call, "finish", lambda: None)()
    return table
