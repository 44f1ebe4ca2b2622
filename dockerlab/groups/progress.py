"""How pull, push, build and load are read: as a table of what they told, shown live meanwhile, or as an error."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from dockerlab.errors import OperationFailed
from dockerlab.protocol.advice import hint
from dockerlab.protocol.streams import json_lines
from dockerlab.tables.image import progress_table

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab.lab import Lab

__all__ = ["Show", "Showing", "in_notebook", "progressing"]


class Showing(Protocol):
    """What shows each record when it comes, and is told how it ended: `dockerlab.widgets.Steps` is one."""

    def record(self, record: Any) -> None:
        """Take what was told."""

    def finish(self) -> None:
        """Say that it went well."""

    def fail(self, why: str) -> None:
        """Say that it did not."""


#: None shows it in a notebook, True also in a terminal, False nowhere; or who is to show it, or is called with the
#: bytes so far.
Show = bool | Showing | Callable[[int], Any] | None


def progressing(
    lab: Lab, operation: str, show: Show, title: str, *, timeout: float | None, **asked: Any
) -> pd.DataFrame:
    """Make a request whose answer tells its progress; `show` says who is told meanwhile, and how.

    Raises OperationFailed if the engine tells of an error after its answer has begun; its `table` has what was told.
    """
    showing = _showing(show, title)
    records: list[dict[str, Any]] = []
    try:
        with lab.open(operation, timeout=timeout, **asked) as answer:
            for record in json_lines(answer.chunks()):
                if isinstance(record, dict):
                    records.append(record)
                    showing.record(record)
        table = progress_table(records)
        failed = table["error"].dropna()
        if len(failed):
            raise OperationFailed(answer.exchange, str(failed.iloc[-1]), table, hint(operation))
    except BaseException as error:
        showing.fail(str(error) or type(error).__name__)
        raise
    showing.finish()
    return table


def in_notebook() -> bool:
    """Tell whether a Jupyter kernel runs this, whose pages may show widgets; IPython in a terminal is none."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    return hasattr(shell, "kernel")


def _showing(show: Show, title: str) -> Showing:
    """Give who shows it: what was handed over, a live view in a notebook, lines in a terminal, or nobody."""
    if hasattr(show, "record"):
        return show  # type: ignore[return-value]
    if callable(show):
        return _Counted(show)
    if show is False or (show is None and not in_notebook()):
        return _Counted(None)
    # widgets are a room above this one, and loaded only for who sees them
    room: Any = importlib.import_module("dockerlab.widgets.progress_steps")
    made: Showing = room.shown(title) if in_notebook() else room.Printed(title)
    return made


class _Counted:
    """Calls with the bytes so far, as for a download."""

    def __init__(self, call: Callable[[int], Any] | None) -> None:
        self._call = call
        self._done: dict[str, int] = {}

    def record(self, record: Any) -> None:
        """Add up what is done of each layer."""
        detail = record.get("progressDetail")
        current = detail.get("current") if isinstance(detail, dict) else None
        if self._call and isinstance(current, int):
            self._done[str(record.get("id"))] = current
            self._call(sum(self._done.values()))

    def finish(self) -> None:
        """Tell a bar that it has come to its end."""
        getattr(self._call, "finish", lambda: None)()

    def fail(self, why: str) -> None:
        """Leave a bar where it is: the error says the rest."""
