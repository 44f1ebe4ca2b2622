"""Environment of every test and every notebook. It is in the root folder so that `pytest notebooks` uses it, too.

By default each worker has its own practice engine with its own state directory, so that no other engine or container
is touched. `DOCKERLAB_TEST_HOST=unix:///…` names another engine, for the contract tests and the notebooks.
`DOCKERLAB_ISOLATION` chooses the practice engine's rung.
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
    """Give this process (a worker, or pytest itself without xdist) its own directory and session."""
    base = Path(tempfile.mkdtemp(prefix="dockerlab-"))  # short, because a socket's path has at most 107 bytes
    config.stash[BASE] = base
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY"):
        os.environ.pop(name, None)
    os.environ |= {
        "DOCKERLAB_STATE": str(base / "state"),
        "DOCKERLAB_SOCKET": str(base / "e.sock"),
        "DOCKERLAB_SESSION": f"test-{worker}",
        "DOCKERLAB_ENGINE": os.environ.get("DOCKERLAB_TEST_HOST", "practice"),
        # A user's own Jupyter and IPython settings are neither read nor changed.
        "IPYTHONDIR": str(base / "ipython"),
        "JUPYTER_CONFIG_DIR": str(base / "jupyter"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "DOCKER_CONFIG": str(base / "docker"),
        "MPLBACKEND": "agg",
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Reset this process's practice engine, if a test or a notebook started one."""
    base = config.stash.get(BASE, None)
    if base is None:
        return
    if (base / "state").exists():
        run_engine("reset")  # not just stop: containers keep running without their engine
    shutil.rmtree(base, ignore_errors=True)


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add checks to every notebook: it must leave nothing behind and change nothing foreign."""
    items[:] = add_guards(items)
