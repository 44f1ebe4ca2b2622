"""Who waits for a container: for its end, for its removal, or, attached, for its next start."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import Conflict

if TYPE_CHECKING:
    from dockerlab.engine.processes.process import RunningProcess
    from dockerlab.engine.processes.shim_connection import ShimConnection

__all__ = ["Waiting"]

Record = dict[str, Any]


class Waiting:
    """The waiting clients of one container."""

    def __init__(self) -> None:
        """Begin without any."""
        self.exits: list[asyncio.Future[Record]] = []
        self.removals: list[asyncio.Future[Record]] = []
        self.attached: list[asyncio.Future[ShimConnection]] = []

    def wait(self, condition: str, result: Record | None) -> asyncio.Future[Record]:
        """Give a future for the answer of wait; `result` is how it ended, if it doesn't run."""
        future: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        if condition == "removed":
            self.removals.append(future)
        elif condition == "next-exit" or result is None:
            self.exits.append(future)
        else:
            future.set_result(result)
        return future

    def ended(self, result: Record) -> None:
        """Tell those who wait for an end."""
        _tell(self.exits, result)

    def removed(self, result: Record) -> None:
        """Tell everyone: there is nothing left to wait for."""
        self.not_started()
        _tell(self.exits, result)
        _tell(self.removals, {**result, "Error": None})  # whoever started it has heard why it failed

    async def connect(self, running: RunningProcess) -> None:
        """Connect those who attached before the start."""
        for future in self.attached:
            if not future.done():
                with contextlib.suppress(OSError):
                    future.set_result(await running.connect())
        self.not_started()

    def not_started(self) -> None:
        """Whoever is still waiting for a start waits no longer."""
        for future in self.attached:
            if not future.done():
                future.set_exception(Conflict("the container did not start"))
        self.attached.clear()


def _tell(waiting: list[asyncio.Future[Record]], result: Record) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(result)
    waiting.clear()
