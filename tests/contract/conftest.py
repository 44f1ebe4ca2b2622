"""Contract tests on an engine that differs from Docker: what differences.toml says is expected, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from differences import Difference, differences, engine_name
from plain_http import ask
from registries import Registry, registry

#: The practice engine, which starts only when a test asks for it.
PRACTICE = "dockerlab"
FOUND = pytest.StashKey[Difference]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the difference that it is to see on this engine, if it is to see one."""
    host = os.environ.get("DOCKERLAB_TEST_HOST")
    if not items:
        return
    engine = engine_name(ask(host, "GET", "/version")[1]) if host else PRACTICE
    rows = [row for row in differences() if engine.startswith(row.engine)]
    for item in items:
        for row in rows:
            if any(item.nodeid.endswith(f"contract/{test}") for test in row.tests):
                item.stash[FOUND] = row


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure with the words of the difference is expected; without the failure the row must go."""
    report = yield
    row = item.stash.get(FOUND, None)
    if row is None or report.when != row.when:
        return report
    if report.passed:
        report.outcome = "failed"
        report.longrepr = f"the difference is gone, take it from differences.toml: {row.engine}: {row.what}"
    elif report.failed and call.excinfo is not None and row.says in str(call.excinfo.value):
        report.outcome = "skipped"
        report.wasxfail = f"{row.engine}: {row.what}"
    return report


@pytest.fixture(scope="module")
def there(host: str) -> Iterator[Registry]:
    """Give a registry that the engine reaches."""
    with registry(host) as found:
        yield found


@pytest.fixture
def closed(there: Registry) -> Registry:
    """Give a registry that asks who is there."""
    if not there.user:
        pytest.skip("needs a registry that asks: DOCKERLAB_TEST_REGISTRY_AUTH=user:password")
    return there
