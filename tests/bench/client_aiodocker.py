"""The tasks with aiodocker, in an environment of its own. It sends requests concurrently where dockerlab does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Sequence
from typing import Any

import aiodocker

IMAGE = "busybox:latest"
#: The number of concurrent requests, the same as dockerlab's.
CONCURRENCY = 4


class Client:
    """Each method is a task that returns how many items or bytes it read, or the number of its requests."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self._loop = asyncio.new_event_loop()
        self._docker = self._run(self._connect(facts["host"]))
        self._replay = self._run(self._connect(facts["replay_host"]))

    async def _connect(self, url: str) -> Any:
        return aiodocker.Docker(url=url)

    def _run(self, task: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(task)

    def close(self) -> None:
        self._run(self._docker.close())
        self._run(self._replay.close())
        self._loop.close()

    def list(self) -> int:
        """List the prepared containers."""
        filters = json.dumps({"label": [self.facts["label"]]})
        return len(self._run(self._docker.containers.list(all=True, filters=filters)))

    def inspect(self) -> int:
        """Inspect the containers one by one."""
        return int(self._run(self._inspect(self.facts["names"])))

    def inspect_wide(self) -> int:
        """Inspect the containers, some of them at the same time."""

        async def inspect_all() -> int:
            names = self.facts["names"]
            parts = (names[start::CONCURRENCY] for start in range(CONCURRENCY))
            return sum(await asyncio.gather(*map(self._inspect, parts)))

        return int(self._run(inspect_all()))

    async def _inspect(self, names: Sequence[str]) -> int:
        return len([await self._docker.containers.container(name).show() for name in names])

    def logs(self) -> int:
        """Read a long log and split it into lines."""
        return self._count_lines(self._docker)

    def logs_from_file(self) -> int:
        """Read the same log from the replay server."""
        return self._count_lines(self._replay)

    def _count_lines(self, docker: Any) -> int:
        container = docker.containers.container(self.facts["log_container"])
        return len("".join(self._run(container.log(stdout=True, stderr=True))).splitlines())

    def lifecycle(self) -> int:
        """Create, start, wait for and remove a container."""

        async def create_and_remove() -> int:
            config = {"Image": IMAGE, "Cmd": ["true"], "Labels": self.facts["labels"]}
            container = await self._docker.containers.create(config)
            await container.start()
            await container.wait()
            await container.delete()
            return 4

        return int(self._run(create_and_remove()))

    def exec(self) -> int:
        """Run a command in a running container and request its exit code."""

        async def run_command() -> int:
            execution = await self._docker.containers.container(self.facts["running"][0]).exec(["true"])
            async with execution.start() as stream:
                while await stream.read_out() is not None:
                    pass
            return 3 if (await execution.inspect())["ExitCode"] == 0 else -1

        return int(self._run(run_command()))

    def events(self) -> int:
        """Read the events that the engine stores."""
        return self._count_events(self._docker, str(time.time()))

    def events_from_file(self) -> int:
        """Read 5,000 events from the replay server."""
        return self._count_events(self._replay, "2")

    def _count_events(self, docker: Any, until: str) -> int:
        async def read() -> int:
            count = 0
            async with docker._query("events", params={"since": "1", "until": until}) as response:
                async for line in response.content:
                    count += bool(line.strip()) and bool(json.loads(line))
            return count

        return int(self._run(read()))
