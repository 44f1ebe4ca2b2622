"""Where engines differ from Docker: the rows of tests/contract/differences.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SOURCE", "Difference", "differences", "engine_name"]

SOURCE = Path(__file__).resolve().parents[1] / "contract" / "differences.toml"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row: the engine, the tests that see the difference, the phase and text of their failure, and a sentence."""

    engine: str
    tests: tuple[str, ...]
    says: str
    what: str
    when: str = "call"


def differences() -> list[Difference]:
    """Read the rows."""
    rows = tomllib.loads(SOURCE.read_text("utf-8"))["difference"]
    return [Difference(**{**row, "tests": tuple(row["tests"])}) for row in rows]


def engine_name(version: dict[str, Any]) -> str:
    """Return an engine's name and version from its /version: `podman 5.4.2`, `docker 28.5.2`, `dockerlab 0.1`."""
    component = (version.get("Components") or [{}])[0]
    words = str(component.get("Name", "")).split()
    name = words[0].lower() if words else "engine"
    return f"{'docker' if name == 'engine' else name} {version.get('Version', '')}"
