"""The lesson's own hands and eyes on the engine: everything with its labels, and nothing else.

They use a connection of their own, so that `lab.last` and `lab.wire` hold what the learner's cells did.
"""

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
    """A lesson can't go on; the text says why, and what to do."""


class Eyes:
    """Looks at one lesson's containers, and removes them at its start and finish."""

    def __init__(self, lab: Lab, number: str, session: str) -> None:
        """Look through `lab` for the objects of one lesson in one session."""
        self._lab = lab
        self.labels = {LESSON_LABEL: number, SESSION_LABEL: session}
        self.filters = {"label": [f"{name}={value}" for name, value in self.labels.items()]}

    @property
    def api(self) -> str:
        """The API version in use."""
        return self._lab.version

    def ask(self, operation: str, **arguments: Any) -> Any:
        """Give the JSON of an operation's answer."""
        return self._lab.call(operation, **arguments).json()

    def own(self) -> list[dict[str, Any]]:
        """List the lesson's containers, the newest first.

        The labels are compared here once more: an engine that ignored the filter would answer with everything.
        """
        records = self.ask("ContainerList", all=True, filters=self.filters)
        return [record for record in records if self.is_own(record.get("Labels") or {})]

    def is_own(self, labels: dict[str, str]) -> bool:
        """Say whether these are the labels of this lesson and session."""
        return all(labels.get(name) == value for name, value in self.labels.items())

    def inspect(self, name: str) -> dict[str, Any] | None:
        """Give a container's inspect document, or None if there is no such container."""
        try:
            found: dict[str, Any] = self.ask("ContainerInspect", id=name)
        except EngineError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return found

    def has_image(self, name: str) -> bool:
        """Say whether the engine has an image."""
        try:
            self.ask("ImageInspect", name=name)
        except EngineError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def log(self, name: str, *, stdout: bool = True, stderr: bool = True, tail: str = "all") -> list[str]:
        """Give the lines of a container's log so far."""
        tty = (self.inspect(name) or {}).get("Config", {}).get("Tty")
        with self._lab.open("ContainerLogs", id=name, stdout=stdout, stderr=stderr, tail=tail) as answer:
            pieces = unframed(answer.chunks()) if tty else frames(answer.chunks())
            return [line.message for line in lines(pieces, tty=tty)]

    def members(self, name: str) -> dict[str, int]:
        """Give path and size of the regular files in a container's export, without unpacking one."""
        with self._lab.open("ContainerExport", id=name) as answer:
            return {member.path: member.size_bytes for member in tar_members(answer.chunks()) if member.kind == "file"}

    def remove_own(self) -> list[str]:
        """Remove the lesson's containers with their processes and anonymous volumes; give their names."""
        removed = []
        for record in self.own():
            self.remove(record["Id"])
            removed.append(record["Names"][0].lstrip("/"))
        return sorted(removed)

    def remove(self, identity: str) -> None:
        """Remove one container that was found to be the lesson's own, by its id."""
        with contextlib.suppress(EngineError):  # it does not run
            # Docker kills what it is forced to remove; Podman first waits 10 s for it to end by itself
            self._lab.call("ContainerKill", id=identity)
        try:
            self._lab.call("ContainerDelete", id=identity, force=True, v=True)
        except EngineError as error:
            if error.status not in (NOT_FOUND, CONFLICT):  # gone already, or being removed right now
                raise

    def close(self) -> None:
        """Close the connection."""
        self._lab.close()
