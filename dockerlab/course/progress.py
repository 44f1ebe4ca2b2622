"""The exercises that were passed on this machine, in one small JSON file. No lesson's output depends on it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.course.catalog import LESSONS

if TYPE_CHECKING:
    import pandas

FILE = "progress.json"


def progress_file(env: Mapping[str, str] | None = None) -> Path:
    """Return the file: in DOCKERLAB_STATE, or else in dockerlab's directory under XDG_STATE_HOME or ~/.local/state."""
    env = os.environ if env is None else env
    if env.get("DOCKERLAB_STATE"):
        return Path(env["DOCKERLAB_STATE"]) / FILE
    base = Path(env.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "dockerlab" / FILE


def passed() -> dict[str, list[str]]:
    """Return the names of the passed exercises by lesson. A missing or unreadable file counts as empty."""
    try:
        document = json.loads(progress_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {str(lesson): [str(name) for name in names] for lesson, names in document.items() if isinstance(names, list)}


def record_pass(lesson: str, exercise: str) -> None:
    """Add an exercise to the file. A file that can't be written is left as it is, and the lesson goes on."""
    exercises = passed()
    if exercise in exercises.get(lesson, []):
        return
    exercises[lesson] = sorted([*exercises.get(lesson, []), exercise])
    target = progress_file()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=FILE, delete=False, encoding="utf-8") as file:
            json.dump(exercises, file, indent=1, sort_keys=True)
        Path(file.name).replace(target)
    except OSError:
        return


def table() -> pandas.DataFrame:
    """Return one row per lesson. Columns: `lesson`, `title` (text), `exercises`, `passed` (Int64)."""
    import pandas as pd

    passed_names = passed()
    rows = []
    for number, outline in LESSONS.items():
        names = {exercise.name for exercise in outline.exercises}
        rows.append((number, outline.title, len(names), len(names & set(passed_names.get(number, [])))))
    frame = pd.DataFrame(rows, columns=["lesson", "title", "exercises", "passed"])
    return frame.astype({"exercises": "Int64", "passed": "Int64"})
