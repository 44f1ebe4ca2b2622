"""What Docker says to each request about a container, as a model: the statement that engines are held against.

Each method is one request: it changes the model as the request changes a container, and gives the status of the answer.
Proved on Docker 28.5 and 20.10 by the machine that drives it (tests/engine/containers/test_state_model.py).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMANDS", "READY", "Container", "Model"]

#: What a container does: end at once, end when it is told to, or take no notice of anything but KILL.
COMMANDS = {
    "quick": "exit 3",
    "patient": 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done',
    "stubborn": "echo ready; while :; do sleep 0.05; done",
}
READY = b"ready\n"
KILLED = 137
OK, CREATED, DONE, NOTHING_TO_DO, WRONG, NOT_FOUND, CONFLICT, FAILED = 200, 201, 204, 304, 400, 404, 409, 500


@dataclass(slots=True)
class Container:
    """One container: created, running, paused or exited."""

    kind: str
    state: str = "created"
    code: int = 0
    starts: int = 0

    @property
    def lives(self) -> bool:
        """Does it have processes?"""
        return self.state in ("running", "paused")

    def run(self) -> None:
        """Run; what ends at once has ended."""
        self.starts += 1
        self.state, self.code = ("exited", 3) if self.kind == "quick" else ("running", 0)

    def end(self, code: int) -> None:
        """End with a code."""
        self.state, self.code = "exited", code


class Model:
    """All containers, by name."""

    def __init__(self) -> None:
        """There is none."""
        self.containers: dict[str, Container] = {}

    def create(self, name: str, kind: str) -> int:
        """POST /containers/create."""
        if name in self.containers:
            return CONFLICT
        self.containers[name] = Container(kind)
        return CREATED

    def start(self, name: str) -> int:
        """POST /containers/{id}/start."""
        if (one := self.containers.get(name)) is None:
            return NOT_FOUND
        if one.lives:
            return CONFLICT if one.state == "paused" else NOTHING_TO_DO
        one.run()
        return DONE

    def stop(self, name: str) -> int:
        """POST /containers/{id}/stop; what is paused is woken up for it."""
        if (one := self.containers.get(name)) is None:
            return NOT_FOUND
        if not one.lives:
            return NOTHING_TO_DO
        one.end(7 if one.kind == "patient" else KILLED)
        return DONE

    def restart(self, name: str) -> int:
        """POST /containers/{id}/restart."""
        if (one := self.containers.get(name)) is None:
            return NOT_FOUND
        one.run()
        return DONE

    def kill(self, name: str, signal: str) -> int:
        """POST /containers/{id}/kill; a signal without a handler does nothing to a first process, but for KILL."""
        if signal == "BOGUS":
            return WRONG
        if (one := self.containers.get(name)) is None:
            return NOT_FOUND
        if not one.lives:
            return CONFLICT
        one.state = "running"
        if signal == "KILL":
            one.end(KILLED)
        elif signal == "TERM" and one.kind == "patient":
            one.end(7)
        return DONE

    def pause(self, name: str) -> int:
        """POST /containers/{id}/pause."""
        if (one := self.containers.get(name)) is None:
            return NOT_FOUND
        if one.state != "running":
            return CONFLICT
        one.state = "paused"
        return DONE

    def unpause(self, name: str) -> int:
        """POST /containers/{id}/unpause."""
        if (one := self.containers.get(name)) is None:
            return NOT_FOUND
        if one.state != "paused":
            return FAILED
        one.state = "running"
        return DONE

    def rename(self, name: str, new: str) -> int:
        """POST /containers/{id}/rename."""
        if name not in self.containers:
            return NOT_FOUND
        if name == new:
            return WRONG
        if new in self.containers:
            return CONFLICT
        self.containers[new] = self.containers.pop(name)
        return DONE

    def exec(self, name: str) -> int:
        """POST /containers/{id}/exec."""
        if (one := self.containers.get(name)) is None:
            return NOT_FOUND
        return CREATED if one.state == "running" else CONFLICT

    def remove(self, name: str, force: bool) -> int:
        """DELETE /containers/{id}."""
        if (one := self.containers.get(name)) is None:
            return NOT_FOUND
        if one.lives and not force:
            return CONFLICT
        del self.containers[name]
        return DONE
