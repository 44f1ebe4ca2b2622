"""The tasks without a library: http.client with one kept-alive connection, and json."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from engine_client import IMAGE, EngineClient

BLOCK_BYTES = 1 << 18
STREAMS = {1: "stdout", 2: "stderr"}


class Client:
    """Each method is a task that returns how many items or bytes it read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self._engine = EngineClient("raw", facts["host"])
        self._replay = EngineClient("raw", facts["replay_host"])

    def close(self) -> None:
        """Do nothing: the connections end with the process."""

    def ping(self) -> int:
        """Ping 200 times."""
        for _ in range(200):
            with self._engine.open("GET", "/_ping") as response:
                response.read()
        return 200

    def list(self) -> int:
        """List the prepared containers."""
        return len(self._engine.request("GET", f"/containers/json?all=1&filters={self.facts['filter']}"))

    def inspect(self) -> int:
        """Inspect the containers one by one."""
        return len([self._engine.request("GET", f"/containers/{name}/json") for name in self.facts["names"]])

    def stats(self) -> int:
        """Take one sample per running container, one by one."""
        query = "stats?stream=false&one-shot=true"
        return len([self._engine.request("GET", f"/containers/{name}/{query}") for name in self.facts["running"]])

    def logs(self) -> int:
        """Read a long log into a list of (stream, line)."""
        return self._count_lines(self._engine)

    def logs_from_file(self) -> int:
        """Read the same log from the replay server."""
        return self._count_lines(self._replay)

    def logs_with_timestamps(self) -> int:
        """Read it with the timestamp of each line, as text."""
        with self._open_log(self._replay, "&timestamps=1") as response:
            lines = [(stream, *line.decode("utf-8", "replace").split(" ", 1)) for stream, line in _frames(response)]
        return len(lines)

    def logs_line_by_line(self) -> int:
        """Read it without keeping it."""
        with self._open_log(self._replay) as response:
            return sum(1 for _ in _frames(response))

    def _open_log(self, engine: EngineClient, options: str = "") -> http.client.HTTPResponse:
        return engine.open("GET", f"/containers/{self.facts['log_container']}/logs?stdout=1&stderr=1{options}")

    def _count_lines(self, engine: EngineClient) -> int:
        with self._open_log(engine) as response:
            lines = [(stream, line.decode("utf-8", "replace").rstrip("\n")) for stream, line in _frames(response)]
        return len(lines)

    def export(self) -> int:
        """Write a container's files to a tar."""
        path = f"/containers/{self.facts['export_container']}/export"
        with self._engine.open("GET", path) as response, Path(self.facts["export_file"]).open("wb") as file:
            while block := response.read(BLOCK_BYTES):
                file.write(block)
        return Path(self.facts["export_file"]).stat().st_size

    def put(self) -> int:
        """Unpack a tar in a container."""
        with Path(self.facts["put_file"]).open("rb") as file:
            size = Path(self.facts["put_file"]).stat().st_size
            headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
            path = f"/containers/{self.facts['put_container']}/archive?path=/"
            connection = self._engine.connection
            connection.request("PUT", path, body=file, headers=headers)
            response = connection.getresponse()
            response.read()
        return size if response.status == 200 else response.status

    def lifecycle(self) -> int:
        """Create, start, wait for and remove a container."""
        config = {"Image": IMAGE, "Cmd": ["true"], "Labels": self.facts["labels"]}
        container = self._engine.request("POST", "/containers/create", config)["Id"]
        self._engine.request("POST", f"/containers/{container}/start")
        self._engine.request("POST", f"/containers/{container}/wait")
        self._engine.request("DELETE", f"/containers/{container}")
        return 4

    def exec(self) -> int:
        """Run a command in a running container and request its exit code."""
        self._engine.exec(self.facts["running"][0])
        return 3

    def events(self) -> int:
        """Read the events that the engine stores."""
        with self._engine.open("GET", f"/events?since=1&until={time.time():.9f}") as response:
            return len([json.loads(line) for line in response])

    def events_from_file(self) -> int:
        """Read 5,000 events from the replay server."""
        with self._replay.open("GET", "/events?since=1&until=2") as response:
            return len([json.loads(line) for line in response])


def _frames(response: http.client.HTTPResponse) -> Iterator[tuple[str, bytes]]:
    """Read frame by frame, as the API's documentation describes."""
    while header := response.read(8):
        yield STREAMS[header[0]], response.read(int.from_bytes(header[4:], "big"))
