"""What did my cells do? The exchanges of a lesson that asked the engine to change something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import pandas

    from dockerlab.protocol.exchange import Exchange

NOT_MODIFIED, FIRST_ERROR = 304, 400
CHANGING = {"POST", "PUT", "DELETE", "PATCH"}
#: They are POSTs, and change nothing.
LOOKING_ON = {"ContainerWait"}


def story(wire: Iterable[Exchange]) -> pandas.DataFrame:
    """Make the table of a lesson's changes, in their order.

    Columns: `operation` (text), `object` (the name it was about), `status` (Int64), `changed` (boolean: False for
    304 and for every refusal). The index counts from 1. Ids are written as the names that they belong to.
    """
    import pandas as pd

    names: dict[str, str] = {}
    rows = []
    for exchange in wire:
        _learn(exchange, names)
        if exchange.method in CHANGING and exchange.operation.id not in LOOKING_ON:
            rows.append((exchange.operation.id, _about(exchange, names), exchange.status, _changed(exchange.status)))
    table = pd.DataFrame(rows, columns=["operation", "object", "status", "changed"])
    table.index = pd.RangeIndex(1, len(rows) + 1)
    return table.astype({"operation": "str", "object": "str", "status": "Int64", "changed": "boolean"})


def _changed(status: int) -> bool:
    return status < FIRST_ERROR and status != NOT_MODIFIED


def _learn(exchange: Exchange, names: dict[str, str]) -> None:
    """Remember which id a created container's name belongs to."""
    if exchange.operation.id == "ContainerCreate" and _changed(exchange.status):
        answer: dict[str, Any] = exchange.json()
        names[answer["Id"]] = _query(exchange).get("name", "")


def _about(exchange: Exchange, names: dict[str, str]) -> str:
    """Name the object of an exchange: from its query when it makes one, otherwise from its path."""
    named = _query(exchange).get("name")
    if named:
        return named
    wanted = next((part for part in exchange.operation.parameters if part.place == "path"), None)
    given = str((exchange.arguments or {}).get(wanted.argument, "")) if wanted else ""
    return next((name for identity, name in names.items() if given and identity.startswith(given)), given)


def _query(exchange: Exchange) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(exchange.target).query).items()}
