"""The tasks with only the standard library: http.client on one reused connection, and json."""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from tasks import IMAGE, Subject

BLOCK = 1 << 18
STREAMS = {1: "stdout", 2: "stderr"}


class Client:
    """Each method is a task. It returns the size of what it has read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """Connect to the engine, and to the server of recorded responses."""
        self.facts = facts
        self._engine = Subject("raw", facts["host"])
        self._again = Subject("raw", facts["replay"])

    def close(self) -> None:
        """There is no connection to close."""

    def ping(self) -> int:
        """Ping 200 times."""
        for _ in range(200):
            with self._engine.answer("GET", "/_ping") as answer:
                answer.read()
        return 200

    def list(self) -> int:
        """List the labelled containers."""
        return len(self._engine.ask("GET", f"/containers/json?all=1&filters={self.facts['filter']}"))

    def inspect(self) -> int:
        """Inspect them one by one."""
        return len([self._engine.ask("GET", f"/containers/{name}/json") for name in self.facts["names"]])

    def stats(self) -> int:
        """Take one sample per running container, one by one."""
        query = "stats?stream=false&one-shot=true"
        return len([self._engine.ask("GET", f"/containers/{name}/{query}") for name in self.facts["running"]])

    def logs(self) -> int:
        """Read a long log: a list of (stream, line)."""
        return len(self._lines(self._engine))

    def logs_again(self) -> int:
        """Read it from the server of recorded responses."""
        return len(self._lines(self._again))

    def stamped_again(self) -> int:
        """Read it with timestamps, as text."""
        with self._log(self._again, "&timestamps=1") as answer:
            lines = [(stream, *line.decode("utf-8", "replace").split(" ", 1)) for stream, line in _frames(answer)]
        return len(lines)

    def logs_iterated(self) -> int:
        """Read it without keeping it."""
        with self._log(self._again) as answer:
            return sum(1 for _ in _frames(answer))

    def _log(self, subject: Subject, more: str = "") -> http.client.HTTPResponse:
        return subject.answer("GET", f"/containers/{self.facts['talker']}/logs?stdout=1&stderr=1{more}")

    def _lines(self, subject: Subject) -> list[tuple[str, str]]:
        with self._log(subject) as answer:
            return [(stream, line.decode("utf-8", "replace").rstrip("\n")) for stream, line in _frames(answer)]

    def export(self) -> int:
        """Write a container's files as a tar."""
        path = f"/containers/{self.facts['filler']}/export"
        with self._engine.answer("GET", path) as answer, Path(self.facts["target"]).open("wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
        return Path(self.facts["target"]).stat().st_size

    def put(self) -> int:
        """Unpack a tar in a container."""
        with Path(self.facts["tar"]).open("rb") as file:
            size = Path(self.facts["tar"]).stat().st_size
            headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
            connection = self._engine._connection
            connection.request("PUT", f"/containers/{self.facts['taker']}/archive?path=/", body=file, headers=headers)
            answer = connection.getresponse()
            answer.read()
        return size if answer.status == 200 else answer.status

    def life(self) -> int:
        """Create, start, wait for and remove a container."""
        config = {"Image": IMAGE, "Cmd": ["true"], "Labels": self.facts["labels"]}
        name = self._engine.ask("POST", "/containers/create", config)["Id"]
        self._engine.ask("POST", f"/containers/{name}/start")
        self._engine.ask("POST", f"/containers/{name}/wait")
        self._engine.ask("DELETE", f"/containers/{name}")
        return 4

    def exec(self) -> int:
        """Run a command in a running container, and request its exit code."""
        self._engine.exec(self.facts["running"][0])
        return 3

    def events(self) -> int:
        """Read the events that the engine still has."""
        with self._engine.answer("GET", f"/events?since=1&until={time.time():.9f}") as answer:
            return len([json.loads(line) for line in answer])

    def events_again(self) -> int:
        """Read 5,000 events from the server of recorded responses."""
        with self._again.answer("GET", "/events?since=1&until=2") as answer:
            return len([json.loads(line) for line in answer])


def _frames(answer: http.client.HTTPResponse) -> Any:
    """Read frame by frame, as the API documentation describes."""
    while header := answer.read(8):
        yield STREAMS[header[0]], answer.read(int.from_bytes(header[4:], "big"))
