"""The tasks with docker-py, in its own environment: with its APIClient, and with `containers` for objects."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import docker

IMAGE = "busybox:latest"


class Client:
    """Each method is a task. It returns the size of what it has read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """Connect to the engine, and to the server of recorded responses."""
        self.facts = facts
        self._docker = docker.DockerClient(base_url=facts["host"], version="auto", timeout=120)
        self._api = self._docker.api
        self._again = docker.APIClient(base_url=facts["replay"], version=self._api.api_version, timeout=120)

    def close(self) -> None:
        """Close the connections."""
        self._docker.close()
        self._again.close()

    def ping(self) -> int:
        """Ping 200 times."""
        return len([self._api.ping() for _ in range(200)])

    def list(self) -> int:
        """List the labelled containers."""
        return len(self._api.containers(all=True, filters={"label": self.facts["label"]}))

    def inspect(self) -> int:
        """Inspect them one by one."""
        return len([self._api.inspect_container(name) for name in self.facts["names"]])

    def inspect_wide(self) -> int:
        """Return objects of all containers, with one request per container."""
        return len(self._docker.containers.list(all=True, filters={"label": self.facts["label"]}))

    def stats(self) -> int:
        """Take one sample per running container, one by one."""
        return len([self._api.stats(name, stream=False, one_shot=True) for name in self.facts["running"]])

    def logs(self) -> int:
        """Read a long log, and its lines."""
        return len(self._api.logs(self.facts["talker"]).splitlines())

    def logs_again(self) -> int:
        """Read it from the server of recorded responses."""
        return len(self._again.logs(self.facts["talker"]).splitlines())

    def export(self) -> int:
        """Write a container's files as a tar."""
        with Path(self.facts["target"]).open("wb") as file:
            for block in self._api.export(self.facts["filler"]):
                file.write(block)
        return Path(self.facts["target"]).stat().st_size

    def put(self) -> int:
        """Unpack a tar in a container."""
        with Path(self.facts["tar"]).open("rb") as file:
            done = self._api.put_archive(self.facts["taker"], "/", file)
        return Path(self.facts["tar"]).stat().st_size if done else 0

    def life(self) -> int:
        """Create, start, wait for and remove a container."""
        name = self._api.create_container(IMAGE, ["true"], labels=self.facts["labels"])["Id"]
        self._api.start(name)
        self._api.wait(name)
        self._api.remove_container(name)
        return 4

    def exec(self) -> int:
        """Run a command in a running container, and request its exit code."""
        name = self._api.exec_create(self.facts["running"][0], ["true"])["Id"]
        self._api.exec_start(name)
        return 3 if self._api.exec_inspect(name)["ExitCode"] == 0 else -1

    def events(self) -> int:
        """Read the events that the engine still has."""
        return len(list(self._api.events(since=1, until=int(time.time()), decode=True)))

    def events_again(self) -> int:
        """Read 5,000 events from the server of recorded responses."""
        return len(list(self._again.events(since=1, until=2, decode=True)))
