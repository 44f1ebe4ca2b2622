"""What the groups have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.tables.build import done_table, object_table

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab import Lab

__all__ = ["Group"]


class Group:
    """Methods for the operations of one tag. One method is one request."""

    def __init__(self, lab: Lab) -> None:
        """Send requests through `lab`."""
        self._lab = lab

    def __repr__(self) -> str:
        """Name the methods."""
        names = [name for name in vars(type(self)) if not name.startswith("_")]
        return f"<{type(self).__name__}: {', '.join(names)}>"

    def _object(self, operation: str, **arguments: Any) -> pd.DataFrame:
        """Ask for one object: a long table of `field` and `value`."""
        return object_table(self._lab.call(operation, **arguments).json())

    def _done(self, operation: str, **arguments: Any) -> pd.DataFrame:
        """Ask for something to be done: one row of what was asked, `status`, `changed`."""
        return done_table(self._lab.call(operation, **arguments))
