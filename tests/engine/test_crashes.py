"""The engine is killed a few times while clients work. `make test-crashes` does it many times."""

from __future__ import annotations

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
