"""A model of the states of Docker containers, with which engines are compared.

Each method is one request. It changes the model as Docker changes a container, and returns the status of the response.
The state machine that uses it has confirmed it on Docker 28.5 and 20.10 (tests/engine/containers/test_state_model.py).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMANDS", "READY", "Container", "Model"]

#: Commands by kind: one ends immediately, one ends on TERM, one ignores every signal except KILL.
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
    def is_alive(self) -> bool:
        """Whether it has processes."""
        return self.state in ("running", "paused")

    def run(self) -> None:
        """Start. A quick command has already ended."""
        self.starts += 1
        self.state, self.code = ("exited", 3) if self.kind == "quick" else ("running", 0)

    def end(self, code: int) -> None:
        """End with an exit code."""
        self.state, self.code = "exited", code


class Model:
    """All containers, by name."""

    def __init__(self) -> None:
        self.containers: dict[str, Container] = {}

    def create(self, name: str, kind: str) -> int:
        """POST /containers/create."""
        if name in self.containers:
            return CONFLICT
        self.containers[name] = Container(kind)
        return CREATED

    def start(self, name: str) -> int:
        """POST /containers/{id}/start."""
        if (container := self.containers.get(name)) is None:
            return NOT_FOUND
        if container.is_alive:
            return CONFLICT if container.state == "paused" else NOTHING_TO_DO
        container.run()
        return DONE

    def stop(self, name: str) -> int:
        """POST /containers/{id}/stop, which also ends a paused container."""
        if (container := self.containers.get(name)) is None:
            return NOT_FOUND
        if not container.is_alive:
            return NOTHING_TO_DO
        container.end(7 if container.kind == "patient" else KILLED)
        return DONE

    def restart(self, name: str) -> int:
        """POST /containers/{id}/restart."""
        if (container := self.containers.get(name)) is None:
            return NOT_FOUND
        container.run()
        return DONE

    def kill(self, name: str, signal: str) -> int:
        """POST /containers/{id}/kill. A main process ignores signals without a handler, except KILL."""
        if signal == "BOGUS":
            return WRONG
        if (container := self.containers.get(name)) is None:
            return NOT_FOUND
        if not container.is_alive:
            return CONFLICT
        container.state = "running"
        if signal == "KILL":
            container.end(KILLED)
        elif signal == "TERM" and container.kind == "patient":
            container.end(7)
        return DONE

    def pause(self, name: str) -> int:
        """POST /containers/{id}/pause."""
        if (container := self.containers.get(name)) is None:
            return NOT_FOUND
        if container.state != "running":
            return CONFLICT
        container.state = "paused"
        return DONE

    def unpause(self, name: str) -> int:
        """POST /containers/{id}/unpause."""
        if (container := self.containers.get(name)) is None:
            return NOT_FOUND
        if container.state != "paused":
            return FAILED
        container.state = "running"
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
        if (container := self.containers.get(name)) is None:
            return NOT_FOUND
        return CREATED if container.state == "running" else CONFLICT

    def remove(self, name: str, force: bool) -> int:
        """DELETE /containers/{id}."""
        if (container := self.containers.get(name)) is None:
            return NOT_FOUND
        if container.is_alive and not force:
            return CONFLICT
        del self.containers[name]
        return DONE
