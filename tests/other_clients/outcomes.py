"""A pytest plugin that writes the outcomes to a file after each test, so that they are kept even if pytest crashes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from peer_images import restore_tags

SEVERITIES = ["passed", "skipped", "failed"]
outcomes: dict[str, dict[str, object]] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Restore the images' tags that an earlier test has removed."""
    restore_tags(os.environ["DOCKER_HOST"], json.loads(os.environ["PEERS_IMAGES"]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record the worst outcome of a test's set-up, call and tear-down."""
    result = outcomes.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0, "message": ""})
    result["seconds"] = round(float(str(result["seconds"])) + report.duration, 2)
    outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
    if SEVERITIES.index(outcome) > SEVERITIES.index(str(result["outcome"])):
        result |= {"outcome": outcome, "message": failure_message(report)}
    if report.when == "teardown":
        write_outcomes()


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Record a file that can't be collected as one failed test."""
    if report.failed:
        outcomes[report.nodeid] = {"outcome": "failed", "seconds": 0.0, "message": failure_message(report)}
        write_outcomes()


def failure_message(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the exception of a failure with its message, or the reason of a skip."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr)[:600]


def write_outcomes() -> None:
    """Replace the file atomically."""
    target = Path(os.environ["PEERS_OUTCOMES"])
    new = target.with_suffix(".new")
    new.write_text(json.dumps(outcomes, indent=1, sort_keys=True), "utf-8")
    new.replace(target)
