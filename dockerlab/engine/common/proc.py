"""Processes as /proc/PID/stat shows them.

A pid can be reused, but a pid together with the moment its process began can not: that pair names a process in the
engine's files. The shim imports this module, so it does without pathlib, which would cost each start 10 ms.
"""

from __future__ import annotations

__all__ = ["STATE", "children", "is_same_process", "parent", "start_ticks", "stat"]

#: Places of some fields behind the process's name, see proc_pid_stat(5).
STATE, PARENT, GROUP, SESSION = 0, 1, 2, 3
USER_TICKS, SYSTEM_TICKS, CHILD_USER_TICKS, CHILD_SYSTEM_TICKS = 11, 12, 13, 14
START_TICKS, VIRTUAL_BYTES, RESIDENT_PAGES = 19, 20, 21


def stat(pid: object = "self") -> tuple[str, list[str]]:
    """Return the name of a process, and the fields that follow it. Raise OSError if there is no such process."""
    with open(f"/proc/{pid}/stat", errors="replace") as file:  # noqa: PTH123
        # a name may contain spaces and parentheses; the last parenthesis ends it
        name, _, fields = file.read().partition("(")[2].rpartition(")")
    return name, fields.split()


def start_ticks(pid: object) -> int:
    """Return when a process began, in clock ticks since boot; 0 if it is gone or a zombie."""
    try:
        _, fields = stat(pid)
    except OSError:
        return 0
    return 0 if fields[STATE] in "ZX" else int(fields[START_TICKS])


def is_same_process(pid: object, ticks: object) -> bool:
    """Tell whether the process that began at `ticks` still runs under this pid."""
    return bool(ticks) and start_ticks(pid) == ticks


def parent(pid: object) -> int | None:
    """Return the pid of a process's parent; None if the process is gone."""
    try:
        return int(stat(pid)[1][PARENT])
    except OSError:
        return None


def children(pid: object) -> list[int]:
    """Return the pids of a process's children, the oldest first; none if it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        return []
