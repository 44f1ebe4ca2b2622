"""The engine under test, and what every test may ask for.

Without settings each worker has a practice engine of its own, whose state lives in a directory of its own, so that
nobody's engine or containers are touched. `DOCKERLAB_TEST_HOST=unix:///…` names another engine: the contract tests
and the notebooks then run on that one. `DOCKERLAB_ISOLATION` chooses the practice engine's rung.
`DOCKERLAB_REQUIRE_DOCKER=1` turns what would be skipped for want of a program into a failure.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from notebook_items import add_guards, labelled
from plain_http import ask
from practice import address, engine, program

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
        engine("stop")
    shutil.rmtree(base, ignore_errors=True)


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Close every notebook with a check that it left nothing behind and touched nothing foreign."""
    items[:] = add_guards(items)


@pytest.fixture(scope="session")
def practice_host() -> str:
    """Give the address of this worker's practice engine."""
    return address(engine("ensure"))


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> str:
    """Give the address of the engine under test: DOCKERLAB_TEST_HOST, else the practice engine."""
    given = os.environ.get("DOCKERLAB_TEST_HOST")
    return given or str(request.getfixturevalue("practice_host"))


@pytest.fixture
def lab(host: str) -> Iterator[Any]:
    """Give a Lab on the engine under test, closed afterwards."""
    import dockerlab

    with dockerlab.connect(host) as opened:
        yield opened


@pytest.fixture
def labels(host: str) -> Iterator[dict[str, str]]:
    """Give labels for what a test makes; containers with them are removed afterwards."""
    mine = f"{os.environ['DOCKERLAB_SESSION']}-{uuid.uuid4().hex[:12]}"
    yield {"dockerlab.test": mine}
    for container in labelled(host, f"dockerlab.test={mine}"):
        ask(host, "DELETE", f"/containers/{container}?force=1&v=1")


@pytest.fixture(scope="session")
def docker_cli() -> str:
    """Give the stock docker command."""
    return program("docker")


@pytest.fixture(scope="session")
def curl() -> str:
    """Give curl."""
    return program("curl")
