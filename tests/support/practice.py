"""Starts and finds the practice engine of this test process, by its command line, as a client does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest


def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m dockerlab.engine` with arguments."""
    command = [sys.executable, "-m", "dockerlab.engine", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def address(ran: subprocess.CompletedProcess[str]) -> str:
    """Give the address from the last line that `engine ensure` and `engine start` print."""
    lines = ran.stdout.strip().splitlines()
    if ran.returncode or not lines or not lines[-1].startswith("DOCKER_HOST="):
        pytest.fail(f"the practice engine did not start (code {ran.returncode}):\n{ran.stdout}{ran.stderr}")
    return lines[-1].removeprefix("DOCKER_HOST=")


def chosen_address() -> str:
    """Give the address of the engine that DOCKERLAB_ENGINE names; the practice engine is started if need be."""
    chosen = os.environ["DOCKERLAB_ENGINE"]
    return address(engine("ensure")) if chosen == "practice" else chosen


def program(name: str) -> str:
    """Find a program that a test needs: without it, skip, or fail where DOCKERLAB_REQUIRE_DOCKER is set."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("DOCKERLAB_REQUIRE_DOCKER"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found
