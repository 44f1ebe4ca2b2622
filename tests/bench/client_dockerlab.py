"""The tasks with dockerlab: `call` returns the engine's response, the methods of the groups return tables."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

from worker import sockets

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import dockerlab

IMAGE = "busybox:latest"


class Client:
    """Each method is a task. It returns the size of what it has read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """Connect to the engine, and to the server of recorded responses."""
        self.facts = facts
        self._lab = dockerlab.connect(facts["host"])
        self._again = dockerlab.connect(facts["replay"])
        # load pandas and the groups, which a notebook loads only once
        self._lab.system.ping()
        self._lab.container.inspect(facts["names"][:1])

    def close(self) -> None:
        """Close the connections."""
        self._lab.close()
        self._again.close()

    def ping(self) -> int:
        """Ping 200 times."""
        return len([self._lab.call("SystemPing") for _ in range(200)])

    def ping_tables(self) -> int:
        """Make one table per response."""
        return sum(len(self._lab.system.ping()) for _ in range(200))

    def list(self) -> int:
        """List the labelled containers."""
        return len(self._lab.container.list(all=True, filters={"label": self.facts["label"]}))

    def inspect(self) -> int:
        """Inspect them one by one."""
        return len([self._lab.call("ContainerInspect", id=name).json() for name in self.facts["names"]])

    def inspect_tables(self) -> int:
        """Make one long table per container."""
        return len([self._lab.container.inspect(name) for name in self.facts["names"]])

    def inspect_wide(self) -> int:
        """Make one wide table of all."""
        return len(self._lab.container.inspect(self.facts["names"]))

    def stats(self) -> int:
        """Take one sample per running container."""
        return len(self._lab.container.stats(self.facts["running"]))

    def logs(self) -> int:
        """Read a long log: a table."""
        return len(self._lab.container.logs(self.facts["talker"]))

    def logs_again(self) -> int:
        """Read it from the server of recorded responses."""
        return len(self._again.container.logs(self.facts["talker"]))

    def stamped_again(self) -> int:
        """Read it with timestamps."""
        return len(self._again.container.logs(self.facts["talker"], timestamps=True))

    def logs_iterated(self) -> int:
        """Read it without keeping it."""
        with self._again.container.logs(self.facts["talker"], follow=True) as lines:
            return sum(1 for _ in lines)

    def export(self) -> int:
        """Write a container's files as a tar."""
        return int(self._lab.container.export(self.facts["filler"], self.facts["target"])["size_bytes"][0])

    def put(self) -> int:
        """Unpack a tar in a container."""
        done = self._lab.container.put_archive(self.facts["taker"], "/", self.facts["tar"])
        return Path(self.facts["tar"]).stat().st_size if done["status"][0] == 200 else 0

    def life(self) -> int:
        """Create, start, wait for and remove a container; return the number of requests."""
        self._lab.wire, container = type(self._lab.wire)(), self._lab.container
        created = container.create(IMAGE, cmd=["true"], labels=self.facts["labels"])
        name = created.set_index("field").loc["Id", "value"]
        container.start(name)
        container.wait(name)
        container.delete(name)
        return len(self._lab.wire)

    def exec(self) -> int:
        """Run a command in a running container, and request its exit code; return the number of requests."""
        self._lab.wire = type(self._lab.wire)()
        created = self._lab.container.exec(self.facts["running"][0], ["true"])
        name = created.set_index("field").loc["Id", "value"]
        with self._lab.exec.start(name) as stream:
            stream.read()
        code = self._lab.exec.inspect(name).set_index("field").loc["ExitCode", "value"]
        return len(self._lab.wire) if code == 0 else -1

    def events(self) -> int:
        """Read the events that the engine still has."""
        return len(self._lab.system.events(since=1, until=time.time()))

    def events_again(self) -> int:
        """Read 5,000 events from the server of recorded responses."""
        return len(self._again.system.events(since=1, until=2))

    def events_iterated(self) -> int:
        """Read them one by one."""
        with self._again.system.events(since=1) as events:
            return sum(1 for _ in events)

    # -- sockets -----------------------------------------------------------------------------------------------

    def sockets_of_urls(self) -> int:
        """Count the sockets that are open more after 300 different URLs."""
        before = sockets()
        for name in self.facts["names"]:
            self._lab.call("ContainerInspect", id=name)
        return sockets() - before

    def sockets_of_threads(self) -> int:
        """Return the number of additional sockets after simultaneous requests from 16 threads."""
        before = sockets()
        threads = [threading.Thread(target=self.inspect) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sockets() - before

    def sockets_after_close(self) -> int:
        """Count those that a Lab leaves open which used tables, threads and a session, and was closed."""
        before = sockets()
        with dockerlab.connect(self.facts["host"]) as lab:
            lab.container.inspect(self.facts["names"])
            lab.session.get(lab.url("/info"), timeout=60)
            for name in self.facts["running"]:
                lab.container.stats(name).__next__()
        return sockets() - before
