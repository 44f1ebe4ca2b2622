"""Tables as escaped HTML: text from an engine is never treated as markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CELL = "text-align: left; padding: 0 1.5em 0 0; white-space: pre-wrap; line-height: 1.5"


@dataclass(frozen=True, slots=True)
class Rows:
    """Column heads, rows of text, and the sentence to show when there are no rows."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "Nothing to show."

    def html(self, caption: str) -> str:
        """Return an HTML table with a caption."""
        head = "".join(f"<th scope='col' style='{CELL}'>{html.escape(name)}</th>" for name in self.heads)
        body = "".join(_row(row) for row in self.rows) or _row((self.empty,), len(self.heads))
        title = f"<caption style='{CELL}; white-space: nowrap'><strong>{html.escape(caption)}</strong></caption>"
        return f"<table>{title}<tr>{head}</tr>{body}</table>"


def rows(heads: Sequence[str], cells: Iterable[Iterable[object]], empty: str = "Nothing to show.") -> Rows:
    """Return rows of any values, written as text."""
    return Rows(tuple(heads), tuple(tuple(str(cell) for cell in row) for row in cells), empty)


def _row(cells: tuple[str, ...], span: int = 1) -> str:
    colspan = f" colspan='{span}'" if span > 1 else ""
    return "<tr>" + "".join(f"<td{colspan} style='{CELL}'>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
