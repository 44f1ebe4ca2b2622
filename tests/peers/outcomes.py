"""A pytest plugin that writes the outcomes after every test, so that none is lost if pytest crashes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pictures import restore

RANKS = ["passed", "skipped", "failed"]
outcomes: dict[str, dict[str, object]] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Restore the names of images that earlier tests removed."""
    restore(os.environ["DOCKER_HOST"], json.loads(os.environ["PEERS_IMAGES"]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst outcome of a test's setup, call and teardown."""
    entry = outcomes.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0, "message": ""})
    entry["seconds"] = round(float(str(entry["seconds"])) + report.duration, 2)
    outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
    if RANKS.index(outcome) > RANKS.index(str(entry["outcome"])):
        entry |= {"outcome": outcome, "message": reason(report)}
    if report.when == "teardown":
        write()


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Count a file that cannot be collected as one failed test."""
    if report.failed:
        outcomes[report.nodeid] = {"outcome": "failed", "seconds": 0.0, "message": reason(report)}
        write()


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the exception and its message."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr)[:600]


def write() -> None:
    """Write all outcomes so far, atomically."""
    target = Path(os.environ["PEERS_OUTCOMES"])
    temporary = target.with_suffix(".new")
    temporary.write_text(json.dumps(outcomes, indent=1, sort_keys=True), "utf-8")
    temporary.replace(target)
