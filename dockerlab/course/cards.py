"""Cards: what a lesson answers with. A short stable text for terminals and nbval, and the same as escaped HTML."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

#: A border says the same as the word on the card, never more: nothing is told by colour alone.
BORDERS = {"PASS": "#1a7f37", "FAIL": "#bf3989", "EXCEPTION": "#9a6700", "UNATTEMPTED": "#6e7781"}
PLAIN_BORDER = "#0969da"
#: JupyterLab shows a bare <pre> in the font of its text.
CODE = "font-family:var(--jp-code-font-family,monospace)"


def marked(text: str) -> str:
    """Give a text as HTML: everything is escaped, and what stands between two backticks is code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text))


@dataclass(frozen=True, slots=True)
class Card:
    """A heading with a text below it; `code` is shown as it stands, with its line ends."""

    heading: str
    text: str = ""
    code: str = ""

    def __str__(self) -> str:
        """Give the card as plain text."""
        head = f"{self.heading}: {self.text}" if self.text else self.heading
        return f"{head}\n{self.code}" if self.code else head

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Give the card as HTML. Whatever an engine or a learner wrote is text here."""
        border = BORDERS.get(self.heading.split()[0] if self.heading else "", PLAIN_BORDER)
        parts = [f"<strong>{marked(self.heading)}</strong>"]
        if self.text:
            parts.append(f"<div style='white-space: pre-line'>{marked(self.text)}</div>")
        if self.code:
            parts.append(f"<pre style='{CODE};margin: 0.3em 0 0'>{html.escape(self.code)}</pre>")
        return f"<div style='border-left: 4px solid {border}; padding: 0.2em 0.8em'>{''.join(parts)}</div>"
