"""A recording outlives what happens to its engine: one that is slow for a while, and one that goes away."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import temporary_engine
from plain_http import engine_pid

import dockerlab
from dockerlab.lab.recorder import record


@pytest.fixture
def own() -> Iterator[tuple[Any, int]]:
    """Give a Lab on an engine of our own with one container, and the engine's process."""
    with temporary_engine() as host, dockerlab.connect(host) as lab:
        lab.container.create("busybox", name="one", cmd=["sleep", "60"])
        lab.container.start("one")
        yield lab, engine_pid(host)


def stopped(pid: int, seconds: float) -> None:
    time.sleep(1)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def test_an_engine_that_is_slow_for_a_while(own: tuple[Any, int], tmp_path: Path) -> None:
    lab, pid = own
    thread = threading.Thread(target=stopped, args=(pid, 2))
    thread.start()
    got = record(lab, tmp_path / "r", seconds=5, interval=0.25)
    thread.join()
    gaps = got.stats["read"].diff().dt.total_seconds().dropna()
    assert gaps.max() > 1.5
    assert (gaps < 0.6).sum() >= 6, "it went on before and after"


def test_an_engine_that_goes_away(own: tuple[Any, int], tmp_path: Path) -> None:
    lab, pid = own
    threading.Timer(1.5, os.kill, (pid, signal.SIGKILL)).start()
    begin = time.monotonic()
    got = record(lab, tmp_path / "r", seconds=4, interval=0.25)
    assert time.monotonic() - begin < 12
    assert len(got.stats) >= 3
    assert got.containers["name"].tolist() == ["one"]
