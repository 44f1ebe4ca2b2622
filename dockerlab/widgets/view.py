"""The live view: one widget whose text changes while a thread sends requests to the engine.

The thread only sets traits and never prints, so it needs no cell. It uses its own connection, so that `lab.last` stays
the last request of a cell. It ends after some time, by the button, or with the lesson.
"""

from __future__ import annotations

import html
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets

from dockerlab.errors import DockerlabError
from dockerlab.widgets.box import Box

if TYPE_CHECKING:
    from dockerlab.protocol.caller import Caller
    from dockerlab.widgets.html_table import Rows

#: The shortest pause between two updates, in seconds, whatever pause is requested.
SHORTEST_PAUSE = 0.25

_VIEWS: weakref.WeakSet[View] = weakref.WeakSet()


def stop_all() -> None:
    """Stop every live view of this process, and wait for its thread."""
    for view in list(_VIEWS):
        view.stop()


class View(Box):
    """The base of all live views. A subclass defines the requests (`ask`) and their display (`live`, `still`).

    `ask(lab)` sends the requests and returns their JSON. `live(answer)` and `still(answer)` are pure: `live` returns
    all columns, for the widget; `still` returns only what is the same in each run, for a page without widgets.
    """

    caption = "A live view"

    def __init__(self, lab: Caller, *, seconds: float = 60, pause: float = 0.5) -> None:
        """Prepare a view that updates every `pause` seconds, for `seconds`. It starts when it is displayed."""
        self._connect = partial(type(lab), lab.endpoint)
        self._connection: Caller | None = None
        self._seconds = seconds
        self._pause = max(pause, SHORTEST_PAUSE)
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.table = ipywidgets.HTML()
        self.note = ipywidgets.HTML()
        self.button = ipywidgets.Button(description="Stop", tooltip="Stop or start the updates")
        self.button.on_click(self._pressed)
        super().__init__([self.table, ipywidgets.HBox([self.button, self.note])])
        _VIEWS.add(self)

    # -- for subclasses ----------------------------------------------------------------------------------------

    def ask(self, lab: Caller) -> Any:
        """Send the requests, and return their JSON."""
        raise NotImplementedError

    def live(self, answer: Any) -> Rows:
        """Return the rows for the widget."""
        raise NotImplementedError

    def still(self, answer: Any) -> Rows:
        """Return the rows for a page without widgets: by default those of `live`."""
        return self.live(answer)

    # -- updates -----------------------------------------------------------------------------------------------

    def step(self) -> Any:
        """Update the view once, and return the engine's JSON."""
        answer = self.ask(self._connected())
        self.table.value = self.live(answer).html(self.caption)
        return answer

    def start(self) -> None:
        """Start updating in the background. Does nothing if the view is already running."""
        if self.running:
            return
        self._end.clear()
        self._thread = threading.Thread(target=self._run, name="dockerlab-view", daemon=True)
        self.button.description = "Stop"
        self._show_note(f"live, for {self._seconds:g} seconds")
        self._thread.start()

    def stop(self) -> None:
        """Stop updating, and wait until the last update is over."""
        self._end.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    @property
    def running(self) -> bool:
        """Whether the view is updating in the background."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        """Update until the end; an error ends the view, and is shown in it."""
        pauses = max(1, round(self._seconds / self._pause))
        note = "stopped"
        try:
            for _ in range(pauses):
                self.step()
                if self._end.wait(self._pause):
                    break
        except Exception as error:  # a thread must not print, so every error is shown in the view
            note = f"stopped: {error}"
        finally:
            self.button.description = "Start"
            self._show_note(note)
            self._disconnect()

    def _pressed(self, button: Any) -> None:
        if self.running:
            self._end.set()
        else:
            self.start()

    def _show_note(self, text: str) -> None:
        self.note.value = f"<span>{html.escape(text)}</span>"

    def _connected(self) -> Caller:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # -- display -----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<{self.caption}: a live view>"

    def page(self) -> str:
        """Update the view once, and return its static form as HTML."""
        try:
            return self.still(self.step()).html(self.caption)
        except DockerlabError as error:
            return f"<p>{html.escape(f'{self.caption}: {error}')}</p>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**options)
        self.start()
        return bundle
