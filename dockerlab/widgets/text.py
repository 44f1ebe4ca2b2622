"""Tables as escaped HTML: what an engine says is text here, never markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rows:
    """Column heads and rows of text, and the sentence to say when there is no row."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "Nothing to show."

    def html(self, caption: str) -> str:
        """Give an HTML table with its caption."""
        head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in self.heads)
        body = "".join(_row(row) for row in self.rows) or _row((self.empty,), len(self.heads))
        return f"<table><caption>{html.escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def rows(heads: Sequence[str], cells: Iterable[Iterable[object]], empty: str = "Nothing to show.") -> Rows:
    """Make rows of anything, as text."""
    return Rows(tuple(heads), tuple(tuple(str(cell) for cell in row) for row in cells), empty)


def _row(cells: tuple[str, ...], span: int = 1) -> str:
    across = f" colspan='{span}'" if span > 1 else ""
    style = "style='text-align: left; white-space: pre-wrap'"
    return "<tr>" + "".join(f"<td {style}{across}>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
