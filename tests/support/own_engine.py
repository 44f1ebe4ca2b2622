"""Starts a practice engine for one run, in a directory of its own, and takes it away again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def own_engine(isolation: str = "") -> Iterator[str]:
    """Give the address of a new practice engine; its containers and its directory are gone afterwards."""
    base = Path(tempfile.mkdtemp(prefix="dlab-"))  # short: a socket's path has at most 107 bytes
    where = ["--host", f"unix://{base}/e.sock", "--state", str(base / "state")]
    try:
        _engine("start", *where, *(["--isolation", isolation] if isolation else []))
        yield f"unix://{base}/e.sock"
    finally:
        _engine("reset", *where)
        shutil.rmtree(base, ignore_errors=True)


def _engine(*arguments: str) -> None:
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER")}
    surroundings["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "dockerlab.engine", *arguments]
    ran = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=120, check=False)
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
