"""Work in threads that ends when its caller is cancelled.

A thread can't be stopped from outside. So whatever reads or writes many blocks in a thread calls `check_cancelled`
before each block. A thread that may wait for a long time names a function that ends its waiting: see `interrupted_by`.

The rule for clients: a request that has an upload, that streams its response, or that is listed in `http.routes` ends
with its client. `http.connection` cancels the handler, and the handler passes that on to its thread by
`run_cancellable`. Every other request is carried out to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["Cancelled", "check_cancelled", "interrupted_by", "run_cancellable"]

T = TypeVar("T")
_thread = threading.local()


class Cancelled(Exception):
    """The caller no longer waits for the result of this thread."""


class _Cancellation:
    """Whether the work of one thread has been cancelled, and what ends its waiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], object]] = []
        self.is_set = False

    def set(self) -> None:
        with self._lock:
            self.is_set = True
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            interrupt()

    def add(self, interrupt: Callable[[], object]) -> None:
        with self._lock:
            self._interrupts.append(interrupt)

    def remove(self, interrupt: Callable[[], object]) -> None:
        with self._lock:
            self._interrupts.remove(interrupt)


def check_cancelled() -> None:
    """Raise Cancelled if the work of this thread has been cancelled. Elsewhere this does nothing."""
    cancellation: _Cancellation | None = getattr(_thread, "cancellation", None)
    if cancellation is not None and cancellation.is_set:
        raise Cancelled


@contextlib.contextmanager
def interrupted_by(interrupt: Callable[[], object]) -> Iterator[None]:
    """During the `with` block, call a function when the work of this thread is cancelled; it ends what the block does.

    The function is called in another thread. Raises Cancelled instead of the errors that it causes.
    """
    cancellation: _Cancellation | None = getattr(_thread, "cancellation", None)
    if cancellation is None:
        yield
        return
    cancellation.add(interrupt)
    try:
        check_cancelled()  # before the function was added, nobody called it
        yield
    except Exception:
        check_cancelled()
        raise
    finally:
        cancellation.remove(interrupt)


async def run_cancellable(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a thread. If the caller is cancelled, cancel the function too, and wait until it has ended.

    The caller can then safely remove the files that the function was working on.
    """
    cancellation = _Cancellation()

    def run() -> T:
        _thread.cancellation = cancellation
        try:
            return function(*arguments)
        finally:
            _thread.cancellation = None

    future = asyncio.get_running_loop().run_in_executor(None, run)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancellation.set()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):  # a second cancellation doesn't end the thread sooner
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # tells asyncio that nobody is interested in it
        raise
