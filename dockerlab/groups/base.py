"""What all groups share: sending a request, and turning its response into a table or an iterator."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from dockerlab.groups.following import Following
from dockerlab.protocol.streams import json_lines
from dockerlab.tables.build import array_table, object_table, outcome_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from dockerlab.protocol.caller import Caller
    from dockerlab.protocol.exchange import Exchange
    from dockerlab.tables.build import Column

__all__ = ["Group", "as_api_lists", "own_arguments"]


def own_arguments(scope: dict[str, Any], *excluded: str) -> dict[str, Any]:
    """Return a method's arguments by name, without `self` and the excluded ones.

    `scope` is the method's `locals()`, read in its first statement. Methods of operations with many parameters pass
    all of them on by name; listing each one twice more would only add places where one can be forgotten.
    """
    return {name: value for name, value in scope.items() if name not in ("self", *excluded)}


def as_api_lists(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with the lists that the API requires: a command of one word, and `env` given as a dict."""
    arguments = dict(arguments)
    for name in ("cmd", "entrypoint"):
        if isinstance(arguments.get(name), str):
            arguments[name] = [arguments[name]]
    if isinstance(env := arguments.get("env"), dict):
        arguments["env"] = [name if value is None else f"{name}={value}" for name, value in env.items()]
    return arguments


class Group:
    """Methods for the operations of one tag. One method is one request."""

    def __init__(self, lab: Caller) -> None:
        self._lab = lab

    def __repr__(self) -> str:
        names = [name for name in dir(type(self)) if not name.startswith("_")]
        return f"<{type(self).__name__}: {', '.join(names)}>"

    def _json(self, operation: str, **arguments: Any) -> Any:
        """Send a request and decode its JSON response. Raises StreamBroken if the response is not JSON."""
        return self._lab.call(operation, **arguments).json()

    def _array(self, columns: Sequence[Column], operation: str, **arguments: Any) -> pd.DataFrame:
        """Return a table of a response that is a list of objects: one row per object."""
        return array_table(columns, self._json(operation, **arguments))

    def _object(self, operation: str, **arguments: Any) -> pd.DataFrame:
        """Return the long table of a response that is one object: `field` and `value`."""
        return object_table(self._json(operation, **arguments))

    def _outcome(self, operation: str, **arguments: Any) -> pd.DataFrame:
        """Return one row for a response without a body: the operation, its object, `status`, `changed`."""
        return outcome_table(self._lab.call(operation, **arguments))

    def _gather(
        self,
        operation: str,
        arguments: list[dict[str, Any]],
        read: Callable[[Exchange], Any],
        timeout: float | None,
    ) -> list[Any]:
        """Send many requests concurrently, and read each response while the engine prepares the next ones."""
        with contextlib.closing(self._lab.gathering(operation, arguments, timeout=timeout)) as exchanges:
            return [read(exchange) for exchange in exchanges]

    def _follow_documents(
        self,
        operation: str,
        table: Callable[[list[Any]], pd.DataFrame],
        *,
        limit: float | None,
        timeout: float | None,
        **arguments: Any,
    ) -> Following[Any]:
        """Return an iterator over the JSON documents of a response that has no end."""
        response = self._lab.open(operation, timeout=timeout, **arguments)
        return Following(response, json_lines, limit=limit, timeout=timeout, table=table)
