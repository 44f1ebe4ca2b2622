"""What a lesson itself does on the engine: it finds, inspects and removes the containers with its labels."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from dockerlab.errors import DockerlabError, EngineError
from dockerlab.protocol.streams import frames, lines, tar_members, unframed

if TYPE_CHECKING:
    from dockerlab.lab.lab import Lab

LESSON_LABEL = "dockerlab.lesson"
SESSION_LABEL = "dockerlab.session"
NOT_FOUND, CONFLICT = 404, 409


class LessonError(DockerlabError):
    """A lesson can't go on. The text says why, and what to do."""


class LessonEngine:
    """The containers of one lesson in one session; those of others are never touched.

    It has a connection of its own, so that the learner's `lab.last` and `lab.wire` hold only the learner's requests.
    """

    def __init__(self, lab: Lab, number: str, session: str) -> None:
        self._lab = lab
        self.labels = {LESSON_LABEL: number, SESSION_LABEL: session}
        self.filters = {"label": [f"{name}={value}" for name, value in self.labels.items()]}

    @property
    def api(self) -> str:
        return self._lab.version

    def request_json(self, operation: str, **arguments: Any) -> Any:
        return self._lab.call(operation, **arguments).json()

    def containers(self) -> list[dict[str, Any]]:
        """Return the summaries of the lesson's containers, the newest first."""
        summaries = self.request_json("ContainerList", all=True, filters=self.filters)
        # the labels are compared again, because an engine that ignores the filter responds with all containers
        return [summary for summary in summaries if self.has_lesson_labels(summary.get("Labels") or {})]

    def has_lesson_labels(self, labels: dict[str, str]) -> bool:
        """Return whether these are the labels of this lesson and session."""
        return all(labels.get(name) == value for name, value in self.labels.items())

    def inspect(self, name: str) -> dict[str, Any] | None:
        """Return a container's inspect document, or None if there is no such container."""
        try:
            container: dict[str, Any] = self.request_json("ContainerInspect", id=name)
        except EngineError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return container

    def has_image(self, name: str) -> bool:
        try:
            self.request_json("ImageInspect", name=name)
        except EngineError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def log(self, name: str, *, stdout: bool = True, stderr: bool = True, tail: str = "all") -> list[str]:
        """Return the lines of a container's log so far."""
        tty = (self.inspect(name) or {}).get("Config", {}).get("Tty")
        with self._lab.open("ContainerLogs", id=name, stdout=stdout, stderr=stderr, tail=tail) as response:
            pieces = unframed(response.chunks()) if tty else frames(response.chunks())
            return [line.message for line in lines(pieces, tty=tty)]

    def members(self, name: str) -> dict[str, int]:
        """Return the path and size of each regular file in a container's export, without unpacking it."""
        with self._lab.open("ContainerExport", id=name) as response:
            members = tar_members(response.chunks())
            return {member.path: member.size_bytes for member in members if member.kind == "file"}

    def remove_containers(self) -> list[str]:
        """Remove the lesson's containers with their processes and anonymous volumes, and return their names."""
        names = []
        for summary in self.containers():
            self.remove(summary["Id"])
            names.append(summary["Names"][0].lstrip("/"))
        return sorted(names)

    def remove(self, container_id: str) -> None:
        """Remove one of the lesson's containers."""
        # Docker kills a container that it is forced to remove, but Podman first waits 10 s for it to end by itself
        with contextlib.suppress(EngineError):  # the engine refuses to kill a stopped container
            self._lab.call("ContainerKill", id=container_id)
        try:
            self._lab.call("ContainerDelete", id=container_id, force=True, v=True)
        except EngineError as error:
            if error.status not in (NOT_FOUND, CONFLICT):  # it is gone, or its removal is under way
                raise

    def close(self) -> None:
        self._lab.close()
