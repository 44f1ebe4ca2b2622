"""The expected failures of a peer's tests on an engine, and their comparison with the outcomes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from plain_http import ask

HERE = Path(__file__).resolve().parent


def engine_kind(host: str) -> str:
    """Return which engine answers: `practice` or `docker`."""
    _, version = ask(host, "GET", "/version")
    return "practice" if "dockerlab" in str(version).lower() else "docker"


def expectations(peer: str, engine: str) -> dict[str, str]:
    """Return the tests that are expected to fail on an engine, with their reasons.

    Tests in `[both]` also fail on a real Docker here, tests in `[docker]` and `[practice]` only on that engine.
    A name that ends with `*` matches all tests with that prefix. `either: ` before a reason marks an unsteady test.
    """
    tables = tomllib.loads((HERE / f"expected_{peer}.toml").read_text("utf-8"))
    return {**tables.get("both", {}), **tables.get(engine, {})}


def compare(expected: dict[str, str], outcomes: dict[str, dict[str, Any]], *, whole: bool = True) -> list[str]:
    """Return the unexpected outcomes: unexpected failures, and expected ones that did not happen."""
    wrong = []
    for name, outcome in sorted(outcomes.items()):
        reason = expected.get(name)
        if outcome["outcome"] == "failed" and reason is None:
            wrong.append(f"not expected to fail: {name}\n    {str(outcome['message']).splitlines()[:1]}")
        elif outcome["outcome"] == "passed" and reason is not None and not reason.startswith("either: "):
            wrong.append(f"passes now, delete it from the list: {name}")
    if whole:
        wrong += [f"expected to fail, but there is no such test: {name}" for name in sorted({*expected} - {*outcomes})]
    return wrong
