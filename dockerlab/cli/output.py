"""Answers on a terminal or in a file: a table, JSON, CSV or Parquet. What an engine says moves no cursor here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dockerlab.errors import ArgumentError, DockerlabError, printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "choose_columns", "csv_text", "json_text", "lines", "parquet", "table_text"]

FORMATS = ("table", "json", "csv", "parquet")
GAP = 2
#: A cell is cut at this many characters where the screen is narrow, but for the last column of a small table.
CELL, FEW = 40, 4
NOTHING = "-"


def json_text(document: Any) -> str:
    """Write JSON for people, with control characters escaped, also those that JSON itself lets pass."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\ud800-\udfff\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


def choose_columns(frame: pd.DataFrame, names: str) -> pd.DataFrame:
    """Give the columns of these names, in this order. Raises ArgumentError for one that isn't there."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in frame.columns]
    if unknown:
        raise ArgumentError(f"There is no column {', '.join(unknown)}. There are: {', '.join(frame.columns)}.")
    return frame[wanted]


def csv_text(frame: pd.DataFrame) -> str:
    """Write CSV with a header; what is missing is empty, objects are JSON, times are ISO 8601 in UTC."""
    return str(_flat(frame).to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ"))


def parquet(frame: pd.DataFrame) -> bytes:
    """Write Parquet. Raises DockerlabError without pyarrow, naming the mend."""
    try:
        import pyarrow  # noqa: F401  (an extra)
    except ImportError:
        raise DockerlabError(
            "Parquet needs pyarrow, which is not installed: pip install 'dockerlab[parquet]'"
        ) from None
    return bytes(_flat(frame).to_parquet(index=False, engine="pyarrow"))


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Write objects as JSON text: neither CSV nor a Parquet column holds things of many kinds."""
    import pandas as pd

    made = frame.copy()
    for name in made.columns:
        if made[name].dtype == object:
            texts = [None if _missing(value) else _text(value) for value in made[name]]
            made[name] = pd.Series(texts, index=made.index, dtype=pd.StringDtype("python"))
    return made


def table_text(frame: pd.DataFrame, width: int | None) -> tuple[list[str], list[str]]:
    """Lay out a table: its lines, the header first, and the names of the columns that did not fit into `width`.

    A column without any value is left out, if there are rows. Without a width nothing is cut and all is shown.
    """
    shown = [name for name in frame.columns if frame.empty or not all(_missing(value) for value in frame[name])]
    columns = [[str(name), *(_cell(value) for value in frame[name])] for name in shown]
    right = [_is_number(frame[name]) for name in shown]
    return lines(columns, right, width), _left_out(columns, width)


def lines(columns: Sequence[list[str]], right: Sequence[bool], width: int | None) -> list[str]:
    """Lay out columns of cells, numbers to the right, as many columns as fit."""
    fitting = columns[: len(columns) - len(_left_out(columns, width))]
    widths = _widths(fitting, width)
    made = []
    for cells in zip(*fitting, strict=True):
        folded = [_fold(cell, wide, width) for cell, wide in zip(cells, widths, strict=True)]
        if len(fitting) > FEW:  # one line each
            folded = [_cut(cell, wide) for cell, wide in zip(cells, widths, strict=True)]
        for number in range(max(len(parts) for parts in folded)):
            parts = [part[number] if number < len(part) else "" for part in folded]
            padded = [_pad(part, wide, to_right) for part, wide, to_right in zip(parts, widths, right, strict=False)]
            made.append((" " * GAP).join(padded).rstrip())
    return made


def _widths(columns: Sequence[list[str]], width: int | None) -> list[int]:
    from rich.cells import cell_len

    natural = [max(cell_len(cell) for cell in column) for column in columns]
    if width is None or not natural:
        return natural
    if len(columns) > FEW:
        return [min(wide, CELL) for wide in natural]
    last = width - sum(natural[:-1]) - GAP * (len(natural) - 1)
    return [*natural[:-1], max(min(natural[-1], last), 10)]


def _left_out(columns: Sequence[list[str]], width: int | None) -> list[str]:
    """Name the last columns, which have no room; the first one always has."""
    if width is None or len(columns) <= FEW:
        return []
    used = -GAP
    for number, wide in enumerate(_widths(columns, width)):
        used += wide + GAP
        if used > width and number:
            return [column[0] for column in columns[number:]]
    return []


def _fold(cell: str, wide: int, width: int | None) -> list[str]:
    from rich.cells import chop_cells

    return (chop_cells(cell, wide) or [""]) if width is not None else [cell]


def _cut(cell: str, wide: int) -> list[str]:
    from rich.cells import cell_len, set_cell_size

    return [cell if cell_len(cell) <= wide else set_cell_size(cell, wide - 1) + "…"]


def _pad(part: str, wide: int, to_right: bool) -> str:
    from rich.cells import cell_len

    room = " " * (wide - cell_len(part))
    return room + part if to_right else part + room


def _is_number(column: pd.Series[Any]) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return bool(is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype))


def _missing(value: Any) -> bool:
    import pandas as pd

    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _cell(value: Any) -> str:
    if _missing(value):
        return NOTHING
    if hasattr(value, "isoformat"):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = _text(value).replace("\n", "\\n").replace("\t", "\\t")
    return printable(text)


def _text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
