"""A thread whose work nobody waits for any more ends before its next block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from dockerlab.engine.api.run_in_thread import blocks_in_thread
from dockerlab.engine.common.cancellable_threads import Cancelled, check_cancelled, run_cancellable


def test_the_result_or_the_exception_of_the_function_is_returned() -> None:
    def divide(number: int) -> float:
        check_cancelled()
        return 1 / number

    assert asyncio.run(run_cancellable(divide, 2)) == 0.5
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run_cancellable(divide, 0))


@pytest.mark.parametrize("times", [1, 2])
def test_cancelling_ends_the_function_and_waits_for_its_end(times: int) -> None:
    running, ended = threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        try:
            while True:
                check_cancelled()
        except Cancelled:
            ended.set()
            raise

    async def cancel() -> None:
        task = asyncio.ensure_future(run_cancellable(work))
        await asyncio.to_thread(running.wait, 10)
        for _ in range(times):
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(cancel())


def test_a_generator_that_is_not_read_to_its_end_is_closed() -> None:
    closed = threading.Event()

    def blocks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * (1 << 16)
        finally:
            closed.set()

    async def read_one() -> None:
        reader = blocks_in_thread(blocks())
        assert len(await anext(reader)) == 1 << 18  # type: ignore[arg-type]
        await reader.aclose()  # type: ignore[attr-defined]

    asyncio.run(read_one())
    assert closed.is_set()


def test_without_a_thread_of_its_own_nothing_is_cancelled() -> None:
    assert check_cancelled() is None  # type: ignore[func-returns-value]
