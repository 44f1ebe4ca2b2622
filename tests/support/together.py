"""Threads in tests: many that do the same at once, one that reads until it is closed, one that serves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from typing import Protocol, TypeVar

__all__ = ["Body", "at_once", "closed_while_read", "served"]

S = TypeVar("S", bound=BaseServer)


class Body(Protocol):
    """What is read, and can be closed meanwhile."""

    def chunks(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


def at_once(act: Callable[[], object], *, threads: int, seconds: float = 60) -> None:
    """Let so many threads do it, and wait for all; the first failure is raised here."""
    begun = [_Thread(act) for _ in range(threads)]
    for thread in begun:
        thread.result(seconds)


def closed_while_read(body: Body) -> tuple[list[bytes], float]:
    """Close it while a thread reads: give what was read until then, and after how many seconds the reading ended."""
    got: list[bytes] = []
    reader = _Thread(lambda: got.extend(body.chunks()))
    time.sleep(0.2)
    assert reader.is_alive(), "nothing was left to be read when it was to be closed"
    clock = time.monotonic()
    body.close()
    reader.result(10)
    return got, time.monotonic() - clock


class _Thread(threading.Thread):
    """A thread that runs already, and keeps its failure for whoever waits for it."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._failed: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._act()
        except BaseException as error:
            self._failed = error

    def result(self, seconds: float) -> None:
        """Wait until it has ended; fail as it failed, or if it goes on."""
        self.join(seconds)
        if self._failed is not None:
            raise self._failed
        assert not self.is_alive(), f"not done within {seconds} s"


@contextmanager
def served(server: S) -> Iterator[S]:
    """Let a server serve in a thread while the block runs."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
