"""Is a process still the one that it was? A pid alone may be another's later; with the moment it began it can't."""

from __future__ import annotations

from pathlib import Path

__all__ = ["same", "ticks"]


def ticks(pid: object) -> int:
    """Give the moment a process began, in the kernel's ticks; 0 if it is over."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def same(pid: object, began: object) -> bool:
    """Is this still the process that began then?"""
    return bool(began) and ticks(pid) == began
