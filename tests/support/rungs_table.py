"""Writes docs/isolation.md from what the engine knows of its rungs: python tests/support/rungs_table.py."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from dockerlab.engine.processes.isolation import ABILITIES, RUNGS  # noqa: E402

__all__ = ["PAGE", "page"]

PAGE = ROOT / "docs/isolation.md"
BEGIN = """# What keeps containers apart

The practice engine takes the best of four ways, its rungs, that works on the machine, and says which one it is:
`dockerlab doctor`, `docker info` and lesson 00 show it. `DOCKERLAB_ISOLATION=NAME`, or `dockerlab engine start
--isolation NAME`, chooses another. None of them makes the practice engine a sandbox.

What a rung lacks is kept with the container, shown by inspect, and named in the warnings of create. The tests try
each line of this table on each rung. Made by `python tests/support/rungs_table.py`.
"""
END = """
Limits of memory, processors and processes need control groups that the engine may write, on any rung: usually root has
them. Without them a limit of memory holds for each process by itself, and all others are kept and warned about.
"""


def page() -> str:
    """Write the page."""
    rows = [["", *(f"`{rung.name}`" for rung in RUNGS)], ["---"] * (len(RUNGS) + 1)]
    rows.append(["needs", *(rung.needs for rung in RUNGS)])
    for ability, meaning in ABILITIES.items():
        notes = [rung.gives.get(ability) for rung in RUNGS]
        rows.append([meaning, *("no" if note is None else f"yes, {note}" if note else "yes" for note in notes)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{BEGIN}\n{table}\n{END}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
