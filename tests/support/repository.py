"""This repository's files, and a newcomer's copy of it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

__all__ = ["PACKAGE", "ROOT", "Newcomer", "files", "functions", "imported_names", "modules", "relative"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "dockerlab"


@cache
def files() -> tuple[Path, ...]:
    """Return every file that is in git, or would be after `git add`."""
    # Another user than the one who tests may own the checkout.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(ROOT / name for name in output.split("\0") if name and (ROOT / name).is_file()))


def modules(directory: Path = PACKAGE) -> list[Path]:
    """Return the Python files below a directory."""
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(directory)]


def relative(path: Path) -> str:
    """Return a path relative to the root."""
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions of a file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported_names(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a file imports, relative imports included."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            base = ".".join(part for part in (start, node.module) if part)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


# -- a newcomer: an ordinary user with an empty home, a copy of the repository, and no environment -----------

NOBODY = 65534
#: A newcomer's pip reaches the package index in the way that this machine's settings say.
INDEX_SETTINGS = (
    *("PIP_", "UV_", "SSL_CERT", "REQUESTS_CA"),
    *("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy"),
)


@dataclass
class Newcomer:
    """Runs commands in a copy of the repository: as `nobody` if the tests run as root, else as the tests' user."""

    base: Path
    python: str = ""

    @property
    def copy(self) -> Path:
        """The copy of the repository."""
        return self.base / "tree"

    def set_up(self) -> None:
        """Make the home and the copy, and find a Python that this user may run."""
        (self.base / "home").mkdir(parents=True)
        for path in files():
            target = self.copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", str(NOBODY), self.base], check=True)
        for python in (getattr(sys, "_base_executable", sys.executable), "/usr/bin/python3"):
            if self.may_use(python):
                self.python = python
                return
        pytest.fail("no Python ≥ 3.11 with venv that an ordinary user may run")

    def may_use(self, python: str) -> bool:
        """Return whether this user can make virtual environments with a Python."""
        try:
            return self.run(python, "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))").returncode == 0
        except PermissionError:
            return False

    def process_options(self, settings: dict[str, str]) -> dict[str, Any]:
        """Return the options of `subprocess` for a process of this user."""
        environment = {name: value for name, value in os.environ.items() if name.startswith(INDEX_SETTINGS)}
        environment |= {"HOME": str(self.base / "home"), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        directory = self.copy if self.copy.exists() else self.base
        return {"cwd": directory, "env": environment | settings, "stdin": subprocess.DEVNULL, "text": True, **identity}

    def run(self, *command: str | Path, seconds: int = 60, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command with this user's environment and some settings."""
        options = self.process_options(settings)
        return subprocess.run(list(command), capture_output=True, check=False, timeout=seconds, **options)

    def start(self, *command: str | Path, **settings: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own, with its output in a pipe."""
        options = self.process_options(settings)
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "start_new_session": True}
        return subprocess.Popen(list(command), **options)

    def must(self, *command: str | Path, seconds: int = 60, **settings: str) -> str:
        """Run a command that must succeed, and return its output."""
        process = self.run(*command, seconds=seconds, **settings)
        output = process.stdout + process.stderr
        assert process.returncode == 0, f"{command} ended with {process.returncode}:\n{output}"
        return process.stdout
