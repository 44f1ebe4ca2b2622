"""The tasks with docker-py, in an environment of its own: its APIClient, or DockerClient for many containers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import docker

IMAGE = "busybox:latest"


class Client:
    """Each method is a task that returns how many items or bytes it read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self._docker = docker.DockerClient(base_url=facts["host"], version="auto", timeout=120)
        self._api = self._docker.api
        self._replay = docker.APIClient(base_url=facts["replay_host"], version=self._api.api_version, timeout=120)

    def close(self) -> None:
        self._docker.close()
        self._replay.close()

    def ping(self) -> int:
        """Ping 200 times."""
        return len([self._api.ping() for _ in range(200)])

    def list(self) -> int:
        """List the prepared containers."""
        return len(self._api.containers(all=True, filters={"label": self.facts["label"]}))

    def inspect(self) -> int:
        """Inspect the containers one by one."""
        return len([self._api.inspect_container(name) for name in self.facts["names"]])

    def inspect_wide(self) -> int:
        """List the containers as objects, for which docker-py inspects each one."""
        return len(self._docker.containers.list(all=True, filters={"label": self.facts["label"]}))

    def stats(self) -> int:
        """Take one sample per running container, one by one."""
        return len([self._api.stats(name, stream=False, one_shot=True) for name in self.facts["running"]])

    def logs(self) -> int:
        """Read a long log and split it into lines."""
        return len(self._api.logs(self.facts["log_container"]).splitlines())

    def logs_from_file(self) -> int:
        """Read the same log from the replay server."""
        return len(self._replay.logs(self.facts["log_container"]).splitlines())

    def export(self) -> int:
        """Write a container's files to a tar."""
        with Path(self.facts["export_file"]).open("wb") as file:
            for block in self._api.export(self.facts["export_container"]):
                file.write(block)
        return Path(self.facts["export_file"]).stat().st_size

    def put(self) -> int:
        """Unpack a tar in a container."""
        with Path(self.facts["put_file"]).open("rb") as file:
            is_unpacked = self._api.put_archive(self.facts["put_container"], "/", file)
        return Path(self.facts["put_file"]).stat().st_size if is_unpacked else 0

    def lifecycle(self) -> int:
        """Create, start, wait for and remove a container."""
        container = self._api.create_container(IMAGE, ["true"], labels=self.facts["labels"])["Id"]
        self._api.start(container)
        self._api.wait(container)
        self._api.remove_container(container)
        return 4

    def exec(self) -> int:
        """Run a command in a running container and request its exit code."""
        exec_id = self._api.exec_create(self.facts["running"][0], ["true"])["Id"]
        self._api.exec_start(exec_id)
        return 3 if self._api.exec_inspect(exec_id)["ExitCode"] == 0 else -1

    def events(self) -> int:
        """Read the events that the engine stores."""
        return len(list(self._api.events(since=1, until=int(time.time()), decode=True)))

    def events_from_file(self) -> int:
        """Read 5,000 events from the replay server."""
        return len(list(self._replay.events(since=1, until=2, decode=True)))
