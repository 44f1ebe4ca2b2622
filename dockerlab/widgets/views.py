"""The live views of the first lessons: containers, processes, logs, states."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dockerlab.errors import EngineError
from dockerlab.protocol.streams import frames, lines, unframed
from dockerlab.widgets.html_table import Rows, rows
from dockerlab.widgets.view import View

if TYPE_CHECKING:
    from dockerlab.lab.lab import Lab

NOT_FOUND, CONFLICT = 404, 409
GONE = "gone"

#: So many lines of a log are read each time; it may have millions.
LOOK_BACK = 200


class Containers(View):
    """A container list that follows the engine: `GET /containers/json?all=1` with your filters."""

    caption = "Containers"

    def __init__(self, lab: Lab, filters: Mapping[str, Any] | None = None, **options: Any) -> None:
        """Show the containers that the filters leave; give `lesson.filters` to see your own."""
        self.filters = dict(filters or {})
        super().__init__(lab, **options)

    def ask(self, lab: Lab) -> Any:
        """Ask for the list."""
        return lab.call("ContainerList", all=True, filters=self.filters or None).json()

    def live(self, answer: Any) -> Rows:
        """Show name, state, status and command, the newest first."""
        found = [(*_named(item), item["Status"], item["Command"]) for item in answer]
        return rows(("name", "state", "status", "command"), found, "No container.")

    def still(self, answer: Any) -> Rows:
        """Show name and state."""
        return rows(("name", "state"), [_named(item) for item in answer], "No container.")


def _named(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["Names"][0].lstrip("/"), item["State"]


class Processes(View):
    """A process table that follows one container: `GET /containers/{id}/top`."""

    caption = "Processes"

    def __init__(self, lab: Lab, container: str, ps_args: str = "-o pid,ppid,time,args", **options: Any) -> None:
        """Show the processes of a container; the last column is taken for the command line."""
        self.container = container
        self.ps_args = ps_args
        self.caption = f"Processes of {container}"
        super().__init__(lab, **options)

    def ask(self, lab: Lab) -> Any:
        """Ask for the processes. A container that doesn't run has none."""
        try:
            return lab.call("ContainerTop", id=self.container, ps_args=self.ps_args).json()
        except EngineError as error:
            if error.status not in (CONFLICT, NOT_FOUND):
                raise
            return {"Titles": [], "Processes": []}

    def live(self, answer: Any) -> Rows:
        """Show the columns that `ps` gave."""
        titles = [title.lower() for title in answer["Titles"]] or ["process"]
        return rows(titles, answer["Processes"] or [], "No process: it does not run.")

    def still(self, answer: Any) -> Rows:
        """Show the command lines."""
        return rows(("command",), [row[-1:] for row in answer["Processes"] or []], "No process: it does not run.")


class Logs(View):
    """The end of a container's log, as it grows: `GET /containers/{id}/logs?tail=…`."""

    caption = "Log"

    def __init__(self, lab: Lab, container: str, lines: int = 8, first: int = 3, **options: Any) -> None:
        """Show the last `lines` lines; a page without widgets shows the `first` ones of a short log."""
        self.container = container
        self.lines = lines
        self.first = first
        self.caption = f"Log of {container}"
        super().__init__(lab, **options)

    def ask(self, lab: Lab) -> Any:
        """Ask for the end of the log: pairs of stream and line."""
        tty = lab.call("ContainerInspect", id=self.container).json()["Config"]["Tty"]
        with lab.open("ContainerLogs", id=self.container, stdout=True, stderr=True, tail=str(LOOK_BACK)) as answer:
            pieces = unframed(answer.chunks()) if tty else frames(answer.chunks())
            return [(line.stream, line.message) for line in lines(pieces, tty=tty)]

    def live(self, answer: Any) -> Rows:
        """Show the last lines."""
        return rows(("stream", "line"), answer[-self.lines :], "No line yet.")

    def still(self, answer: Any) -> Rows:
        """Show the first lines."""
        return rows(("stream", "line"), answer[: self.first], "No line yet.")


class States(View):
    """A watcher: one row for each state that the containers were seen in, in order."""

    caption = "States"

    def __init__(self, lab: Lab, *containers: str, **options: Any) -> None:
        """Watch containers by name, four times a second."""
        self.containers = containers
        self.seen: list[tuple[str, str, float]] = []
        self._begun = time.monotonic()
        super().__init__(lab, **{"pause": 0.25, **options})

    def ask(self, lab: Lab) -> Any:
        """Ask for each container's state, and note what is new."""
        now = {name: _state(lab, name) for name in self.containers}
        self.seen = noted(self.seen, now, time.monotonic() - self._begun)
        return self.seen

    def live(self, answer: Any) -> Rows:
        """Show what was seen, with the seconds since the beginning."""
        return rows(("container", "state", "after"), [(name, state, f"{at:.1f} s") for name, state, at in answer])

    def still(self, answer: Any) -> Rows:
        """Show what was seen, without times."""
        return rows(("container", "state"), [(name, state) for name, state, _ in answer])


def noted(seen: Sequence[tuple[str, str, float]], now: Mapping[str, str], at: float) -> list[tuple[str, str, float]]:
    """Add to what was seen each container whose state is not the one last seen."""
    last = {name: state for name, state, _ in seen}
    return [*seen, *((name, state, at) for name, state in now.items() if last.get(name) != state)]


def _state(lab: Lab, name: str) -> str:
    try:
        return str(lab.call("ContainerInspect", id=name).json()["State"]["Status"])
    except EngineError as error:
        if error.status != NOT_FOUND:
            raise
        return GONE
