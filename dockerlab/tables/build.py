"""Builds DataFrames out of JSON: fixed columns, true dtypes also when empty, `<NA>` for what is missing.

dtypes are pandas' own and the same whatever is installed beside it: `string[python]`, `Int64`, `Float64`,
`boolean`, `datetime64[ns, UTC]`, and `object` for lists and dicts. A value of another type than its column's is
`<NA>` as well: a broken engine costs a cell, and never the table.
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

if TYPE_CHECKING:
    from dockerlab.protocol.exchange import Exchange

__all__ = [
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
STRING_ARRAY: Any = STRINGS.construct_array_type()
NOT_MODIFIED = 304
#: Nanoseconds since 1970 in 64 bits reach from 1677 to 2262; engines send the year 1 for "never".
FIRST_YEAR, LAST_YEAR, LAST_SECOND = "1678", "2261", 9_200_000_000
LARGEST = (1 << 63) - 1
SECOND = 1_000_000_000
#: What stands for no moment among numpy's.
NEVER = np.iinfo(np.int64).min
#: What a conversion raises for a value of another shape.
MISSHAPEN = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
#: What lies deeper in an object than this stays together in one value.
DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, where its value is in the JSON, its dtype, its unit and one line about it."""

    name: str
    key: str
    dtype: str
    doc: str
    unit: str = ""
    convert: Callable[[Any], Any] | None = None

    def values(self, nested: dict[str, list[Any]]) -> list[Any]:
        """Take the value out of each record: a dotted key goes into nested objects. What is missing is None.

        `nested` has the records themselves by an empty key, and keeps the objects that were gone into.
        """
        way, _, last = self.key.rpartition(".")
        found = [one.get(last) if isinstance(one, dict) else None for one in _inner(way, nested)]
        if self.convert is not None:
            found = _converted(self.convert, found)
        return [pd.NA if value is None else value for value in found] if self.dtype == OBJECT else found


def _inner(way: str, nested: dict[str, list[Any]]) -> list[Any]:
    """Give what lies at a dotted key in each record."""
    if way not in nested:
        before, _, last = way.rpartition(".")
        nested[way] = [one.get(last) if isinstance(one, dict) else None for one in _inner(before, nested)]
    return nested[way]


def _converted(convert: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    """Convert each value, all in one go; None is for one that is of another shape than the API says."""
    with contextlib.suppress(*MISSHAPEN):
        return [None if value is None else convert(value) for value in values]
    made = []
    for value in values:
        try:
            made.append(None if value is None else convert(value))
        except MISSHAPEN:
            made.append(None)
    return made


def count_or_none(number: int) -> int | None:
    """Engines say -1 for a number that they have not counted."""
    return None if number < 0 else number


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    known = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return int(value) if known and -LARGEST <= value <= LARGEST else None


def _fraction(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return None
    try:
        return None if value != value else float(value)  # noqa: PLR0124  (only what isn't a number differs from itself)
    except OverflowError:
        return None


def _yes_no(value: Any) -> bool | None:
    return bool(value) if isinstance(value, (bool, np.bool_)) else None


#: Gives a value of a column's dtype, or None for one that can't be of it; and the types whose values need no look.
FITTING: dict[str, Callable[[Any], Any]] = {TEXT: _text, INTEGER: _whole, FLOAT: _fraction, BOOLEAN: _yes_no}
NOTHING = type(None)
PLAINLY: dict[str, set[type]] = {
    TEXT: {str, NOTHING}, INTEGER: {int, NOTHING}, FLOAT: {float, NOTHING}, BOOLEAN: {bool, NOTHING},
}  # fmt: skip


def object_list(records: Any) -> list[dict[str, Any]]:
    """Give the objects of a list, which may be null; what is in it besides is left out.

    Raises StreamBroken if it is no list: something else than an engine may have answered.
    """
    if isinstance(records, (dict, str, bytes, int, float)):
        raise _another_shape("a list", records)
    return [one for one in records or () if isinstance(one, dict)]


def object_or_empty(document: Any) -> dict[str, Any]:
    """Give an object, which may be null. Raises StreamBroken if it is something else."""
    if document is not None and not isinstance(document, dict):
        raise _another_shape("an object", document)
    return document or {}


def _another_shape(wanted: str, got: Any) -> StreamBroken:
    start = printable(repr(got)[:60])
    return StreamBroken(
        f"The answer is not {wanted}, as the API says: it begins {start}. Is it an engine's? dockerlab doctor tells."
    )


def array_table(columns: Sequence[Column], records: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Make one row a record. Unknown fields are ignored; null and missing ones are `<NA>`.

    Raises StreamBroken if the records are no list.
    """
    rows = object_list(records)
    nested: dict[str, list[Any]] = {"": rows}
    return typed_table({column.name: (column.values(nested), column.dtype) for column in columns}, len(rows))


def typed_table(columns: dict[str, tuple[Any, str]], length: int) -> pd.DataFrame:
    """Make a DataFrame of (values, dtype) by column name. Raises ValueError if a column has another length."""
    arrays = [_array(values, dtype) for values, dtype in columns.values()]
    if any(len(array) != length for array in arrays):
        raise ValueError(f"a column has not {length} values")
    names = _names(tuple(columns)).view()  # a view: who names the columns of one table names them of no other
    return _put_together(arrays, names, pd.RangeIndex(length))


def _put_together(arrays: list[Any], names: pd.Index[Any], index: pd.RangeIndex) -> pd.DataFrame:
    """Make a DataFrame of arrays that are right already.

    The constructor looks at each anew, which takes longer than all the rest of a small table: where pandas still has
    the way that it goes itself when it knows them to be right, that is gone.
    """
    if quickly := getattr(pd.DataFrame, "_from_arrays", None):
        return quickly(arrays, names, index, verify_integrity=False)  # type: ignore[no-any-return]
    columns = (pd.Series(array, index=index, dtype=array.dtype, copy=False) for array in arrays)
    return pd.DataFrame(dict(enumerate(columns)), index=index, copy=False).set_axis(names, axis=1)


@functools.lru_cache
def _names(columns: tuple[str, ...]) -> pd.Index[Any]:
    return pd.Index(columns, dtype=object)  # pandas 3 would choose by whether pyarrow is installed


def _array(values: Any, dtype: str) -> Any:
    """Make one column of true dtype. In a list each value may be of any type; other things are pandas' own already."""
    if dtype == TIME:
        return (values if isinstance(values, pd.DatetimeIndex) else datetimes(values)).array
    if dtype == OBJECT:
        return np.fromiter(values, object, len(values))  # np.array would make a table of lists of one length
    if not isinstance(values, (list, tuple)):
        return pd.Series(values, dtype=STRINGS if dtype == TEXT else dtype).array
    if not set(map(type, values)) <= PLAINLY[dtype]:
        values = [FITTING[dtype](value) for value in values]
    if dtype == TEXT:
        return STRING_ARRAY._from_sequence(values, dtype=STRINGS)  # what pd.array does after a look at each value
    make, kind, instead = MASKED[dtype]
    missing = np.fromiter((value is None for value in values), bool, len(values))
    try:
        data = np.fromiter((instead if value is None else value for value in values), kind, len(values))
    except OverflowError:  # of a number that no column can hold
        return _array([_whole(value) for value in values], dtype)
    return make(data, missing | np.isnan(data) if dtype == FLOAT else missing)


#: How a column with gaps is made: pandas' array of values and gaps, numpy's type of a value, what stands in a gap.
MASKED: dict[str, tuple[Any, Any, Any]] = {
    INTEGER: (pd.arrays.IntegerArray, np.int64, 0),
    FLOAT: (pd.arrays.FloatingArray, np.float64, 0.0),
    BOOLEAN: (pd.arrays.BooleanArray, np.bool_, False),
}


def datetimes(values: Sequence[Any]) -> pd.DatetimeIndex:
    """Read moments as datetimes in UTC, to the nanosecond: texts of RFC 3339, seconds since 1970, or datetimes.

    "Never" (the year 1, or 0), what can't be read, and years that nanoseconds don't reach are `NaT`.
    """
    if set(map(type, values)) <= {int, NOTHING}:
        return datetimes_from_nanoseconds(
            [second * SECOND if second and abs(second) < LAST_SECOND else None for second in values]
        )
    known = [_moment(value) for value in values]
    if not any(known):  # which pandas takes twice as long to read as moments
        return datetimes_from_nanoseconds([None] * len(known))
    told = pd.Index(known, dtype=object)  # pandas reads a list half as fast
    return pd.DatetimeIndex(pd.to_datetime(told, utc=True, errors="coerce", format="ISO8601")).as_unit("ns")


def datetimes_from_nanoseconds(values: Sequence[int | None]) -> pd.DatetimeIndex:
    """Read nanoseconds since 1970 as datetimes in UTC; None is `NaT`."""
    known = np.fromiter((NEVER if value is None else value for value in values), np.int64, len(values))
    return pd.DatetimeIndex(known.view("M8[ns]"), tz="UTC")


def _moment(value: Any) -> Any:
    # pandas 2 says NaT of a year that it can't hold, pandas 3 raises: neither is asked
    if isinstance(value, str):
        return value if FIRST_YEAR <= value[:4] <= LAST_YEAR else None
    if isinstance(value, datetime):
        return value if FIRST_YEAR <= f"{value.year:04d}" <= LAST_YEAR else None
    if isinstance(value, (int, float)) and value and not isinstance(value, bool) and abs(value) < LAST_SECOND:
        return pd.Timestamp(value, unit="s", tz="UTC").isoformat()
    return None


def object_table(document: Any) -> pd.DataFrame:
    """Make the long table of one object: `field` (dotted path, lists by number) and `value` (as in the JSON).

    An empty list or object is one row. Fields are in the engine's order. What is nested deeper than 100 levels is one
    value.
    """
    fields: list[str] = []
    values: list[Any] = []
    if isinstance(document, (dict, list)) and document:
        _flatten("", document, fields, values)
    else:
        fields, values = [""], [document]
    return typed_table({"field": (fields, TEXT), "value": (values, OBJECT)}, len(fields))


def _flatten(front: str, value: Any, fields: list[str], values: list[Any], depth: int = 0) -> None:
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if item and isinstance(item, (dict, list)) and depth < DEEPEST - 1:
            _flatten(f"{front}{name}.", item, fields, values, depth + 1)
        else:
            fields.append(f"{front}{name}")
            values.append(item)


def outcome_table(exchange: Exchange) -> pd.DataFrame:
    """Make the one row of an answer without a body.

    Columns: `operation`, `object` (what it was asked for), `status`, and `changed`: False for 304.
    """
    named = (one.argument for one in exchange.operation.parameters if one.place == "path" or one.name == "name")
    asked = next((name for name in named if name in exchange.arguments), "")
    return typed_table(
        {
            "operation": ([exchange.operation.id], TEXT),
            "object": ([exchange.arguments.get(asked)], TEXT),
            "status": ([exchange.status], INTEGER),
            "changed": ([exchange.status != NOT_MODIFIED], BOOLEAN),
        },
        1,
    )
