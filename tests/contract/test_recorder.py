"""Recordings: many containers at a time, whole files whatever happens, and nothing left open."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerlab import DockerlabError
from dockerlab.errors import ArgumentError, NotFound
from dockerlab.lab.recorder import record, replay
from dockerlab.tables.events import event_table
from dockerlab.tables.inspection import container_inspections
from dockerlab.tables.stats import stats_table

BUSY = ["sh", "-c", "while :; do :; done"]


@pytest.fixture
def made(lab: Any, labels: dict[str, str]) -> Callable[..., str]:
    def make(name: str, cmd: list[str], start: bool = True) -> str:
        full = f"{name}-{labels['dockerlab.test'][-6:]}"
        lab.container.create("busybox", name=full, cmd=cmd, labels=labels)
        if start:
            lab.container.start(full)
        return full

    return make


def mine(labels: dict[str, str]) -> dict[str, list[str]]:
    return {"label": [f"dockerlab.test={labels['dockerlab.test']}"]}


def later(seconds: float, what: Callable[[], Any]) -> threading.Timer:
    timer = threading.Timer(seconds, what)
    timer.start()
    return timer


def test_samples_and_events_of_several(lab: Any, labels: dict[str, str], made: Any, tmp_path: Path) -> None:
    busy, idle, goes = made("busy", BUSY), made("idle", ["sleep", "60"]), made("goes", ["sleep", "60"])
    asked, threads = len(lab.wire), set(threading.enumerate())

    def act() -> None:
        lab.container.kill(goes)
        made("comes", ["sh", "-c", "sleep 1; exit 3"])
        lab.container.delete(goes, force=True)

    acts = later(1, act)
    got = record(lab, tmp_path / "r", seconds=5, interval=0.5, containers=mine(labels))
    acts.join()
    assert list(lab.wire)[asked].operation.id == "ContainerKill", "a recording's requests are its own"
    assert {busy, idle, goes} <= set(got.stats["name"])
    assert 4 <= (got.stats["name"] == idle).sum() <= 11, "Docker 20.10 takes a second for each"
    assert (got.stats["name"] == goes).sum() < (got.stats["name"] == idle).sum()
    ends = got.events[got.events["action"] == "die"]
    assert 3 in set(ends["exit_code"].dropna())
    assert got.events["time"].is_monotonic_increasing
    assert len(got.containers) >= 4
    from dockerlab.analyze.usage import rates

    rated = rates(got.stats)
    assert rated[rated["name"] == busy]["cpu_percent"].max() > 10
    assert not (rated[rated["name"] == idle]["cpu_percent"] > 10).any()
    assert {thread.name for thread in set(threading.enumerate()) - threads} == set()


def test_what_is_read_back_is_what_was_made(lab: Any, labels: dict[str, str], made: Any, tmp_path: Path) -> None:
    name = made("one", ["sleep", "60"])
    got = record(lab, tmp_path / "r", seconds=1, interval=0.3, containers=[name])
    again = replay(tmp_path / "r")
    assert again.stats.equals(got.stats)
    assert again.stats.dtypes.to_dict() == stats_table([]).dtypes.to_dict()
    assert again.events.dtypes.to_dict() == event_table([]).dtypes.to_dict()
    assert again.containers.dtypes.to_dict() == container_inspections([]).dtypes.to_dict()
    assert again.containers["labels"][0] == labels
    assert repr(again).startswith("<Recording r: ")
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupt_keeps_what_was_recorded(lab: Any, labels: dict[str, str], made: Any, tmp_path: Path) -> None:
    made("one", ["sleep", "60"])
    begin = time.monotonic()
    later(2, lambda: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    try:
        got = record(lab, tmp_path / "r", seconds=60, interval=0.3, containers=mine(labels))
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begin < 20
    assert len(got.stats) >= 3
    assert len(got.containers) == 1


def test_one_that_never_ran_makes_an_empty_recording(lab: Any, made: Any, tmp_path: Path) -> None:
    name = made("still", ["sleep", "60"], start=False)
    got = record(lab, tmp_path / "r", seconds=0.5, containers=[name])
    assert len(got.stats) == 0
    assert got.containers["state"].tolist() == ["created"]


def test_a_wrong_name_is_told_before_anything_is_written(lab: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nobody-at-all"):
        record(lab, tmp_path / "r", seconds=1, containers=["nobody-at-all"])
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": "5"}, {"seconds": 1, "interval": -1}])
def test_numbers_that_are_none(lab: Any, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="above 0"):
        record(lab, tmp_path / "r", **wrong)


def test_no_recording_and_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="Pass the directory that `record` wrote to"):
        replay(tmp_path)
    (tmp_path / "stats.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ArgumentError, match="Record it again"):
        replay(tmp_path)


def test_without_pyarrow_it_says_what_to_install(lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for action in (lambda: replay(tmp_path), lambda: record(lab, tmp_path / "r", seconds=1)):
        with pytest.raises(DockerlabError, match=r"pip install 'dockerlab\[parquet\]'"):
            action()
