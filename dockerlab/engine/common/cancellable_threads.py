"""Work in threads that ends when its caller is cancelled.

A thread can't be stopped from outside. So whatever reads or writes many blocks in a thread calls `check_cancelled`
before each block.

The rule for clients: a request that has an upload, that streams its response, or that is listed in `http.routes` ends
with its client. `http.connection` cancels the handler, and the handler passes that on to its thread by
`run_cancellable`. Every other request is carried out to its end.
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
    """The caller no longer waits for the result of this thread."""


def check_cancelled() -> None:
    """Raise Cancelled if the work of this thread has been cancelled. Elsewhere this does nothing."""
    cancelled = getattr(_thread, "cancelled", None)
    if cancelled is not None and cancelled.is_set():
        raise Cancelled


async def run_cancellable(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a thread. If the caller is cancelled, cancel the function too, and wait until it has ended.

    The caller can then safely remove the files that the function was working on.
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
