"""Progress lines as Docker writes them: a bar, and the same in numbers."""

from __future__ import annotations

from typing import Any

__all__ = ["progress_line"]

BAR_WIDTH = 50
UNITS = ("B", "kB", "MB", "GB", "TB")
Record = dict[str, Any]


def progress_line(status: str, identity: str = "", current: int = 0, total: int = 0) -> Record:
    """Return one line of progress. It has a bar only if the total is known, and numbers only if there are any."""
    line: Record = {"status": status, "progressDetail": {}}
    if total:
        filled = min(BAR_WIDTH, current * BAR_WIDTH // total)
        bar = f"[{'=' * filled}>{' ' * (BAR_WIDTH - filled)}]"
        line["progressDetail"] = {"current": current, "total": total}
        line["progress"] = f"{bar} {_human_size(current):>8}/{_human_size(total)}"
    elif current:
        line |= {"progressDetail": {"current": current}, "progress": f"{_human_size(current):>8}"}
    return {**line, "id": identity} if identity else line


def _human_size(number: float) -> str:
    """Return a number of bytes as Docker writes it, with four digits at most."""
    unit = UNITS[0]
    for unit in UNITS:  # noqa: B007  (the largest unit remains for everything above it)
        if number < 1000:  # noqa: PLR2004
            break
        number /= 1000
    return f"{number:.4g}{unit}"
