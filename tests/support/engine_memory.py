"""Measures how much memory an engine's process needs for something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plain_http import engine_pid

__all__ = ["memory_for"]


def memory_for(host: str, work: Callable[[], object]) -> int:
    """Do something, and return how many more bytes the engine had in memory at one moment than before."""
    process = Path(f"/proc/{engine_pid(host)}")
    (process / "clear_refs").write_text("5")  # the peak is the current value again, see proc_pid_clear_refs(5)
    before = _bytes(process, "VmRSS")
    work()
    return _bytes(process, "VmHWM") - before


def _bytes(process: Path, field: str) -> int:
    lines = (process / "status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{field}:"))
