"""What differs between two file trees: what a container changed in its image's files, as GET /changes tells it."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.storage.rootfs import IGNORED

__all__ = ["ADDED", "DELETED", "MODIFIED", "Change", "diff"]

MODIFIED, ADDED, DELETED = 0, 1, 2
#: What the engine mounts there is not the container's.
MOUNTED = ("proc", "sys", "dev")


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs; `kind` is MODIFIED, ADDED or DELETED."""

    path: str
    kind: int


def diff(before: Path, after: Path, hidden: Collection[str] = ()) -> list[Change]:
    """Compare two trees. What is below a path in `hidden` (`/data`: a volume) isn't looked at.

    A directory comes before what is in it, and is itself modified if anything in it differs; what is new in a new
    directory is told path by path, what was in a deleted one isn't. Times of directories don't count. So does Docker.
    """
    left_out = {path.strip("/") for path in hidden}
    found: list[Change] = []
    _compare(str(before), str(after), "", left_out, found)
    return found


def _compare(before: str, after: str, prefix: str, hidden: set[str], found: list[Change]) -> None:
    old, new = _entries(before), _entries(after)
    for name in sorted(new):
        path = f"{prefix}{name}"
        if path in IGNORED or path in MOUNTED:
            continue
        begin, here, there = len(found), f"{before}/{name}" if before else "", f"{after}/{name}"
        was, now = old.get(name), new[name]
        if was is None:
            found.append(Change(f"/{path}", ADDED))
        elif _differs(was, now, here, there):
            found.append(Change(f"/{path}", MODIFIED))
        told = len(found) > begin
        if stat.S_ISDIR(now.st_mode) and path not in hidden:
            _compare(here if was and stat.S_ISDIR(was.st_mode) else "", there, f"{path}/", hidden, found)
        if len(found) > begin and not told:
            found.insert(begin, Change(f"/{path}", MODIFIED))
    for name in sorted(old.keys() - new.keys()):
        if (path := f"{prefix}{name}") not in IGNORED and path not in MOUNTED:
            found.append(Change(f"/{path}", DELETED))


def _entries(directory: str) -> dict[str, os.stat_result]:
    """Read a directory; nothing if there is none, or it went away meanwhile."""
    made: dict[str, os.stat_result] = {}
    if not directory:
        return made
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    made[entry.name] = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    return made


def _differs(was: os.stat_result, now: os.stat_result, before: str, after: str) -> bool:
    """Compare what a copy keeps: kind, mode and owner; of anything but a directory also size, time and content."""
    if (was.st_mode, was.st_uid, was.st_gid, was.st_rdev) != (now.st_mode, now.st_uid, now.st_gid, now.st_rdev):
        return True
    if stat.S_ISDIR(now.st_mode):
        return False
    if stat.S_ISLNK(now.st_mode):
        return os.readlink(before) != os.readlink(after)  # noqa: PTH115
    return (was.st_size, was.st_mtime_ns) != (now.st_size, now.st_mtime_ns)
