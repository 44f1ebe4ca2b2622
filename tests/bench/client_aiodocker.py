"""The tasks with aiodocker, in its own environment. Independent requests are sent concurrently."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any

import aiodocker

IMAGE = "busybox:latest"
#: As many at once as dockerlab asks.
AT_ONCE = 4


class Client:
    """Each method is a task. It returns the size of what it has read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """Connect to the engine, and to the server of recorded responses."""
        self.facts = facts
        self._loop = asyncio.new_event_loop()
        self._docker, self._again = self._run(self._connect(facts["host"])), self._run(self._connect(facts["replay"]))

    async def _connect(self, url: str) -> Any:
        return aiodocker.Docker(url=url)

    def _run(self, task: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(task)

    def close(self) -> None:
        """Close the connections."""
        self._run(self._docker.close())
        self._run(self._again.close())
        self._loop.close()

    def list(self) -> int:
        """List the labelled containers."""
        return len(self._run(self._docker.containers.list(all=True, filters=self._chosen())))

    def _chosen(self) -> str:
        return json.dumps({"label": [self.facts["label"]]})

    def inspect(self) -> int:
        """Inspect them one by one."""

        async def each() -> int:
            return len([await self._docker.containers.container(name).show() for name in self.facts["names"]])

        return int(self._run(each()))

    def inspect_wide(self) -> int:
        """Inspect them concurrently."""

        async def some(names: list[str]) -> int:
            return len([await self._docker.containers.container(name).show() for name in names])

        async def every() -> int:
            names = self.facts["names"]
            return sum(await asyncio.gather(*(some(names[first::AT_ONCE]) for first in range(AT_ONCE))))

        return int(self._run(every()))

    def logs(self) -> int:
        """Read a long log, and its lines."""
        return self._log(self._docker)

    def logs_again(self) -> int:
        """Read it from the server of recorded responses."""
        return self._log(self._again)

    def _log(self, docker: Any) -> int:
        container = docker.containers.container(self.facts["talker"])
        return len("".join(self._run(container.log(stdout=True, stderr=True))).splitlines())

    def life(self) -> int:
        """Create, start, wait for and remove a container."""

        async def lived() -> int:
            config = {"Image": IMAGE, "Cmd": ["true"], "Labels": self.facts["labels"]}
            container = await self._docker.containers.create(config)
            await container.start()
            await container.wait()
            await container.delete()
            return 4

        return int(self._run(lived()))

    def exec(self) -> int:
        """Run a command in a running container, and request its exit code."""

        async def run() -> int:
            job = await self._docker.containers.container(self.facts["running"][0]).exec(["true"])
            async with job.start() as stream:
                while await stream.read_out() is not None:
                    pass
            return 3 if (await job.inspect())["ExitCode"] == 0 else -1

        return int(self._run(run()))

    def events(self) -> int:
        """Read the events that the engine still has."""
        return self._events(self._docker, str(time.time()))

    def events_again(self) -> int:
        """Read 5,000 events from the server of recorded responses."""
        return self._events(self._again, "2")

    def _events(self, docker: Any, until: str) -> int:
        async def read() -> int:
            count = 0
            async with docker._query("events", params={"since": "1", "until": until}) as answer:
                async for line in answer.content:
                    count += bool(line.strip()) and bool(json.loads(line))
            return count

        return int(self._run(read()))
