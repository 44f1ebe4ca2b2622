"""Cards, which a lesson returns: a short stable text for terminals and nbval, and the same text as escaped HTML."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

#: The colour of the border repeats the word on the card, so that no meaning depends on colour alone.
BORDERS = {"PASS": "#1a7f37", "FAIL": "#bf3989", "EXCEPTION": "#9a6700", "UNATTEMPTED": "#6e7781"}
PLAIN_BORDER = "#0969da"
#: Without a font of its own, JupyterLab shows a <pre> in the font of normal text.
CODE = "font-family:var(--jp-code-font-family,monospace)"


def text_to_html(text: str) -> str:
    """Return a text as HTML: everything is escaped, and text between two backticks becomes code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text))


@dataclass(frozen=True, slots=True)
class Card:
    """A heading with a text below it. `code` is shown line by line, without changes."""

    heading: str
    text: str = ""
    code: str = ""

    def __str__(self) -> str:
        head = f"{self.heading}: {self.text}" if self.text else self.heading
        return f"{head}\n{self.code}" if self.code else head

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the card as HTML. Texts of an engine or a learner are escaped, so they can't contain markup."""
        border = BORDERS.get(self.heading.split()[0] if self.heading else "", PLAIN_BORDER)
        parts = [f"<strong>{text_to_html(self.heading)}</strong>"]
        if self.text:
            parts.append(f"<div style='white-space: pre-line'>{text_to_html(self.text)}</div>")
        if self.code:
            parts.append(f"<pre style='{CODE};margin: 0.3em 0 0'>{html.escape(self.code)}</pre>")
        return f"<div style='border-left: 4px solid {border}; padding: 0.2em 0.8em'>{''.join(parts)}</div>"
