"""The progress of a pull, a push, a build or a load while it happens: bars and text, or lines in a terminal.

All text from the engine is untrusted, and is escaped.
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
from dockerlab.widgets.progress_state import Bar, ProgressState

__all__ = ["PrintedSteps", "Steps", "display_steps"]

#: The shortest time between two redraws, in seconds: at most four per second, however many records arrive.
SHORTEST_PAUSE = 0.25
STYLES = {"done": "success", "failed": "danger"}
WORDS = (
    "margin: 0; max-height: 28em; overflow: auto; display: flex; flex-direction: column-reverse; "
    "white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.4; font-size: 0.9em"
)


class Steps(Box):
    """A live view of a pull, a push, a build or a load: one bar per layer, the steps of a build, and its output.

    In a notebook these calls show one automatically. To place it elsewhere on the page, display one and pass it to
    the call: `lab.image.build(tar, t="web", progress=steps)`. `record` adds a record; `finish` or `fail` ends it.
    """

    def __init__(self, title: str = "progress") -> None:
        self.title = title
        self.progress = ProgressState()
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
        """Add a record, and draw it within a quarter of a second even if no other record follows."""
        with self._lock:
            self.progress.add(record)
            if self.state == "waiting":
                self.state = "running"
            wait = SHORTEST_PAUSE - (time.monotonic() - self._shown)
            if wait <= 0:
                self._draw()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self._draw_late)
                self._timer.daemon = True
                self._timer.start()

    def finish(self) -> None:
        """Show that the request succeeded."""
        with self._lock:
            self.progress.end()
            self._end("done")

    def fail(self, why: str = "") -> None:
        """Show that the request failed, and why."""
        with self._lock:
            self._why = why
            self._end("failed")

    def words(self) -> str:
        """Return the state as one line of text."""
        amount, steps = self.progress.words, self.progress.steps
        if self.state == "waiting":
            text = "waiting for the engine"
        elif self.state == "running":
            text = amount or "running"
        elif self.state == "done":
            text = f"done, {steps} steps" if steps else f"done, {amount}" if amount else "done"
        else:
            why = printable(self.progress.error or self._why).strip().partition("\n")[0]
            text = "failed" + (f" at {amount}" if steps else "") + (f": {why}" if why else "")
        return f"{self.title}: {text}"

    # -- drawing -----------------------------------------------------------------------------------------------

    def _end(self, state: str) -> None:
        self.state = state
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._draw()

    def _draw_late(self) -> None:
        with self._lock:
            if self._timer is not None:  # it is None if the request has ended in the meantime
                self._timer = None
                self._draw()

    def _draw(self) -> None:
        self._shown = time.monotonic()
        share = 1.0 if self.state == "done" else self.progress.share
        self.whole.show(share, self.words(), STYLES.get(self.state, ""))
        bars, more = self.progress.bars()
        self._draw_layers(bars, more)
        self.lines.value = _scrolling_text(self.title, self.progress.lines)

    def _draw_layers(self, bars: Sequence[Bar], more: str) -> None:
        while len(self._rows) < len(bars):
            self._rows.append(_Row("12em"))
        for row, bar in zip(self._rows, bars, strict=False):
            row.show(bar.share, f"{bar.name}: {bar.words}", "success" if bar.done else "")
        self._more.value = html.escape(more)
        rows = [*self._rows[: len(bars)], *([self._more] if more else [])]
        if len(rows) != len(self.layers.children):
            self.layers.children = rows

    # -- display -----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<{self.title}: live progress>"

    def page(self) -> str:
        """Return a sentence that says what a notebook shows here."""
        return f"<p>{html.escape(self.title)}: live progress, which moves while the engine works.</p>"


class _Row(ipywidgets.HBox):  # type: ignore[misc]  # ipywidgets has no types
    """A bar with text beside it."""

    def __init__(self, width: str) -> None:
        self.bar = ipywidgets.FloatProgress(min=0, max=1, value=0, layout=ipywidgets.Layout(width=width, flex="none"))
        self.text = ipywidgets.HTML()
        super().__init__([self.bar, self.text])

    def show(self, share: float, words: str, style: str) -> None:
        self.bar.value = share
        self.bar.bar_style = style
        self.text.value = html.escape(words)


def _scrolling_text(title: str, lines: Sequence[str]) -> str:
    """Return the lines as HTML that scrolls and shows its end."""
    if not lines:
        return ""
    text = html.escape("\n".join(lines))
    return f"<pre role='log' aria-label='{html.escape(title)}' style='{WORDS}'><span>{text}</span></pre>"


class PrintedSteps:
    """The same progress for a terminal: lines on standard error, each as soon as it is complete."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.progress = ProgressState()

    def record(self, record: Any) -> None:
        """Print the lines that a record completes."""
        self._print(self.progress.add(record))

    def finish(self) -> None:
        """Print that the request succeeded."""
        self._print([*self.progress.end(), f"{self.title}: done"])

    def fail(self, why: str = "") -> None:
        """Print that the request failed; the error that is raised says why."""
        self._print([*self.progress.end(), f"{self.title}: failed"])

    def _print(self, lines: Sequence[str]) -> None:
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
        sys.stderr.flush()


def display_steps(title: str) -> Steps:
    """Display a live view in the output of a notebook's cell."""
    from IPython.display import display

    steps = Steps(title)
    display(steps)  # type: ignore[no-untyped-call]
    return steps
