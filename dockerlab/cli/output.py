"""A response as a text table, JSON, CSV or Parquet, without the control characters that an engine may send."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from dockerlab.errors import ArgumentError, DockerlabError, printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["choose_columns", "csv_text", "json_text", "lines", "parquet", "table_text"]

GAP = 2
#: On a terminal, a table of few columns folds its last column; a wider one cuts each cell to this width.
CELL_WIDTH, FEW_COLUMNS = 40, 4
MISSING = "-"


def json_text(document: Any) -> str:
    """Return indented JSON with all control characters escaped, even those that JSON allows."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\ud800-\udfff\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


def choose_columns(frame: pd.DataFrame, names: str) -> pd.DataFrame:
    """Return the columns with these names, in this order. Raises ArgumentError for a name without a column."""
    selection = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in selection if name not in frame.columns]
    if unknown:
        raise ArgumentError(f"There is no column {', '.join(unknown)}. There are: {', '.join(frame.columns)}.")
    return frame[selection]


def csv_text(frame: pd.DataFrame) -> str:
    """Return CSV with a header. Missing values are empty, objects are JSON, times are ISO 8601 in UTC."""
    return str(_flat(frame).to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ"))


def parquet(frame: pd.DataFrame) -> bytes:
    """Return Parquet. Raises DockerlabError if pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401  (an extra)
    except ImportError:
        raise DockerlabError(
            "Parquet needs pyarrow, which is not installed: pip install 'dockerlab[parquet]'"
        ) from None
    return bytes(_flat(frame).to_parquet(index=False, engine="pyarrow"))


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with objects as JSON text, since a column of CSV or Parquet holds values of one type."""
    import pandas as pd

    flat = frame.copy()
    for name in flat.columns:
        if flat[name].dtype == object:
            texts = [None if _is_missing(value) else _text(value) for value in flat[name]]
            flat[name] = pd.Series(texts, index=flat.index, dtype=pd.StringDtype("python"))
    return flat


def table_text(frame: pd.DataFrame, width: int | None) -> tuple[list[str], list[str]]:
    """Return the lines of a table, the header first, and the names of the columns that did not fit into `width`.

    A column without any value is left out, if there are rows. Without a width, everything is shown in full.
    """
    names = [name for name in frame.columns if frame.empty or not all(_is_missing(value) for value in frame[name])]
    columns = [[str(name), *(_cell(value) for value in frame[name])] for name in names]
    align_right = [_is_number(frame[name]) for name in names]
    return lines(columns, align_right, width), _hidden_columns(columns, width)


def lines(columns: Sequence[list[str]], align_right: Sequence[bool], width: int | None) -> list[str]:
    """Return the lines of columns of cells, with as many columns as fit into `width`."""
    fitting = columns[: len(columns) - len(_hidden_columns(columns, width))]
    widths = _widths(fitting, width)
    result = []
    for cells in zip(*fitting, strict=True):
        if len(fitting) > FEW_COLUMNS:
            folded = [[_cut(cell, cell_width)] for cell, cell_width in zip(cells, widths, strict=True)]
        else:
            folded = [_fold(cell, cell_width, width) for cell, cell_width in zip(cells, widths, strict=True)]
        for parts in zip_longest(*folded, fillvalue=""):
            padded = [_pad(*arguments) for arguments in zip(parts, widths, align_right, strict=False)]
            result.append((" " * GAP).join(padded).rstrip())
    return result


def _widths(columns: Sequence[list[str]], width: int | None) -> list[int]:
    from rich.cells import cell_len

    natural = [max(cell_len(cell) for cell in column) for column in columns]
    if width is None or not natural:
        return natural
    if len(columns) > FEW_COLUMNS:
        return [min(cell_width, CELL_WIDTH) for cell_width in natural]
    last = width - sum(natural[:-1]) - GAP * (len(natural) - 1)
    return [*natural[:-1], max(min(natural[-1], last), 10)]


def _hidden_columns(columns: Sequence[list[str]], width: int | None) -> list[str]:
    """Return the names of the last columns that don't fit. The first column is always shown."""
    if width is None or len(columns) <= FEW_COLUMNS:
        return []
    total = -GAP
    for number, cell_width in enumerate(_widths(columns, width)):
        total += cell_width + GAP
        if total > width and number:
            return [column[0] for column in columns[number:]]
    return []


def _fold(cell: str, cell_width: int, width: int | None) -> list[str]:
    from rich.cells import chop_cells

    return (chop_cells(cell, cell_width) or [""]) if width is not None else [cell]


def _cut(cell: str, cell_width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return cell if cell_len(cell) <= cell_width else set_cell_size(cell, cell_width - 1) + "…"


def _pad(text: str, cell_width: int, align_right: bool) -> str:
    from rich.cells import cell_len

    padding = " " * (cell_width - cell_len(text))
    return padding + text if align_right else text + padding


def _is_number(column: pd.Series[Any]) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return bool(is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype))


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _cell(value: Any) -> str:
    if _is_missing(value):
        return MISSING
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
