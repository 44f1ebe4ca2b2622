"""A thread whose work nobody waits for any more ends before its next block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from dockerlab.engine.api.run_in_thread import blocks_in_thread
from dockerlab.engine.common.cancellable_threads import (
    Cancelled,
    check_cancelled,
    interrupted_by,
    run_cancellable,
)


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


def test_cancelling_interrupts_a_thread_that_waits() -> None:
    waiting, interrupted, errors = threading.Event(), threading.Event(), []

    def work() -> None:
        try:
            with interrupted_by(interrupted.set):
                waiting.set()
                interrupted.wait()
                raise OSError("the connection was closed")
        except BaseException as error:
            errors.append(type(error))
            raise

    async def cancel() -> None:
        task = asyncio.ensure_future(run_cancellable(work))
        await asyncio.to_thread(waiting.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert errors == [Cancelled]


def test_a_thread_that_is_not_cancelled_is_not_interrupted() -> None:
    interrupts: list[str] = []

    def work(fails: bool) -> str:
        with interrupted_by(lambda: interrupts.append("interrupted")):
            if fails:
                raise OSError("a real error")
        return "done"

    assert asyncio.run(run_cancellable(work, False)) == work(False) == "done"
    with pytest.raises(OSError, match="a real error"):
        asyncio.run(run_cancellable(work, True))
    assert interrupts == []


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
