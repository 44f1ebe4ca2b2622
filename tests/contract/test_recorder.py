"""Recordings: several containers at once, complete files in all cases, and nothing left open."""

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
def make(lab: Any, labels: dict[str, str]) -> Callable[..., str]:
    def make_container(name: str, cmd: list[str], start: bool = True) -> str:
        full = f"{name}-{labels['dockerlab.test'][-6:]}"
        lab.container.create("busybox", name=full, cmd=cmd, labels=labels)
        if start:
            lab.container.start(full)
        return full

    return make_container


def label_filter(labels: dict[str, str]) -> dict[str, list[str]]:
    return {"label": [f"dockerlab.test={labels['dockerlab.test']}"]}


def call_later(seconds: float, function: Callable[[], Any]) -> threading.Timer:
    timer = threading.Timer(seconds, function)
    timer.start()
    return timer


def test_samples_and_events_of_several(lab: Any, labels: dict[str, str], make: Any, tmp_path: Path) -> None:
    busy, idle, goes = make("busy", BUSY), make("idle", ["sleep", "60"]), make("goes", ["sleep", "60"])
    earlier, threads = len(lab.wire), set(threading.enumerate())

    def act() -> None:
        lab.container.kill(goes)
        make("comes", ["sh", "-c", "sleep 1; exit 3"])
        lab.container.delete(goes, force=True)

    timer = call_later(1, act)
    recording = record(lab, tmp_path / "r", seconds=5, interval=0.5, containers=label_filter(labels))
    timer.join()
    assert list(lab.wire)[earlier].operation.id == "ContainerKill", (
        "the requests of a recording are not in the Lab's wire log"
    )
    assert {busy, idle, goes} <= set(recording.stats["name"])
    assert 4 <= (recording.stats["name"] == idle).sum() <= 11, "Docker 20.10 needs a second for each sample"
    assert (recording.stats["name"] == goes).sum() < (recording.stats["name"] == idle).sum()
    ends = recording.events[recording.events["action"] == "die"]
    assert 3 in set(ends["exit_code"].dropna())
    assert recording.events["time"].is_monotonic_increasing
    assert len(recording.containers) >= 4
    from dockerlab.analyze.usage import rates

    rated = rates(recording.stats)
    assert rated[rated["name"] == busy]["cpu_percent"].max() > 10
    assert not (rated[rated["name"] == idle]["cpu_percent"] > 10).any()
    assert {thread.name for thread in set(threading.enumerate()) - threads} == set()


def test_a_recording_can_be_read_back(lab: Any, labels: dict[str, str], make: Any, tmp_path: Path) -> None:
    name = make("one", ["sleep", "60"])
    recording = record(lab, tmp_path / "r", seconds=1, interval=0.3, containers=[name])
    again = replay(tmp_path / "r")
    assert again.stats.equals(recording.stats)
    assert again.stats.dtypes.to_dict() == stats_table([]).dtypes.to_dict()
    assert again.events.dtypes.to_dict() == event_table([]).dtypes.to_dict()
    assert again.containers.dtypes.to_dict() == container_inspections([]).dtypes.to_dict()
    assert again.containers["labels"][0] == labels
    assert repr(again).startswith("<Recording r: ")
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupted_recording_is_kept(lab: Any, labels: dict[str, str], make: Any, tmp_path: Path) -> None:
    make("one", ["sleep", "60"])
    begin = time.monotonic()
    call_later(2, lambda: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process may ignore SIGINT
    try:
        recording = record(lab, tmp_path / "r", seconds=60, interval=0.3, containers=label_filter(labels))
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begin < 20
    assert len(recording.stats) >= 3
    assert len(recording.containers) == 1


def test_a_container_that_never_ran_gives_an_empty_recording(lab: Any, make: Any, tmp_path: Path) -> None:
    name = make("still", ["sleep", "60"], start=False)
    recording = record(lab, tmp_path / "r", seconds=0.5, containers=[name])
    assert len(recording.stats) == 0
    assert recording.containers["state"].tolist() == ["created"]


def test_a_wrong_name_is_an_error_before_anything_is_written(lab: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nobody-at-all"):
        record(lab, tmp_path / "r", seconds=1, containers=["nobody-at-all"])
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("arguments", [{"seconds": 0}, {"seconds": "5"}, {"seconds": 1, "interval": -1}])
def test_wrong_numbers(lab: Any, tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="above 0"):
        record(lab, tmp_path / "r", **arguments)


def test_a_missing_and_a_damaged_recording(tmp_path: Path) -> None:
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
