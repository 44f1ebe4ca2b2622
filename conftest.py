"""The surroundings of every test and every notebook. It lies at the root so that `pytest notebooks` has them too.

Without settings each worker has a practice engine of its own, whose state lies in a directory of its own, so that
nobody's engine or containers are touched. `DOCKERLAB_TEST_HOST=unix:///…` names another engine: the contract tests
and the notebooks then run on that one. `DOCKERLAB_ISOLATION` chooses the practice engine's rung.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from engines import run_engine

from notebooks import add_guards

BASE = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Give this process (a worker, or pytest itself without xdist) a place and a session of its own."""
    base = Path(tempfile.mkdtemp(prefix="dockerlab-"))  # short: a socket's path has at most 107 bytes
    config.stash[BASE] = base
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY"):
        os.environ.pop(name, None)
    os.environ |= {
        "DOCKERLAB_STATE": str(base / "state"),
        "DOCKERLAB_SOCKET": str(base / "e.sock"),
        "DOCKERLAB_SESSION": f"test-{worker}",
        "DOCKERLAB_ENGINE": os.environ.get("DOCKERLAB_TEST_HOST", "practice"),
        # a user's own Jupyter and IPython settings have no say, and get no files from here
        "IPYTHONDIR": str(base / "ipython"),
        "JUPYTER_CONFIG_DIR": str(base / "jupyter"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "DOCKER_CONFIG": str(base / "docker"),
        "MPLBACKEND": "agg",
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop this process's practice engine, if a test or a notebook started one."""
    base = config.stash.get(BASE, None)
    if base is None:
        return
    if (base / "state").exists():
        run_engine("reset")  # and not only stop: containers outlive their engine
    shutil.rmtree(base, ignore_errors=True)


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Close every notebook with a check that it left nothing behind and touched nothing foreign."""
    items[:] = add_guards(items)
