"""The clients that wait for a container: for its end, for its removal or, attached, for its next start."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import Conflict

if TYPE_CHECKING:
    from dockerlab.engine.processes.process import RunningProcess
    from dockerlab.engine.processes.shim_connection import ShimConnection

__all__ = ["Waiters"]

Result = dict[str, Any]


class Waiters:
    """The waiting clients of one container."""

    def __init__(self) -> None:
        self.exits: list[asyncio.Future[Result]] = []
        self.removals: list[asyncio.Future[Result]] = []
        self.attached: list[asyncio.Future[ShimConnection]] = []

    def wait(self, condition: str, result: Result | None) -> asyncio.Future[Result]:
        """Return a future for the response of wait. `result` is the last one of a container that is stopped."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        if condition == "removed":
            _add(self.removals, future)
        elif condition == "next-exit" or result is None:
            _add(self.exits, future)
        else:
            future.set_result(result)
        return future

    def attach(self, future: asyncio.Future[ShimConnection]) -> None:
        """Connect this client at the next start."""
        _add(self.attached, future)

    def notify_ended(self, result: Result) -> None:
        _resolve(self.exits, result)

    def notify_removed(self, result: Result) -> None:
        """Answer every client, because nothing is left to wait for."""
        self.refuse_attached()
        _resolve(self.exits, result)
        _resolve(self.removals, {**result, "Error": None})  # the client that started it got the error already

    async def connect_attached(self, running: RunningProcess) -> None:
        """Connect the clients that attached before the start."""
        for future in list(self.attached):
            if not future.done():
                with contextlib.suppress(OSError):
                    future.set_result(await running.connect())
        self.refuse_attached()

    def refuse_attached(self) -> None:
        """Refuse the attached clients that were not connected, because the container did not start."""
        for future in self.attached:
            if not future.done():
                future.set_exception(Conflict("the container did not start"))
        self.attached.clear()


def _add(futures: list[asyncio.Future[Any]], future: asyncio.Future[Any]) -> None:
    """Add a client that waits. One that goes away is removed, because a container may run for years."""

    def remove(_: object) -> None:
        with contextlib.suppress(ValueError):
            futures.remove(future)

    futures.append(future)
    future.add_done_callback(remove)


def _resolve(futures: list[asyncio.Future[Result]], result: Result) -> None:
    for future in futures:
        if not future.done():
            future.set_result(result)
    futures.clear()
