"""The story of a lesson: the requests that asked the engine to change something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import pandas

    from dockerlab.protocol.exchange import Exchange

NOT_MODIFIED, FIRST_ERROR = 304, 400
CHANGING = {"POST", "PUT", "DELETE", "PATCH"}
#: Operations with the method POST that change nothing.
READ_ONLY = {"ContainerWait"}


def story(wire: Iterable[Exchange]) -> pandas.DataFrame:
    """Return the table of a lesson's changes, in their order.

    Columns: `operation` (text), `object` (the name of the object), `status` (Int64), `changed` (boolean: False for
    304 and for errors). The index counts from 1. Ids of containers are replaced by their names.
    """
    import pandas as pd

    names: dict[str, str] = {}
    rows = []
    for exchange in wire:
        _note_name(exchange, names)
        if exchange.method in CHANGING and exchange.operation.id not in READ_ONLY:
            rows.append(
                (exchange.operation.id, _object_name(exchange, names), exchange.status, _changed(exchange.status))
            )
    table = pd.DataFrame(rows, columns=["operation", "object", "status", "changed"])
    table.index = pd.RangeIndex(1, len(rows) + 1)
    return table.astype({"operation": "str", "object": "str", "status": "Int64", "changed": "boolean"})


def _changed(status: int) -> bool:
    return status < FIRST_ERROR and status != NOT_MODIFIED


def _note_name(exchange: Exchange, names: dict[str, str]) -> None:
    """Note the name of a created container by its id."""
    if exchange.operation.id == "ContainerCreate" and _changed(exchange.status):
        response: dict[str, Any] = exchange.json()
        names[response["Id"]] = _query(exchange).get("name", "")


def _object_name(exchange: Exchange, names: dict[str, str]) -> str:
    """Return the object's name from the query if the request creates it, or else the name or id in the path."""
    new_name = _query(exchange).get("name")
    if new_name:
        return new_name
    parameter = next((one for one in exchange.operation.parameters if one.place == "path"), None)
    reference = str((exchange.arguments or {}).get(parameter.argument, "")) if parameter else ""
    return next((name for full_id, name in names.items() if reference and full_id.startswith(reference)), reference)


def _query(exchange: Exchange) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(exchange.target).query).items()}
