"""Somebody who has just arrived: an ordinary user with an empty home, a copy of the repository, and no environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tree import ROOT, files

NOBODY = 65534
# how this machine reaches its package index is the machine's business, and a newcomer's pip needs it too
KEPT = ("PIP_", "UV_", "SSL_CERT", "REQUESTS_CA", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy")


@dataclass
class Newcomer:
    """Runs commands in `tree`, as `nobody` if the tests run as root, else as whoever runs the tests."""

    base: Path
    python: str = ""

    @property
    def tree(self) -> Path:
        """The copy of the repository."""
        return self.base / "tree"

    def arrive(self) -> None:
        """Make the home and the copy, and find a Python that this user may run."""
        (self.base / "home").mkdir(parents=True)
        for path in files():
            there = self.tree / path.relative_to(ROOT)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, there)
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", str(NOBODY), self.base], check=True)
        for python in (getattr(sys, "_base_executable", sys.executable), "/usr/bin/python3"):
            if self.may_use(python):
                self.python = python
                return
        pytest.fail("no Python ≥ 3.11 with venv that an ordinary user may run")

    def may_use(self, python: str) -> bool:
        """Tell whether this user can make environments with that Python."""
        try:
            return self.run(python, "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))").returncode == 0
        except PermissionError:
            return False

    def surroundings(self, settings: dict[str, str]) -> dict[str, Any]:
        """Give what a process of this user is started with."""
        environment = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        environment |= {"HOME": str(self.base / "home"), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        place = self.tree if self.tree.exists() else self.base
        return {"cwd": place, "env": environment | settings, "stdin": subprocess.DEVNULL, "text": True, **identity}

    def run(self, *command: str | Path, seconds: int = 60, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command with this user's environment and the given settings."""
        surroundings = self.surroundings(settings)
        return subprocess.run(list(command), capture_output=True, check=False, timeout=seconds, **surroundings)

    def start(self, *command: str | Path, **settings: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own, its output to be read."""
        surroundings = self.surroundings(settings)
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "start_new_session": True}
        return subprocess.Popen(list(command), **surroundings, **output)

    def must(self, *command: str | Path, seconds: int = 60, **settings: str) -> str:
        """Run a command that may not fail; give back what it printed."""
        ran = self.run(*command, seconds=seconds, **settings)
        assert ran.returncode == 0, f"{command} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
        return ran.stdout
