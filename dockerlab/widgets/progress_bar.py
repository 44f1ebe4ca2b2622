"""A progress bar for a stream whose length nobody knows beforehand, such as an export."""

from __future__ import annotations

import html
import time

import ipywidgets

from dockerlab.widgets.box import Box

MIB = 1024 * 1024
SHORTEST_PAUSE = 0.25


class Progress(Box):
    """A bar to hand to a call: `lab.container.export("web", "web.tar", progress=bar)`.

    Call it with the bytes that have come so far. It redraws four times a second at most, and for the last ones.
    """

    def __init__(self, title: str = "export", total: int | None = None) -> None:
        """Make an empty bar; `total` is the number of bytes expected, if anybody knows."""
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
        """Say how many bytes have come so far, and how many are expected if that is known now."""
        self.done_bytes = done_bytes
        self.total = total or self.total
        if time.monotonic() - self._shown >= SHORTEST_PAUSE:
            self._draw()

    def finish(self) -> None:
        """Say that the stream has ended."""
        self.finished = True
        self._draw()

    def words(self) -> str:
        """Give the bar as words."""
        if self.finished:
            return f"{self.title}: done, {self.done_bytes / MIB:.1f} MiB"
        if not self.done_bytes:
            return f"{self.title}: waiting"
        of = f" of about {self.total / MIB:.1f}" if self.total else ""
        return f"{self.title}: {self.done_bytes / MIB:.1f}{of} MiB"

    def share(self) -> float:
        """Give the part that is done: without a total it nears 1 and gets there at the end."""
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
        """Give one constant line."""
        return f"<{self.title}: a progress bar>"

    def page(self) -> str:
        """Say what a notebook shows here."""
        return f"<p>{html.escape(self.title)}: a progress bar, which moves while the bytes come.</p>"
