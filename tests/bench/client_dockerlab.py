"""The tasks with dockerlab: `call` returns the response, and the groups' methods return tables."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

from worker import open_sockets

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import dockerlab

IMAGE = "busybox:latest"


class Client:
    """Each method is a task that returns how many items or bytes it read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self._lab = dockerlab.connect(facts["host"])
        self._replay = dockerlab.connect(facts["replay_host"])
        # These calls import pandas and the groups, which a notebook does only once.
        self._lab.system.ping()
        self._lab.container.inspect(facts["names"][:1])

    def close(self) -> None:
        self._lab.close()
        self._replay.close()

    def ping(self) -> int:
        """Ping 200 times."""
        return len([self._lab.call("SystemPing") for _ in range(200)])

    def ping_tables(self) -> int:
        """Ping 200 times, with one table per ping."""
        return sum(len(self._lab.system.ping()) for _ in range(200))

    def list(self) -> int:
        """List the prepared containers."""
        return len(self._lab.container.list(all=True, filters={"label": self.facts["label"]}))

    def inspect(self) -> int:
        """Inspect the containers one by one."""
        return len([self._lab.call("ContainerInspect", id=name).json() for name in self.facts["names"]])

    def inspect_tables(self) -> int:
        """Inspect the containers one by one, with one long table per container."""
        return len([self._lab.container.inspect(name) for name in self.facts["names"]])

    def inspect_wide(self) -> int:
        """Inspect all containers as one wide table."""
        return len(self._lab.container.inspect(self.facts["names"]))

    def stats(self) -> int:
        """Take one sample per running container."""
        return len(self._lab.container.stats(self.facts["running"]))

    def logs(self) -> int:
        """Read a long log as a table."""
        return len(self._lab.container.logs(self.facts["log_container"]))

    def logs_from_file(self) -> int:
        """Read the same log from the replay server."""
        return len(self._replay.container.logs(self.facts["log_container"]))

    def logs_with_timestamps(self) -> int:
        """Read it with the timestamp of each line."""
        return len(self._replay.container.logs(self.facts["log_container"], timestamps=True))

    def logs_line_by_line(self) -> int:
        """Read it without keeping it."""
        with self._replay.container.logs(self.facts["log_container"], follow=True) as lines:
            return sum(1 for _ in lines)

    def export(self) -> int:
        """Write a container's files to a tar."""
        table = self._lab.container.export(self.facts["export_container"], self.facts["export_file"])
        return int(table["size_bytes"][0])

    def put(self) -> int:
        """Unpack a tar in a container."""
        table = self._lab.container.put_archive(self.facts["put_container"], "/", self.facts["put_file"])
        return Path(self.facts["put_file"]).stat().st_size if table["status"][0] == 200 else 0

    def lifecycle(self) -> int:
        """Create, start, wait for and remove a container. Return the number of requests that this took."""
        self._lab.wire, group = type(self._lab.wire)(), self._lab.container
        table = group.create(IMAGE, cmd=["true"], labels=self.facts["labels"])
        container = table.set_index("field").loc["Id", "value"]
        group.start(container)
        group.wait(container)
        group.delete(container)
        return len(self._lab.wire)

    def exec(self) -> int:
        """Run a command in a running container and request its exit code. Return the number of requests."""
        self._lab.wire = type(self._lab.wire)()
        table = self._lab.container.exec(self.facts["running"][0], ["true"])
        exec_id = table.set_index("field").loc["Id", "value"]
        with self._lab.exec.start(exec_id) as stream:
            stream.read()
        code = self._lab.exec.inspect(exec_id).set_index("field").loc["ExitCode", "value"]
        return len(self._lab.wire) if code == 0 else -1

    def events(self) -> int:
        """Read the events that the engine stores."""
        return len(self._lab.system.events(since=1, until=time.time()))

    def events_from_file(self) -> int:
        """Read 5,000 events from the replay server."""
        return len(self._replay.system.events(since=1, until=2))

    def events_one_by_one(self) -> int:
        """Read them without keeping them."""
        with self._replay.system.events(since=1) as events:
            return sum(1 for _ in events)

    # -- sockets: each task returns the number of additional open sockets --------------------------------------

    def sockets_after_urls(self) -> int:
        """Request 300 different URLs."""
        before = open_sockets()
        for name in self.facts["names"]:
            self._lab.call("ContainerInspect", id=name)
        return open_sockets() - before

    def sockets_after_threads(self) -> int:
        """Send requests from 16 threads at the same time."""
        before = open_sockets()
        threads = [threading.Thread(target=self.inspect) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return open_sockets() - before

    def sockets_after_close(self) -> int:
        """Use a Lab's tables, threads and session, and close it."""
        before = open_sockets()
        with dockerlab.connect(self.facts["host"]) as lab:
            lab.container.inspect(self.facts["names"])
            lab.session.get(lab.url("/info"), timeout=60)
            for name in self.facts["running"]:
                lab.container.stats(name).__next__()
        return open_sockets() - before
