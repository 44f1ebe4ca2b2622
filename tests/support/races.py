"""Exchanges two entries of a directory all the time, as a hostile program in a container does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["exchanging"]

AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def exchanging(first: Path, second: Path) -> Iterator[None]:
    """Exchange two paths in a thread, each time between two system calls of the other threads."""
    library, stop = ctypes.CDLL(None, use_errno=True), threading.Event()
    arguments = AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE

    def exchange() -> None:
        while not stop.is_set():
            library.renameat2(*arguments)

    assert library.renameat2(*arguments) == 0, os.strerror(ctypes.get_errno())
    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
