"""The progress of a pull, a push, a build or a load while it happens: bars and words, or lines in a terminal.

Whatever an engine says here is text of a stranger: it is escaped.
"""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import ipywidgets

from dockerlab.errors import printable
from dockerlab.widgets.box import Box
from dockerlab.widgets.progress_state import Bar, Told

__all__ = ["Printed", "Steps", "shown"]

#: At most four drawings a second, whatever is told.
SHORTEST_PAUSE = 0.25
STYLES = {"done": "success", "failed": "danger"}
WORDS = (
    "margin: 0; max-height: 28em; overflow: auto; display: flex; flex-direction: column-reverse; "
    "white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.4; font-size: 0.9em"
)


class Steps(Box):
    """A live view of what a pull, a push, a build or a load tells: one bar a layer, a build's steps and its words.

    In a notebook these calls show one by themselves. To have it elsewhere on the page, display one and hand it to the
    call: `lab.image.build(tar, t="web", progress=steps)`. `record` takes a record, `finish` and `fail` end it.
    """

    def __init__(self, title: str = "progress") -> None:
        """Make a view of which nothing is known yet."""
        self.title = title
        self.told = Told()
        self.state = "waiting"
        self._why = ""
        self._shown = 0.0
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._rows: list[_Row] = []
        self._more = ipywidgets.HTML()
        self.whole = _Row("20em")
        self.layers = ipywidgets.VBox()
        self.lines = ipywidgets.HTML()
        super().__init__([self.whole, self.layers, self.lines])
        self._draw()

    def record(self, record: Any) -> None:
        """Take what was told, and draw it within a quarter of a second, also if nothing follows for long."""
        with self._lock:
            self.told.take(record)
            if self.state == "waiting":
                self.state = "running"
            wait = SHORTEST_PAUSE - (time.monotonic() - self._shown)
            if wait <= 0:
                self._draw()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self._late)
                self._timer.daemon = True
                self._timer.start()

    def finish(self) -> None:
        """Say that it went well."""
        with self._lock:
            self.told.end()
            self._end("done")

    def fail(self, why: str = "") -> None:
        """Say that it did not, and why."""
        with self._lock:
            self._why = why
            self._end("failed")

    def words(self) -> str:
        """Give the whole as words."""
        counted = self.told.words
        if self.state == "waiting":
            said = "waiting for the engine"
        elif self.state == "running":
            said = counted or "running"
        elif self.state == "done":
            said = f"done, {self.told.steps} steps" if self.told.steps else f"done, {counted}" if counted else "done"
        else:
            why = printable(self.told.error or self._why).strip().partition("\n")[0]
            said = "failed" + (f" at {counted}" if self.told.steps else "") + (f": {why}" if why else "")
        return f"{self.title}: {said}"

    # -- drawing -----------------------------------------------------------------------------------------------

    def _end(self, state: str) -> None:
        self.state = state
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._draw()

    def _late(self) -> None:
        with self._lock:
            if self._timer is not None:  # or it has ended meanwhile
                self._timer = None
                self._draw()

    def _draw(self) -> None:
        self._shown = time.monotonic()
        self.whole.show(1.0 if self.state == "done" else self.told.share, self.words(), STYLES.get(self.state, ""))
        bars, more = self.told.bars()
        self._draw_layers(bars, more)
        self.lines.value = _area(self.title, self.told.lines)

    def _draw_layers(self, bars: Sequence[Bar], more: str) -> None:
        while len(self._rows) < len(bars):
            self._rows.append(_Row("12em"))
        for row, bar in zip(self._rows, bars, strict=False):
            row.show(bar.share, f"{bar.name}: {bar.words}", "success" if bar.done else "")
        self._more.value = html.escape(more)
        rows = [*self._rows[: len(bars)], *([self._more] if more else [])]
        if len(rows) != len(self.layers.children):
            self.layers.children = rows

    # -- how it displays ---------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        """Give one constant line."""
        return f"<{self.title}: live progress>"

    def page(self) -> str:
        """Say what a notebook shows here."""
        return f"<p>{html.escape(self.title)}: live progress, which moves while the engine works.</p>"


class _Row(ipywidgets.HBox):  # type: ignore[misc]  # ipywidgets has no types
    """A bar with words beside it."""

    def __init__(self, width: str) -> None:
        self.bar = ipywidgets.FloatProgress(min=0, max=1, value=0, layout=ipywidgets.Layout(width=width, flex="none"))
        self.text = ipywidgets.HTML()
        super().__init__([self.bar, self.text])

    def show(self, share: float, words: str, style: str) -> None:
        self.bar.value = share
        self.bar.bar_style = style
        self.text.value = html.escape(words)


def _area(title: str, lines: Sequence[str]) -> str:
    """Give lines as a text that scrolls, and shows its end."""
    if not lines:
        return ""
    text = html.escape("\n".join(lines))
    return f"<pre role='log' aria-label='{html.escape(title)}' style='{WORDS}'><span>{text}</span></pre>"


class Printed:
    """The same where no widget can live: lines on standard error, as they come to their end."""

    def __init__(self, title: str) -> None:
        """Say nothing yet."""
        self.title = title
        self.told = Told()

    def record(self, record: Any) -> None:
        """Print what is new."""
        self._print(self.told.take(record))

    def finish(self) -> None:
        """Say that it went well."""
        self._print([*self.told.end(), f"{self.title}: done"])

    def fail(self, why: str = "") -> None:
        """Say that it did not; why, the error says."""
        self._print([*self.told.end(), f"{self.title}: failed"])

    def _print(self, lines: Sequence[str]) -> None:
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
        sys.stderr.flush()


def shown(title: str) -> Steps:
    """Show a live view in a notebook's cell."""
    from IPython.display import display

    steps = Steps(title)
    display(steps)  # type: ignore[no-untyped-call]
    return steps
