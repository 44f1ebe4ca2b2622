"""Builds DataFrames out of JSON: fixed columns, true dtypes also when empty, `<NA>` for what is missing.

dtypes are pandas' own and the same whatever is installed beside it: `string[python]`, `Int64`, `Float64`,
`boolean`, `datetime64[ns, UTC]`, and `object` for lists and dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from dockerlab.exchange import Exchange

__all__ = ["TEXT", "TIME", "Column", "array_table", "done_table", "frame", "moments", "object_table"]

TEXT, WHOLE, YES_NO, TIME, PLAIN = "text", "Int64", "boolean", "time", "object"
NOT_MODIFIED = 304
#: What engines send for "never".
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, where its value is in the JSON, its dtype, its unit and one line about it."""

    name: str
    key: str
    dtype: str
    doc: str
    unit: str = ""
    convert: Callable[[Any], Any] | None = None

    def pick(self, record: dict[str, Any]) -> Any:
        """Take the value out of one record: a dotted key goes into nested objects."""
        value: Any = record
        for part in self.key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
            if value is None:
                return None
        return self.convert(value) if self.convert else value


def array_table(columns: Sequence[Column], records: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Make one row a record. Unknown fields are ignored; null and missing ones are `<NA>`."""
    rows = list(records or [])
    return frame({column.name: ([column.pick(row) for row in rows], column.dtype) for column in columns}, len(rows))


def frame(columns: dict[str, tuple[list[Any], str]], length: int) -> pd.DataFrame:
    """Make a DataFrame of (values, dtype) by column name."""
    index = pd.RangeIndex(length)
    return pd.DataFrame({name: series(values, dtype, index) for name, (values, dtype) in columns.items()}, index=index)


def series(values: list[Any], dtype: str, index: pd.Index) -> pd.Series[Any]:
    """Make one column of true dtype."""
    if dtype == TIME:
        return pd.Series(moments(values), index=index)
    if dtype == TEXT:
        return pd.Series(values, index=index, dtype=pd.StringDtype("python"))
    if dtype == PLAIN:
        made = pd.Series([None] * len(values), index=index, dtype=object)
        made[:] = values
        return made
    return pd.Series(values, index=index, dtype=dtype)


def moments(values: list[Any]) -> pd.DatetimeIndex:
    """Read moments as datetimes in UTC, to the nanosecond: texts of RFC 3339, or seconds since 1970.

    "Never" (the year 1, or 0) and what can't be read is `NaT`.
    """
    known = [_moment(value) for value in values]
    return pd.DatetimeIndex(pd.to_datetime(known, utc=True, errors="coerce", format="ISO8601")).as_unit("ns")


def _moment(value: Any) -> Any:
    if isinstance(value, bool) or value in (None, "", NEVER, 0):
        return None
    if isinstance(value, (int, float)):
        return pd.Timestamp(value, unit="s", tz="UTC").isoformat()
    return value


def object_table(document: Any) -> pd.DataFrame:
    """Make the long table of one object: `field` (dotted path, lists by number) and `value` (as in the JSON).

    An empty list or object is one row. Fields are in the engine's order.
    """
    fields: list[str] = []
    values: list[Any] = []
    _flatten("", document, fields, values)
    return frame({"field": (fields, TEXT), "value": (values, PLAIN)}, len(fields))


def _flatten(path: str, value: Any, fields: list[str], values: list[Any]) -> None:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            _flatten(f"{path}.{name}" if path else name, item, fields, values)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            _flatten(f"{path}.{number}" if path else str(number), item, fields, values)
    else:
        fields.append(path)
        values.append(value)


def done_table(exchange: Exchange) -> pd.DataFrame:
    """Make the one row of an answer without a body.

    Columns: `operation`, `object` (what it was asked for), `status`, and `changed`: False for 304.
    """
    asked = next((one.argument for one in exchange.operation.parameters if one.place == "path"), "")
    return frame(
        {
            "operation": ([exchange.operation.id], TEXT),
            "object": ([exchange.arguments.get(asked)], TEXT),
            "status": ([exchange.status], WHOLE),
            "changed": ([exchange.status != NOT_MODIFIED], YES_NO),
        },
        1,
    )
