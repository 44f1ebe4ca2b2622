"""Which tests of a peer are expected to fail on an engine, and how the outcomes differ from that."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from plain_http import ask

HERE = Path(__file__).resolve().parent


def engine_kind(host: str) -> str:
    """Return which engine responds at an address: `practice` or `docker`."""
    _, version = ask(host, "GET", "/version")
    return "practice" if "dockerlab" in str(version).lower() else "docker"


def expected_failures(peer: str, engine: str) -> dict[str, str]:
    """Return the tests that are expected to fail on an engine, each with its reason.

    In the file, the tests of `[both]` fail on a real Docker on this machine, too; those of `[docker]` and `[practice]`
    fail only there. A reason that begins with `either: ` marks a test that sometimes passes.
    """
    tables = tomllib.loads((HERE / f"expected_{peer}.toml").read_text("utf-8"))
    return {**tables.get("both", {}), **tables.get(engine, {})}


def unexpected_outcomes(
    expected: dict[str, str], outcomes: dict[str, dict[str, Any]], *, is_complete: bool = True
) -> list[str]:
    """List unexpected failures, and expected failures that passed. A complete run also shows which don't exist."""
    problems = []
    for name, result in sorted(outcomes.items()):
        reason = expected.get(name)
        if result["outcome"] == "failed" and reason is None:
            problems.append(f"failed unexpectedly: {name}\n    {str(result['message']).splitlines()[:1]}")
        elif result["outcome"] == "passed" and reason is not None and not reason.startswith("either: "):
            problems.append(f"passes now, so remove it from the expected failures: {name}")
    if is_complete:
        unknown = sorted({*expected} - {*outcomes})
        problems += [f"expected to fail, but there is no such test: {name}" for name in unknown]
    return problems
