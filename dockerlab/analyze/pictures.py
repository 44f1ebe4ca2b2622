"""Figures with a text that describes them. Text from an engine is drawn literally: no formulas, no line breaks."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

from dockerlab.errors import printable

__all__ = ["COLORS", "Picture", "label"]

#: Colors that people with color blindness can distinguish (after Okabe and Ito), and that are dark enough on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#a0529d", "#b8860b", "#56789a", "#7f4f24", "#444444")
LONGEST = 40


class Picture(Figure):
    """A matplotlib figure with `alt`, a text that describes it. A notebook displays it as the value of a cell."""

    alt: str = ""

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def _repr_png_(self) -> bytes:
        data = io.BytesIO()
        # pyplot is not used, because it would keep every figure in memory.
        self.savefig(data, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
        return data.getvalue()


def label(text: Any, longest: int = LONGEST) -> str:
    """Return text as a label: `$` starts no formula, control characters are visible, and long text is cut off."""
    plain = " ".join(printable(str(text)).split())
    plain = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    return plain.replace("$", r"\$")
