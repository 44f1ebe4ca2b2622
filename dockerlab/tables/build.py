"""Builds DataFrames from JSON: fixed columns, the same dtypes even for empty tables, `<NA>` for missing values.

The dtypes do not depend on which optional packages are installed: `string[python]`, `Int64`, `Float64`, `boolean`,
`datetime64[ns, UTC]`, and `object` for lists and dicts. A value of a wrong type is `<NA>` too, so that a broken engine
costs one cell and never the whole table.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dockerlab.errors import StreamBroken, printable
from dockerlab.protocol import fast_paths

if TYPE_CHECKING:
    from dockerlab.protocol.exchange import Exchange

__all__ = [
    "MAX_INTEGER",
    "SECOND",
    "TEXT",
    "TIME",
    "Column",
    "array_table",
    "count_or_none",
    "datetimes",
    "datetimes_from_nanoseconds",
    "object_list",
    "object_or_empty",
    "object_table",
    "outcome_table",
    "typed_table",
]  # fmt: skip

TEXT, INTEGER, FLOAT, BOOLEAN, TIME, OBJECT = "text", "Int64", "Float64", "boolean", "time", "object"
STRINGS = pd.StringDtype("python")
#: Its method `_from_sequence` is part of pandas' documented interface of extension arrays, in spite of its name.
#: `pd.array` calls it too, after it has looked at every value once more.
STRING_ARRAY: Any = STRINGS.construct_array_type()
NOT_MODIFIED = 304
#: Nanoseconds since 1970 in 64 bits reach from 1677 to 2262; engines send the year 1 for "never".
FIRST_YEAR, LAST_YEAR, LAST_SECOND = "1678", "2261", 9_200_000_000
#: The largest value of an integer column.
MAX_INTEGER = (1 << 63) - 1
SECOND = 1_000_000_000
#: How numpy stores "not a time".
NEVER = np.iinfo(np.int64).min
#: What a conversion raises for a value of an unexpected type.
CONVERSION_ERRORS = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
#: Objects nested deeper than this are not flattened.
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, the dotted path of its value in the JSON, its dtype, one line about it, and its unit."""

    name: str
    key: str
    dtype: str
    doc: str
    unit: str = ""
    convert: Callable[[Any], Any] | None = None

    def values(self, nested: dict[str, list[Any]]) -> list[Any]:
        """Return the column's value from each record; a missing value is None.

        `nested` maps dotted paths to the objects found there, one per record. The empty path has the records
        themselves; the other paths are added here, so that columns with a common path look it up only once.
        """
        path, _, key = self.key.rpartition(".")
        values = [parent.get(key) if isinstance(parent, dict) else None for parent in _at_path(path, nested)]
        if self.convert is not None:
            values = _converted(self.convert, values)
        return [pd.NA if value is None else value for value in values] if self.dtype == OBJECT else values


def _at_path(path: str, nested: dict[str, list[Any]]) -> list[Any]:
    if path not in nested:
        parent_path, _, key = path.rpartition(".")
        parents = _at_path(parent_path, nested)
        nested[path] = [parent.get(key) if isinstance(parent, dict) else None for parent in parents]
    return nested[path]


def _converted(convert: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    """Convert all values; a value that can't be converted becomes None."""
    with contextlib.suppress(*CONVERSION_ERRORS):  # nearly always all values are fine, and one `try` is cheaper
        return [None if value is None else convert(value) for value in values]
    converted = []
    for value in values:
        try:
            converted.append(None if value is None else convert(value))
        except CONVERSION_ERRORS:
            converted.append(None)
    return converted


def count_or_none(number: int) -> int | None:
    """Return a count, or None for -1, which engines send for a count that they have not computed."""
    return None if number < 0 else number


def _as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _as_integer(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return int(value) if is_integer and -MAX_INTEGER <= value <= MAX_INTEGER else None


def _as_float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return None
    try:
        return None if value != value else float(value)  # noqa: PLR0124  (NaN is the only value that differs from itself)
    except OverflowError:
        return None


def _as_boolean(value: Any) -> bool | None:
    return bool(value) if isinstance(value, (bool, np.bool_)) else None


#: Converts a value to the type of a dtype, or returns None if it has another type.
CHECKED: dict[str, Callable[[Any], Any]] = {
    TEXT: _as_text,
    INTEGER: _as_integer,
    FLOAT: _as_float,
    BOOLEAN: _as_boolean,
}
NONE_TYPE = type(None)
#: If all values of a column have these types, none of them has to be checked.
EXPECTED_TYPES: dict[str, set[type]] = {
    TEXT: {str, NONE_TYPE}, INTEGER: {int, NONE_TYPE}, FLOAT: {float, NONE_TYPE}, BOOLEAN: {bool, NONE_TYPE},
}  # fmt: skip


def object_list(records: Any) -> list[dict[str, Any]]:
    """Return the objects in a list, without items of other types. Null counts as an empty list.

    Raises StreamBroken if `records` is not a list: then the response is probably not from an engine.
    """
    if isinstance(records, (dict, str, bytes, int, float)):
        raise _unexpected_type("a list", records)
    return [record for record in records or () if isinstance(record, dict)]


def object_or_empty(document: Any) -> dict[str, Any]:
    """Return an object; null counts as an empty object. Raises StreamBroken for anything else."""
    if document is not None and not isinstance(document, dict):
        raise _unexpected_type("an object", document)
    return document or {}


def _unexpected_type(expected: str, document: Any) -> StreamBroken:
    start = printable(repr(document)[:60])
    return StreamBroken(
        f"The response is not {expected}, as the API requires: it begins with {start}. "
        "Check with `dockerlab doctor` that the address belongs to an engine."
    )


def array_table(columns: Sequence[Column], records: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Return one row per record. Unknown fields are ignored; null and missing fields are `<NA>`.

    Raises StreamBroken if `records` is not a list.
    """
    rows = object_list(records)
    nested: dict[str, list[Any]] = {"": rows}
    return typed_table({column.name: (column.values(nested), column.dtype) for column in columns}, len(rows))


def typed_table(columns: dict[str, tuple[Any, str]], length: int) -> pd.DataFrame:
    """Return a DataFrame of (values, dtype) by column name. Raises ValueError if a column has another length."""
    arrays = [_array(values, dtype) for values, dtype in columns.values()]
    if any(len(array) != length for array in arrays):
        raise ValueError(f"a column does not have {length} values")
    names = _column_index(tuple(columns)).view()  # the cached index must not change when a table's columns are renamed
    return fast_paths.data_frame(arrays, names, pd.RangeIndex(length))


@functools.lru_cache
def _column_index(columns: tuple[str, ...]) -> pd.Index[Any]:
    return pd.Index(columns, dtype=object)  # pandas 3 would choose a dtype that depends on pyarrow


def _array(values: Any, dtype: str) -> Any:
    """Return one column of a dtype. Items of a list may have any type; anything else is a pandas array already."""
    if dtype == TIME:
        return (values if isinstance(values, pd.DatetimeIndex) else datetimes(values)).array
    if dtype == OBJECT:
        return np.fromiter(values, object, len(values))  # np.array would make a matrix of lists of equal length
    if not isinstance(values, (list, tuple)):
        return pd.Series(values, dtype=STRINGS if dtype == TEXT else dtype).array
    if not set(map(type, values)) <= EXPECTED_TYPES[dtype]:
        values = [CHECKED[dtype](value) for value in values]
    if dtype == TEXT:
        return STRING_ARRAY._from_sequence(values, dtype=STRINGS)
    array_type, value_type, placeholder = MASKED[dtype]
    missing = np.fromiter((value is None for value in values), bool, len(values))
    try:
        data = np.fromiter((placeholder if value is None else value for value in values), value_type, len(values))
    except OverflowError:  # a number that does not fit into 64 bits
        return _array([_as_integer(value) for value in values], dtype)
    return array_type(data, missing | np.isnan(data) if dtype == FLOAT else missing)


#: The array types of columns with missing values, the numpy type of a value, and the placeholder of a missing value.
MASKED: dict[str, tuple[Any, Any, Any]] = {
    INTEGER: (pd.arrays.IntegerArray, np.int64, 0),
    FLOAT: (pd.arrays.FloatingArray, np.float64, 0.0),
    BOOLEAN: (pd.arrays.BooleanArray, np.bool_, False),
}


def datetimes(values: Sequence[Any]) -> pd.DatetimeIndex:
    """Convert RFC 3339 texts, seconds since 1970 or datetimes to datetimes in UTC, to the nanosecond.

    "Never" (the year 1, or 0), invalid values, and years out of the range of 64-bit nanoseconds are `NaT`.
    """
    if set(map(type, values)) <= {int, NONE_TYPE}:
        return datetimes_from_nanoseconds(
            [second * SECOND if second and abs(second) < LAST_SECOND else None for second in values]
        )
    times = [_valid_time(value) for value in values]
    if not any(times):  # pandas takes twice as long for these as for real times
        return datetimes_from_nanoseconds([None] * len(times))
    index = pd.Index(times, dtype=object)  # pandas takes twice as long for a list
    return pd.DatetimeIndex(pd.to_datetime(index, utc=True, errors="coerce", format="ISO8601")).as_unit("ns")


def datetimes_from_nanoseconds(values: Sequence[int | None]) -> pd.DatetimeIndex:
    """Convert nanoseconds since 1970 to datetimes in UTC; None becomes `NaT`."""
    numbers = np.fromiter((NEVER if value is None else value for value in values), np.int64, len(values))
    return pd.DatetimeIndex(numbers.view("M8[ns]"), tz="UTC")


def _valid_time(value: Any) -> Any:
    # For a year out of range pandas 2 returns NaT and pandas 3 raises, so such years are filtered out before.
    if isinstance(value, str):
        return value if FIRST_YEAR <= value[:4] <= LAST_YEAR else None
    if isinstance(value, datetime):
        return value if FIRST_YEAR <= f"{value.year:04d}" <= LAST_YEAR else None
    if isinstance(value, (int, float)) and value and not isinstance(value, bool) and abs(value) < LAST_SECOND:
        return pd.Timestamp(value, unit="s", tz="UTC").isoformat()
    return None


def object_table(document: Any) -> pd.DataFrame:
    """Return the long table of one object: `field` (dotted path, list items by number) and `value` (as in the JSON).

    Fields are in the engine's order. An empty list or object is one row, and so is anything nested deeper than 100
    levels.
    """
    fields: list[str] = []
    values: list[Any] = []
    if isinstance(document, (dict, list)) and document:
        _flatten("", document, fields, values)
    else:
        fields, values = [""], [document]
    return typed_table({"field": (fields, TEXT), "value": (values, OBJECT)}, len(fields))


def _flatten(prefix: str, value: Any, fields: list[str], values: list[Any], depth: int = 0) -> None:
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if item and isinstance(item, (dict, list)) and depth < MAX_DEPTH - 1:
            _flatten(f"{prefix}{name}.", item, fields, values, depth + 1)
        else:
            fields.append(f"{prefix}{name}")
            values.append(item)


def outcome_table(exchange: Exchange) -> pd.DataFrame:
    """Return one row for a response without a body.

    Columns: `operation`, `object` (the name or id in the request), `status`, and `changed`: False for 304.
    """
    candidates = (one.argument for one in exchange.operation.parameters if one.place == "path" or one.name == "name")
    name_argument = next((name for name in candidates if name in exchange.arguments), "")
    return typed_table(
        {
            "operation": ([exchange.operation.id], TEXT),
            "object": ([exchange.arguments.get(name_argument)], TEXT),
            "status": ([exchange.status], INTEGER),
            "changed": ([exchange.status != NOT_MODIFIED], BOOLEAN),
        },
        1,
    )
