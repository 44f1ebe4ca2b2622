"""Compares two file trees: what a container has changed in its image's files, for GET /containers/{id}/changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.storage.rootfs import ENGINE_FILES

__all__ = ["ADDED", "DELETED", "MODIFIED", "Change", "changes"]

MODIFIED, ADDED, DELETED = 0, 1, 2
#: The engine mounts these directories, so their content is not the container's.
MOUNTED = ("proc", "sys", "dev")


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs; `kind` is MODIFIED, ADDED or DELETED."""

    path: str
    kind: int


def changes(before: Path, after: Path, hidden: Collection[str] = ()) -> list[Change]:
    """Return what differs between two trees. Nothing below a path in `hidden`, such as a volume, is compared.

    The rules are Docker's. A directory is listed before its content, and counts as modified if any of its content
    differs. The content of a new directory is listed path by path, that of a deleted one is not. Modification times of
    directories are ignored.
    """
    hidden_paths = {path.strip("/") for path in hidden}
    differences: list[Change] = []
    _compare(str(before), str(after), "", hidden_paths, differences)
    return differences


def _compare(before: str, after: str, prefix: str, hidden: set[str], differences: list[Change]) -> None:
    """Add the differences between two directories. If `before` is empty, every entry of `after` is new."""
    old_entries, new_entries = _entries(before), _entries(after)
    for name in sorted(new_entries):
        path = f"{prefix}{name}"
        if path in ENGINE_FILES or path in MOUNTED:
            continue
        start, old_path, new_path = len(differences), f"{before}/{name}" if before else "", f"{after}/{name}"
        old, new = old_entries.get(name), new_entries[name]
        if old is None:
            differences.append(Change(f"/{path}", ADDED))
        elif _differs(old, new, old_path, new_path):
            differences.append(Change(f"/{path}", MODIFIED))
        is_listed = len(differences) > start
        if stat.S_ISDIR(new.st_mode) and path not in hidden:
            was_directory = old is not None and stat.S_ISDIR(old.st_mode)
            _compare(old_path if was_directory else "", new_path, f"{path}/", hidden, differences)
        if len(differences) > start and not is_listed:
            differences.insert(start, Change(f"/{path}", MODIFIED))
    for name in sorted(old_entries.keys() - new_entries.keys()):
        if (path := f"{prefix}{name}") not in ENGINE_FILES and path not in MOUNTED:
            differences.append(Change(f"/{path}", DELETED))


def _entries(directory: str) -> dict[str, os.stat_result]:
    """Read a directory. It counts as empty if it does not exist or can't be read."""
    entries: dict[str, os.stat_result] = {}
    if not directory:
        return entries
    try:
        with os.scandir(directory) as scan:
            for entry in scan:
                try:
                    entries[entry.name] = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # the running container has removed it meanwhile
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    return entries


def _differs(old: os.stat_result, new: os.stat_result, old_path: str, new_path: str) -> bool:
    """Return whether an entry changed: its type, mode, owner or device; a link's target; a file's size or time."""
    if (old.st_mode, old.st_uid, old.st_gid, old.st_rdev) != (new.st_mode, new.st_uid, new.st_gid, new.st_rdev):
        return True
    if stat.S_ISDIR(new.st_mode):
        return False
    if stat.S_ISLNK(new.st_mode):
        try:
            return os.readlink(old_path) != os.readlink(new_path)  # noqa: PTH115
        except OSError:
            return True  # the running container has removed or replaced it meanwhile
    return (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns)
