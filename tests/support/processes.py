"""Processes, threads and programs: what this process holds, and how a test waits for something."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseServer
from typing import Protocol, TypeVar

import pytest

__all__ = [
    "ReadableStream",
    "children",
    "close_while_reading",
    "command_line",
    "open_files",
    "program",
    "run_in_threads",
    "serving_in_thread",
    "wait_until",
]

S = TypeVar("S", bound=BaseServer)


def children() -> set[int]:
    """Return the pids of this process's children, including those that ended and were not waited for."""
    return {int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()}


def open_files() -> int:
    """Return the number of files that this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def command_line(pid: int) -> str:
    """Return the command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def program(name: str) -> str:
    """Return the path of a program. Without it, skip the test, or fail it if DOCKERLAB_REQUIRE_DOCKER is set."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("DOCKERLAB_REQUIRE_DOCKER"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return path


def wait_until(
    condition: Callable[[], object], seconds: float = 20, what: str = "the condition", pause: float = 0.05
) -> object:
    """Call a function until its result is true, and return that. Fail after so many seconds."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(pause)
    return result


# -- threads -------------------------------------------------------------------------------------------------


class ReadableStream(Protocol):
    """A stream that one thread reads while another may close it."""

    def chunks(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


def run_in_threads(act: Callable[[], object], *, threads: int, seconds: float = 60) -> None:
    """Run a function in several threads at once and wait for all of them. Raise the first failure."""
    running = [_Thread(act) for _ in range(threads)]
    for thread in running:
        thread.result(seconds)


def close_while_reading(stream: ReadableStream) -> tuple[list[bytes], float]:
    """Close a stream while a thread reads it. Return the chunks, and the seconds until the reader ended."""
    chunks: list[bytes] = []
    reader = _Thread(lambda: chunks.extend(stream.chunks()))
    time.sleep(0.2)
    assert reader.is_alive(), "the stream ended before it was closed"
    start = time.monotonic()
    stream.close()
    reader.result(10)
    return chunks, time.monotonic() - start


class _Thread(threading.Thread):
    """A thread that starts at once and keeps its exception for the caller of `result`."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._act()
        except BaseException as error:
            self._error = error

    def result(self, seconds: float) -> None:
        """Wait until the thread has ended. Raise its exception, or fail if it is still running."""
        self.join(seconds)
        if self._error is not None:
            raise self._error
        assert not self.is_alive(), f"not done within {seconds} s"


@contextmanager
def serving_in_thread(server: S) -> Iterator[S]:
    """Run a server in a thread while the block runs."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
