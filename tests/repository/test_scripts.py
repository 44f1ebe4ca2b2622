"""The scripts of the tests start. Most of them need a Docker daemon or minutes, so `make test` doesn't run them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from repository import ROOT

SCRIPTS = (
    "tests/bench/client_speed.py",
    "tests/bench/engine_speed.py",
    "tests/endurance/crash_loop.py",
    "tests/endurance/soak.py",
    "tests/other_clients/run.py",
    "tests/scenario/run.py",
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_explains_its_options(script: str) -> None:
    command = [sys.executable, str(ROOT / script), "--help"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
    assert f"python {script} " in process.stdout


def test_the_makefile_runs_these_scripts() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [script for script in SCRIPTS if script not in makefile] == []
