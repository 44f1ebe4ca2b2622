"""The live view: one widget whose text changes while a thread asks the engine.

A thread sets traits and does nothing else: it never prints, so it needs no cell. It has a connection of its own,
so `lab.last` stays with the cells. It ends after a time, by the button, or with the lesson.
"""

from __future__ import annotations

import html
import threading
import weakref
from typing import TYPE_CHECKING, Any

import ipywidgets

from dockerlab.errors import DockerlabError
from dockerlab.widgets.box import Box

if TYPE_CHECKING:
    from dockerlab.lab.lab import Lab
    from dockerlab.widgets.html_table import Rows

#: At most four updates a second, whatever is asked for.
SHORTEST_PAUSE = 0.25

_VIEWS: weakref.WeakSet[View] = weakref.WeakSet()


def stop_all() -> None:
    """Stop every live view of this process, and wait for their threads."""
    for view in list(_VIEWS):
        view.stop()


class View(Box):
    """What all live views share. A subclass says what to ask (`ask`) and how it reads (`live`, `still`).

    `ask(lab)` makes the requests and gives their JSON. `live(answer)` and `still(answer)` are pure: the first
    gives every column for the widget; the second only what is the same in each run, for a page without widgets.
    """

    caption = "A live view"

    def __init__(self, lab: Lab, *, seconds: float = 60, pause: float = 0.5) -> None:
        """Prepare a view that looks for `seconds`, each `pause`; it begins when it is displayed."""
        self._where = lab.endpoint.url
        self._own: Lab | None = None
        self._seconds = seconds
        self._pause = max(pause, SHORTEST_PAUSE)
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.table = ipywidgets.HTML()
        self.note = ipywidgets.HTML()
        self.button = ipywidgets.Button(description="Stop", tooltip="Stop or start asking the engine")
        self.button.on_click(self._pressed)
        super().__init__([self.table, ipywidgets.HBox([self.button, self.note])])
        _VIEWS.add(self)

    # -- what a subclass says ----------------------------------------------------------------------------------

    def ask(self, lab: Lab) -> Any:
        """Ask the engine; give the JSON."""
        raise NotImplementedError

    def live(self, answer: Any) -> Rows:
        """Make the rows for the widget."""
        raise NotImplementedError

    def still(self, answer: Any) -> Rows:
        """Make the rows for a page without widgets: by default the same."""
        return self.live(answer)

    # -- one step ----------------------------------------------------------------------------------------------

    def step(self) -> Any:
        """Look once, and show what was seen. Gives the engine's JSON."""
        answer = self.ask(self._connection())
        self.table.value = self.live(answer).html(self.caption)
        return answer

    def start(self) -> None:
        """Begin to look, in the background. Does nothing if it looks already."""
        if self.running:
            return
        self._end.clear()
        self._thread = threading.Thread(target=self._look, name="dockerlab-view", daemon=True)
        self.button.description = "Stop"
        self._say(f"live, for {self._seconds:g} seconds")
        self._thread.start()

    def stop(self) -> None:
        """Stop looking, and wait until the last look is over."""
        self._end.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    @property
    def running(self) -> bool:
        """Say whether the view is looking."""
        return self._thread is not None and self._thread.is_alive()

    def _look(self) -> None:
        """Step until the end; an engine's refusal is shown, and ends it too."""
        pauses = max(1, round(self._seconds / self._pause))
        said = "stopped"
        try:
            for _ in range(pauses):
                self.step()
                if self._end.wait(self._pause):
                    break
        except Exception as error:  # whatever it is: it is shown here, as a thread must not print
            said = f"stopped: {error}"
        finally:
            self.button.description = "Start"
            self._say(said)
            self._leave()

    def _pressed(self, button: Any) -> None:
        if self.running:
            self._end.set()
        else:
            self.start()

    def _say(self, text: str) -> None:
        self.note.value = f"<span>{html.escape(text)}</span>"

    def _connection(self) -> Lab:
        if self._own is None:
            import dockerlab

            self._own = dockerlab.connect(self._where)
        return self._own

    def _leave(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()

    # -- how it displays ---------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        """Give one constant line."""
        return f"<{self.caption}: a live view>"

    def page(self) -> str:
        """Give what there is to see now as a table."""
        try:
            return self.still(self.step()).html(self.caption)
        except DockerlabError as error:
            return f"<p>{html.escape(f'{self.caption}: {error}')}</p>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Give the widget with its words, and begin to look."""
        bundle = super()._repr_mimebundle_(**options)
        self.start()
        return bundle
