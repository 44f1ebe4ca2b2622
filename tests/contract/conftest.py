"""Contract tests on engines that differ from Docker: only the differences in differences.toml are expected."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from differences import Difference, differences, engine_name
from plain_http import ask
from registries import Registry, registry

#: The practice engine is not started before a test needs it.
PRACTICE = "dockerlab"
DIFFERENCE = pytest.StashKey[Difference]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Attach the expected difference on this engine, if there is one, to each test."""
    host = os.environ.get("DOCKERLAB_TEST_HOST")
    if not items:
        return
    engine = engine_name(ask(host, "GET", "/version")[1]) if host else PRACTICE
    rows = [row for row in differences() if engine.startswith(row.engine)]
    for item in items:
        for row in rows:
            if any(item.nodeid.endswith(f"contract/{test}") for test in row.tests):
                item.stash[DIFFERENCE] = row


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Expect a failure with the text of the difference. Without it, ask to delete the row."""
    report = yield
    row = item.stash.get(DIFFERENCE, None)
    if row is None or report.when != row.when:
        return report
    if report.passed:
        report.outcome = "failed"
        report.longrepr = f"this difference no longer exists, delete it from differences.toml: {row.engine}: {row.what}"
    elif report.failed and call.excinfo is not None and row.says in str(call.excinfo.value):
        report.outcome = "skipped"
        report.wasxfail = f"{row.engine}: {row.what}"
    return report


@pytest.fixture(scope="module")
def image_registry(host: str) -> Iterator[Registry]:
    """Give a registry that the engine can reach."""
    with registry(host) as running:
        yield running


@pytest.fixture
def private_registry(image_registry: Registry) -> Registry:
    """Give a registry that requires a login."""
    if not image_registry.user:
        pytest.skip("needs a registry with a login: DOCKERLAB_TEST_REGISTRY_AUTH=user:password")
    return image_registry
