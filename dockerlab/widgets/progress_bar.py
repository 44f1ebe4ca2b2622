"""A progress bar for a stream whose length may be unknown, such as an export."""

from __future__ import annotations

import html
import time

import ipywidgets

from dockerlab.widgets.box import Box

MIB = 1024 * 1024
SHORTEST_PAUSE = 0.25


class Progress(Box):
    """A bar to pass to a call: `lab.container.export("web", "web.tar", progress=bar)`.

    Call it with the number of bytes received so far. It redraws at most four times per second, and at the end.
    `total` is the number of bytes expected, if it is known.
    """

    def __init__(self, title: str = "export", total: int | None = None) -> None:
        self.title = title
        self.total = total
        self.done_bytes = 0
        self.finished = False
        self._shown = 0.0
        self.bar = ipywidgets.FloatProgress(min=0, max=1, value=0, layout=ipywidgets.Layout(width="20em"))
        self.text = ipywidgets.HTML()
        super().__init__([ipywidgets.HBox([self.bar, self.text])])
        self._draw()

    def __call__(self, done_bytes: int, total: int | None = None) -> None:
        """Show how many bytes have been received, and how many are expected if that is known now."""
        self.done_bytes = done_bytes
        self.total = total or self.total
        if time.monotonic() - self._shown >= SHORTEST_PAUSE:
            self._draw()

    def finish(self) -> None:
        """Show that the stream has ended."""
        self.finished = True
        self._draw()

    def words(self) -> str:
        """Return the state as one line of text."""
        if self.finished:
            return f"{self.title}: done, {self.done_bytes / MIB:.1f} MiB"
        if not self.done_bytes:
            return f"{self.title}: waiting"
        total = f" of about {self.total / MIB:.1f}" if self.total else ""
        return f"{self.title}: {self.done_bytes / MIB:.1f}{total} MiB"

    def share(self) -> float:
        """Return the share that is done. Without a total it approaches 1, and reaches 1 only at the end."""
        if self.finished:
            return 1.0
        if self.total:
            return min(self.done_bytes / self.total, 1.0)
        return self.done_bytes / (self.done_bytes + 4 * MIB)

    def _draw(self) -> None:
        self._shown = time.monotonic()
        self.bar.value = self.share()
        self.text.value = html.escape(self.words())

    def __repr__(self) -> str:
        return f"<{self.title}: a progress bar>"

    def page(self) -> str:
        """Return a sentence that says what a notebook shows here."""
        return f"<p>{html.escape(self.title)}: a progress bar, which moves while the bytes come.</p>"
