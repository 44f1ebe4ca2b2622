"""A recording is written even if its engine stalls for a while or is killed."""

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
def lab_and_pid() -> Iterator[tuple[Any, int]]:
    """Give a Lab on a new engine with one container, and the engine's pid."""
    with temporary_engine() as host, dockerlab.connect(host) as lab:
        lab.container.create("busybox", name="one", cmd=["sleep", "60"])
        lab.container.start("one")
        yield lab, engine_pid(host)


def stall(pid: int, seconds: float) -> None:
    time.sleep(1)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def test_an_engine_that_stalls(lab_and_pid: tuple[Any, int], tmp_path: Path) -> None:
    lab, pid = lab_and_pid
    thread = threading.Thread(target=stall, args=(pid, 2))
    thread.start()
    recording = record(lab, tmp_path / "r", seconds=5, interval=0.25)
    thread.join()
    gaps = recording.stats["read"].diff().dt.total_seconds().dropna()
    assert gaps.max() > 1.5
    assert (gaps < 0.6).sum() >= 6, "samples were taken before and after"


def test_an_engine_that_is_killed(lab_and_pid: tuple[Any, int], tmp_path: Path) -> None:
    lab, pid = lab_and_pid
    threading.Timer(1.5, os.kill, (pid, signal.SIGKILL)).start()
    begin = time.monotonic()
    recording = record(lab, tmp_path / "r", seconds=4, interval=0.25)
    assert time.monotonic() - begin < 12
    assert len(recording.stats) >= 3
    assert recording.containers["name"].tolist() == ["one"]
