"""What the engine does with the process ids in a control group."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dockerlab.engine.processes.cgroups import Cgroup, Hierarchies


@pytest.mark.parametrize("version", [1, 2])
def test_the_end_of_a_group_kills_each_process_of_it_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """0 stands for a process outside of the namespace. One that has just ended doesn't protect the others."""
    killed = []

    def kill(pid: int, number: int) -> None:
        if pid == 11:
            raise ProcessLookupError
        killed.append((pid, number))

    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "cgroup.procs").write_text("0\n11\n0\n12\n13\n")
    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(Cgroup, "remove", lambda group: None)
    Cgroup(Hierarchies(version, {"freezer": tmp_path, "memory": tmp_path}), "group").end()
    assert killed == [(12, signal.SIGKILL), (13, signal.SIGKILL)]
