"""What is expected of a peer's tests on an engine, and how that compares with what happened."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from plain_http import ask

HERE = Path(__file__).resolve().parent


def kind(host: str) -> str:
    """Say which engine answers there: `practice` or `docker`."""
    _, told = ask(host, "GET", "/version")
    return "practice" if "dockerlab" in str(told).lower() else "docker"


def expectations(peer: str, engine: str) -> dict[str, str]:
    """Give the tests that are expected to fail on an engine, each with its reason.

    In the file, `[both]` fail on a real Docker here too, `[docker]` and `[practice]` on one of them alone. A name that
    ends with `*` stands for all tests that begin so; `either: ` before a reason means that the test is not steady.
    """
    tables = tomllib.loads((HERE / f"expected_{peer}.toml").read_text("utf-8"))
    return {**tables.get("both", {}), **tables.get(engine, {})}


def compare(expected: dict[str, str], outcomes: dict[str, dict[str, Any]], *, whole: bool = True) -> list[str]:
    """List what was not expected: failures that no one foresaw, and foreseen ones that did not happen."""
    wrong = []
    for name, told in sorted(outcomes.items()):
        reason = expected.get(name)
        if told["outcome"] == "failed" and reason is None:
            wrong.append(f"not expected to fail: {name}\n    {str(told['message']).splitlines()[:1]}")
        elif told["outcome"] == "passed" and reason is not None and not reason.startswith("either: "):
            wrong.append(f"passes now, take it from the list: {name}")
    if whole:
        wrong += [f"expected to fail, but there is no such test: {name}" for name in sorted({*expected} - {*outcomes})]
    return wrong
