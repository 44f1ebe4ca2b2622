"""The engine is killed a few times while clients work. `make test-crashes` does it many times."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from repository import ROOT


@pytest.mark.timeout(120)
def test_nothing_is_lost_when_the_engine_is_killed() -> None:
    command = [sys.executable, str(ROOT / "tests/endurance/crash_loop.py"), "--times", "5", "--seed", "11"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert (process.returncode, process.stdout.splitlines()[-1:]) == (0, ["nothing was lost"]), (
        process.stdout + process.stderr
    )


@pytest.mark.timeout(240)
def test_nothing_is_half_done_when_the_engine_is_killed_in_the_middle_of_a_request() -> None:
    command = [sys.executable, str(ROOT / "tests/endurance/interrupted_work.py"), "--times", "10", "--seed", "11"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=230, check=False)
    assert (process.returncode, process.stdout.splitlines()[-1:]) == (0, ["nothing was lost, and nothing is left"]), (
        process.stdout + process.stderr
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.timeout(240)
def test_nothing_is_half_done_on_a_full_disk() -> None:
    command = [sys.executable, str(ROOT / "tests/endurance/full_disk.py")]
    command += ["--requests", "create,rename,commit,load,connect,volume create,put archive"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=230, check=False)
    assert (process.returncode, process.stdout.splitlines()[-1:]) == (0, ["nothing is half done"]), (
        process.stdout + process.stderr
    )
