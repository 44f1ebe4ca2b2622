"""A pytest plugin that writes how each test ended, after each one, so that nothing is lost if pytest itself ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pictures import restore

RANKS = ["passed", "skipped", "failed"]
outcomes: dict[str, dict[str, object]] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give images their names back that a test before this one took away."""
    restore(os.environ["DOCKER_HOST"], json.loads(os.environ["PEERS_IMAGES"]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Take the worst of a test's set-up, call and tear-down."""
    known = outcomes.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0, "message": ""})
    known["seconds"] = round(float(str(known["seconds"])) + report.duration, 2)
    outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
    if RANKS.index(outcome) > RANKS.index(str(known["outcome"])):
        known |= {"outcome": outcome, "message": reason(report)}
    if report.when == "teardown":
        write()


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Count a file that can't be collected as one test that failed."""
    if report.failed:
        outcomes[report.nodeid] = {"outcome": "failed", "seconds": 0.0, "message": reason(report)}
        write()


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Give the last words of a failure: the exception and its message."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr)[:600]


def write() -> None:
    """Write what is known so far, atomically."""
    target = Path(os.environ["PEERS_OUTCOMES"])
    beside = target.with_suffix(".new")
    beside.write_text(json.dumps(outcomes, indent=1, sort_keys=True), "utf-8")
    beside.replace(target)
