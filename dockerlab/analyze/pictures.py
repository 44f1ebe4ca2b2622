"""Figures that also say what they show. What an engine tells is drawn as it is: no formula, no line break."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

from dockerlab.errors import printable

__all__ = ["COLORS", "Picture", "label"]

#: Told apart also by those who don't see red and green (after Okabe and Ito), and dark enough on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#a0529d", "#b8860b", "#56789a", "#7f4f24", "#444444")
LONGEST = 40


class Picture(Figure):
    """A matplotlib figure with `alt`, one text that says what can be seen. A notebook shows it as a value."""

    alt: str = ""

    def __repr__(self) -> str:
        """Give the text that says what can be seen."""
        return f"<Picture: {self.alt}>"

    def _repr_png_(self) -> bytes:
        data = io.BytesIO()
        # pyplot has no part in this: a figure is shown once, and is gone when nobody holds it
        self.savefig(data, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
        return data.getvalue()


def label(text: Any, longest: int = LONGEST) -> str:
    """Write what an engine told as a label: `$` begins no formula, control characters are shown, long ones are cut."""
    plain = " ".join(printable(str(text)).split())
    plain = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    return plain.replace("$", r"\$")
