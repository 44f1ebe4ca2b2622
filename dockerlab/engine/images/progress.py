"""How Docker tells the progress of what takes time: a bar, and the same in numbers."""

from __future__ import annotations

from typing import Any

__all__ = ["detail", "size"]

BAR = 50
UNITS = ("B", "kB", "MB", "GB", "TB")
Record = dict[str, Any]


def detail(status: str, identity: str = "", current: int = 0, total: int = 0) -> Record:
    """Give one line of progress; without a total there is no bar, without either no number."""
    made: Record = {"status": status, "progressDetail": {}}
    if total:
        done = min(BAR, current * BAR // total)
        made["progressDetail"] = {"current": current, "total": total}
        made["progress"] = f"[{'=' * done}>{' ' * (BAR - done)}] {size(current):>8}/{size(total)}"
    elif current:
        made |= {"progressDetail": {"current": current}, "progress": f"{size(current):>8}"}
    return {**made, "id": identity} if identity else made


def size(number: float) -> str:
    """Write a number of bytes as Docker does: four digits at most."""
    unit = UNITS[0]
    for unit in UNITS:  # noqa: B007  (the last one is for all that is more)
        if number < 1000:  # noqa: PLR2004
            break
        number /= 1000
    return f"{number:.4g}{unit}"
