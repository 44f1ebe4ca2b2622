"""Fixtures of all tests: an engine's address, a Lab, labels for containers, and programs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import engine_address, run_engine
from hypothesis import settings
from judge import Judge, judging, note_verified
from plain_http import labelled_containers, remove_container
from processes import program

# The same examples in every run, and no time limit for one, because the machine may be busy.
settings.register_profile("dockerlab", derandomize=True, deadline=None)
settings.load_profile("dockerlab")

TESTS = Path(__file__).parent


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    """Give the judge, which checks all responses of engines."""
    with judging() as running:
        yield running


@pytest.fixture(autouse=True)
def judged(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that receives a response which the Engine API doesn't describe; client tests send such ones."""
    if request.path.relative_to(TESTS).parts[0] not in ("contract", "engine"):
        yield
        return
    judge = request.getfixturevalue("judge")
    judge.problems.clear()  # problems of earlier tests
    yield
    assert not judge.problems, "\n".join(judge.problems)


@pytest.fixture(scope="session")
def practice_host() -> str:
    """Give the address of this worker's practice engine."""
    return engine_address(run_engine("ensure"))


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> str:
    """Give the address of the engine under test: DOCKERLAB_TEST_HOST, else the practice engine."""
    address = os.environ.get("DOCKERLAB_TEST_HOST")
    return address or str(request.getfixturevalue("practice_host"))


@pytest.fixture
def lab(host: str) -> Iterator[Any]:
    """Give a Lab on the engine under test, closed afterwards."""
    import dockerlab

    with dockerlab.connect(host) as connected:
        yield connected
        note_verified(connected.wire)


@pytest.fixture
def labels(host: str) -> Iterator[dict[str, str]]:
    """Give labels for the objects of a test. Containers with these labels are removed afterwards."""
    value = f"{os.environ['DOCKERLAB_SESSION']}-{uuid.uuid4().hex[:12]}"
    yield {"dockerlab.test": value}
    for container in labelled_containers(host, f"dockerlab.test={value}"):
        remove_container(host, container)


@pytest.fixture(scope="session")
def docker_cli() -> str:
    """Give the path of the docker command."""
    return program("docker")


@pytest.fixture(scope="session")
def curl() -> str:
    """Give the path of curl."""
    return program("curl")
