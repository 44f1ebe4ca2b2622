"""Which exercises were passed, on this machine: one small JSON file. No lesson's output depends on it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.course import outline as outlines

if TYPE_CHECKING:
    import pandas

FILE = "progress.json"


def place(env: Mapping[str, str] | None = None) -> Path:
    """Give the file: in DOCKERLAB_STATE, else in dockerlab's directory under XDG_STATE_HOME or ~/.local/state."""
    env = os.environ if env is None else env
    if env.get("DOCKERLAB_STATE"):
        return Path(env["DOCKERLAB_STATE"]) / FILE
    base = Path(env.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "dockerlab" / FILE


def passed() -> dict[str, list[str]]:
    """Give the exercises passed so far, by lesson. A file that is missing or unreadable is an empty one."""
    try:
        found = json.loads(place().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(lesson): [str(name) for name in names] for lesson, names in found.items() if isinstance(names, list)}


def note(lesson: str, exercise: str) -> None:
    """Keep that an exercise was passed. Where nothing can be written, nothing is kept."""
    known = passed()
    if exercise in known.get(lesson, []):
        return
    known[lesson] = sorted([*known.get(lesson, []), exercise])
    target = place()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=FILE, delete=False, encoding="utf-8") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        Path(file.name).replace(target)
    except OSError:
        return


def table() -> pandas.DataFrame:
    """Make one row a lesson. Columns: `lesson`, `title` (text), `exercises`, `passed` (Int64)."""
    import pandas as pd

    known = passed()
    rows = []
    for number in outlines.NOTEBOOKS:
        outline = outlines.load(number)
        names = {exercise.name for exercise in outline.exercises}
        rows.append((number, outline.title, len(names), len(names & set(known.get(number, [])))))
    made = pd.DataFrame(rows, columns=["lesson", "title", "exercises", "passed"])
    return made.astype({"exercises": "Int64", "passed": "Int64"})
