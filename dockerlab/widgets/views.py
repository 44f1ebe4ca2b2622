"""The live views: containers, processes, logs, states."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dockerlab.errors import EngineError
from dockerlab.protocol.streams import frames, lines, unframed
from dockerlab.widgets.html_table import Rows, rows
from dockerlab.widgets.view import View

if TYPE_CHECKING:
    from dockerlab.protocol.caller import Caller

NOT_FOUND, CONFLICT = 404, 409
GONE = "gone"

#: How many lines of a log each update reads: a log may have millions.
TAIL = 200


class Containers(View):
    """A container list that follows the engine: `GET /containers/json?all=1` with your filters."""

    caption = "Containers"

    def __init__(self, lab: Caller, filters: Mapping[str, Any] | None = None, **options: Any) -> None:
        """Show the containers that match the filters; `lesson.filters` selects those of a lesson."""
        self.filters = dict(filters or {})
        super().__init__(lab, **options)

    def ask(self, lab: Caller) -> Any:
        """Request the container list."""
        return lab.call("ContainerList", all=True, filters=self.filters or None).json()

    def live(self, answer: Any) -> Rows:
        """Show name, state, status and command, the newest container first."""
        cells = [(*_name_and_state(item), item["Status"], item["Command"]) for item in answer]
        return rows(("name", "state", "status", "command"), cells, "No container.")

    def still(self, answer: Any) -> Rows:
        """Show name and state."""
        return rows(("name", "state"), [_name_and_state(item) for item in answer], "No container.")


def _name_and_state(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["Names"][0].lstrip("/"), item["State"]


class Processes(View):
    """A process table that follows one container: `GET /containers/{id}/top`."""

    caption = "Processes"

    def __init__(self, lab: Caller, container: str, ps_args: str = "-o pid,ppid,time,args", **options: Any) -> None:
        """Show the processes of a container; the last column must be the command line."""
        self.container = container
        self.ps_args = ps_args
        self.caption = f"Processes of {container}"
        super().__init__(lab, **options)

    def ask(self, lab: Caller) -> Any:
        """Request the processes. A stopped container has none."""
        try:
            return lab.call("ContainerTop", id=self.container, ps_args=self.ps_args).json()
        except EngineError as error:
            if error.status not in (CONFLICT, NOT_FOUND):
                raise
            return {"Titles": [], "Processes": []}

    def live(self, answer: Any) -> Rows:
        """Show all columns of `ps`."""
        titles = [title.lower() for title in answer["Titles"]] or ["process"]
        return rows(titles, answer["Processes"] or [], "No process: it does not run.")

    def still(self, answer: Any) -> Rows:
        """Show the command lines."""
        return rows(("command",), [row[-1:] for row in answer["Processes"] or []], "No process: it does not run.")


class Logs(View):
    """The end of a container's log, as it grows: `GET /containers/{id}/logs?tail=…`."""

    caption = "Log"

    def __init__(self, lab: Caller, container: str, lines: int = 8, first: int = 3, **options: Any) -> None:
        """Show the last `lines` lines; a page without widgets shows the `first` lines of the same part."""
        self.container = container
        self.lines = lines
        self.first = first
        self.caption = f"Log of {container}"
        super().__init__(lab, **options)

    def ask(self, lab: Caller) -> Any:
        """Request the end of the log, and return pairs of stream and line."""
        tty = lab.call("ContainerInspect", id=self.container).json()["Config"]["Tty"]
        with lab.open("ContainerLogs", id=self.container, stdout=True, stderr=True, tail=str(TAIL)) as answer:
            pieces = unframed(answer.chunks()) if tty else frames(answer.chunks())
            return [(line.stream, line.message) for line in lines(pieces, tty=tty)]

    def live(self, answer: Any) -> Rows:
        """Show the last lines."""
        return rows(("stream", "line"), answer[-self.lines :], "No line yet.")

    def still(self, answer: Any) -> Rows:
        """Show the first lines."""
        return rows(("stream", "line"), answer[: self.first], "No line yet.")


class States(View):
    """The state changes of containers, in order: one row per container and state."""

    caption = "States"

    def __init__(self, lab: Caller, *containers: str, **options: Any) -> None:
        """Watch containers by name, four times a second."""
        self.containers = containers
        self.seen: list[tuple[str, str, float]] = []
        self._started = time.monotonic()
        super().__init__(lab, **{"pause": 0.25, **options})

    def ask(self, lab: Caller) -> Any:
        """Request each container's state, and add the changes."""
        states = {name: _state(lab, name) for name in self.containers}
        self.seen = with_changes(self.seen, states, time.monotonic() - self._started)
        return self.seen

    def live(self, answer: Any) -> Rows:
        """Show the changes, with the seconds since the start."""
        return rows(("container", "state", "after"), [(name, state, f"{at:.1f} s") for name, state, at in answer])

    def still(self, answer: Any) -> Rows:
        """Show the changes, without times."""
        return rows(("container", "state"), [(name, state) for name, state, _ in answer])


def with_changes(
    seen: Sequence[tuple[str, str, float]], states: Mapping[str, str], seconds: float
) -> list[tuple[str, str, float]]:
    """Return `seen` with one more entry per container whose state has changed."""
    last = {name: state for name, state, _ in seen}
    return [*seen, *((name, state, seconds) for name, state in states.items() if last.get(name) != state)]


def _state(lab: Caller, name: str) -> str:
    try:
        return str(lab.call("ContainerInspect", id=name).json()["State"]["Status"])
    except EngineError as error:
        if error.status != NOT_FOUND:
            raise
        return GONE
