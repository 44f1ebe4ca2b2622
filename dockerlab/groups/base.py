"""What the groups have in common."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any

from dockerlab.groups.following import Following
from dockerlab.protocol.streams import json_lines
from dockerlab.tables.build import array_table, done_table, object_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from dockerlab.lab.lab import Lab
    from dockerlab.protocol.exchange import Exchange
    from dockerlab.tables.build import Column

__all__ = ["Group", "as_lists", "base64_of"]


def as_lists(asked: dict[str, Any]) -> dict[str, Any]:
    """Write as lists what the API wants as lists: one word as a command, an environment given as a dict."""
    for words in ("cmd", "entrypoint"):
        if isinstance(asked.get(words), str):
            asked[words] = [asked[words]]
    if isinstance(asked["env"], dict):
        asked["env"] = [key if value is None else f"{key}={value}" for key, value in asked["env"].items()]
    return asked


def base64_of(data: str | bytes | None) -> str | None:
    """Write what is in a secret or a config as the API wants it."""
    if data is None:
        return None
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


class Group:
    """Methods for the operations of one tag. One method is one request."""

    def __init__(self, lab: Lab) -> None:
        """Send requests through `lab`."""
        self._lab = lab

    def __repr__(self) -> str:
        """Name the methods."""
        names = [name for name in dir(type(self)) if not name.startswith("_")]
        return f"<{type(self).__name__}: {', '.join(names)}>"

    def _asked(self, operation: str, **arguments: Any) -> Any:
        """Ask, and read the answer as JSON. Raises StreamBroken if it is none: something else has answered."""
        return self._lab.call(operation, **arguments).json()

    def _array(self, columns: Sequence[Column], operation: str, **arguments: Any) -> pd.DataFrame:
        """Ask for a list of objects: one row each."""
        return array_table(columns, self._asked(operation, **arguments))

    def _object(self, operation: str, **arguments: Any) -> pd.DataFrame:
        """Ask for one object: a long table of `field` and `value`."""
        return object_table(self._asked(operation, **arguments))

    def _done(self, operation: str, **arguments: Any) -> pd.DataFrame:
        """Ask for something to be done: one row of what was asked, `status`, `changed`."""
        return done_table(self._lab.call(operation, **arguments))

    def _each(
        self, operation: str, asked: list[dict[str, Any]], read: Callable[[Exchange], Any], timeout: float | None
    ) -> list[Any]:
        """Ask many times at once, and read each answer while the engine makes others."""
        with contextlib.closing(self._lab.gathering(operation, asked, timeout=timeout)) as found:
            return [read(exchange) for exchange in found]

    def _documents(
        self,
        operation: str,
        table: Callable[[list[Any]], pd.DataFrame],
        *,
        limit: float | None,
        timeout: float | None,
        **arguments: Any,
    ) -> Following[Any]:
        """Ask for JSON documents that come one after the other without an end: an iterator of them."""
        answer = self._lab.open(operation, timeout=timeout, **arguments)
        return Following(answer, json_lines, limit=limit, timeout=timeout, table=table)
