"""What this process holds: its children, and its open files."""

from __future__ import annotations

from pathlib import Path


def children() -> set[int]:
    """List this process's children, also those that have ended and were not waited for."""
    return {int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()}


def open_files() -> int:
    """Count the open files."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def command_line(pid: int) -> str:
    """Give the words by which a process was started."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
