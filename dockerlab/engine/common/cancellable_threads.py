"""Work in threads that ends when nobody waits for it any more.

A thread can't be stopped from outside. So whatever reads or writes many blocks in a thread calls `check_cancelled`
before each block.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Cancelled", "check_cancelled", "run_cancellable"]

T = TypeVar("T")
_thread = threading.local()


class Cancelled(Exception):
    """Nobody waits for the result of this thread any more."""


def check_cancelled() -> None:
    """Raise Cancelled if the work of this thread has been cancelled. Elsewhere this does nothing."""
    cancelled = getattr(_thread, "cancelled", None)
    if cancelled is not None and cancelled.is_set():
        raise Cancelled


async def run_cancellable(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a thread. If this is cancelled, so is the function, and its end is awaited.

    So whoever is cancelled can then remove what the function has worked on.
    """
    cancelled = threading.Event()

    def run() -> T:
        _thread.cancelled = cancelled
        try:
            return function(*arguments)
        finally:
            _thread.cancelled = None

    future = asyncio.get_running_loop().run_in_executor(None, run)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancelled.set()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):  # a second cancellation doesn't end the thread sooner
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # tells asyncio that nobody is interested in it
        raise
