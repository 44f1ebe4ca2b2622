"""Requests that report progress, such as pull and build: it is shown live, and returned as a table or an error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from dockerlab.errors import OperationFailed
from dockerlab.protocol.advice import hint
from dockerlab.protocol.streams import json_lines
from dockerlab.tables.image import progress_table

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.protocol.caller import Caller

__all__ = ["Progress", "ProgressView", "call_with_progress", "in_notebook"]


class ProgressView(Protocol):
    """Shows each record as it arrives, and the end of the request. `dockerlab.widgets.Steps` is one."""

    def record(self, record: Any) -> None:
        """Show a record."""

    def finish(self) -> None:
        """Show that the request succeeded."""

    def fail(self, why: str) -> None:
        """Show that the request failed, and why."""


#: The values of a `progress` argument. None shows progress in a notebook, True also in a terminal, False nowhere.
#: A view shows it itself; a function is called with the number of bytes transferred so far.
Progress = bool | ProgressView | Callable[[int], Any] | None


def call_with_progress(
    lab: Caller, operation: str, progress: Progress, title: str, *, timeout: float | None, **arguments: Any
) -> pd.DataFrame:
    """Send a request, show its progress as `progress` says, and return the table of all its records.

    Raises OperationFailed if the engine reports an error after its response has begun; `table` has the records.
    """
    view = _view(progress, title)
    records: list[dict[str, Any]] = []
    try:
        with lab.open(operation, timeout=timeout, **arguments) as response:
            for record in json_lines(response.chunks()):
                if isinstance(record, dict):
                    records.append(record)
                    view.record(record)
        table = progress_table(records)
        errors = table["error"].dropna()
        if len(errors):
            raise OperationFailed(response.exchange, str(errors.iloc[-1]), table, hint(operation))
    except BaseException as error:
        view.fail(str(error) or type(error).__name__)
        raise
    view.finish()
    return table


def in_notebook() -> bool:
    """Return whether this process is a Jupyter kernel, whose pages can show widgets; a terminal's IPython is not.

    IPython is looked up among the loaded modules, because importing it would take longer than most requests.
    """
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    return hasattr(shell, "kernel")


def _view(progress: Progress, title: str) -> ProgressView:
    if hasattr(progress, "record"):
        return progress  # type: ignore[return-value]
    if callable(progress):
        return _ByteCount(progress)
    if progress is False or (progress is None and not in_notebook()):
        return _NoView()
    from dockerlab.widgets import progress_steps

    return progress_steps.display_steps(title) if in_notebook() else progress_steps.PrintedSteps(title)


class _NoView:
    """Shows nothing."""

    def record(self, record: Any) -> None:
        pass

    def finish(self) -> None:
        pass

    def fail(self, why: str) -> None:
        pass


class _ByteCount:
    """Calls a function with the bytes transferred so far, summed over all layers, as a download does."""

    def __init__(self, callback: Callable[[int], Any]) -> None:
        self._callback = callback
        self._bytes_by_layer: dict[str, int] = {}

    def record(self, record: Any) -> None:
        detail = record.get("progressDetail")
        current = detail.get("current") if isinstance(detail, dict) else None
        if isinstance(current, int):
            self._bytes_by_layer[str(record.get("id"))] = current
            self._callback(sum(self._bytes_by_layer.values()))

    def finish(self) -> None:
        getattr(self._callback, "finish", lambda: None)()

    def fail(self, why: str) -> None:
        """Leave a bar where it is: the error that is raised says the rest."""
