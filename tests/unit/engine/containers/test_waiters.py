"""The clients that wait for a container."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from dockerlab.engine.containers.waiters import Waiters
from dockerlab.engine.processes.process import RunningProcess

RESULT = {"Error": None, "StatusCode": 0}


def test_a_client_that_goes_away_is_forgotten() -> None:
    async def leave() -> None:
        waiters = Waiters()
        waiting = [waiters.wait(condition, None) for condition in ("not-running", "next-exit", "removed")]
        attached: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiters.attach(attached)
        for future in (*waiting, attached):
            future.cancel()
        await asyncio.sleep(0)
        assert waiters.exits == waiters.removals == waiters.attached == []

    asyncio.run(leave())


def test_all_attached_clients_are_connected_at_the_start() -> None:
    class Process:
        async def connect(self) -> str:
            await asyncio.sleep(0)
            return "connection"

    async def start() -> None:
        waiters = Waiters()
        attached: list[asyncio.Future[Any]] = [asyncio.get_running_loop().create_future() for _ in range(3)]
        for future in attached:
            waiters.attach(future)
        await waiters.connect_attached(cast("RunningProcess", Process()))
        assert [future.result() for future in attached] == ["connection"] * 3
        assert waiters.attached == []

    asyncio.run(start())


def test_the_end_of_a_container_is_the_result_of_each_wait() -> None:
    async def end() -> None:
        waiters = Waiters()
        exits, removal = [waiters.wait("next-exit", None) for _ in range(2)], waiters.wait("removed", None)
        waiters.notify_ended(RESULT)
        assert [future.result() for future in exits] == [RESULT] * 2
        assert not removal.done()
        waiters.notify_removed(RESULT)
        assert removal.result() == RESULT

    asyncio.run(end())
