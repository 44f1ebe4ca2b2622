"""Compares two file trees: what a container has changed in its image's files, for GET /containers/{id}/changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.common.tree import DIRECTORY
from dockerlab.engine.storage.rootfs import ENGINE_DIRECTORIES, ENGINE_FILES, MOUNTED
from dockerlab.engine.storage.tree_walk import Entry, walk

__all__ = ["ADDED", "DELETED", "MODIFIED", "Change", "changes"]

MODIFIED, ADDED, DELETED = 0, 1, 2


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
    excluded = {*MOUNTED, *(path.strip("/") for path in hidden)}
    differences: list[Change] = []
    unlisted: list[Change | None] = []  # the directories on the way to the current entry; None if it is in the list
    old, new = os.open(before, DIRECTORY), os.open(after, DIRECTORY)
    try:
        for entry in walk(new, old, excluded):
            if entry.path in ENGINE_FILES or entry.path in MOUNTED:
                continue
            del unlisted[entry.depth :]
            kind = _kind(entry)
            if kind is not None:
                differences += filter(None, unlisted)
                differences.append(Change(f"/{entry.path}", kind))
                unlisted = [None] * len(unlisted)
            unlisted.append(Change(f"/{entry.path}", MODIFIED) if kind is None else None)
    finally:
        os.close(old)
        os.close(new)
    return differences


def _kind(entry: Entry) -> int | None:
    """Return how an entry changed: its type, mode, owner or device; a link's target; a file's size or time."""
    new, old = entry.info, entry.other_info
    if new is None:
        return DELETED
    if old is None or (entry.path in ENGINE_DIRECTORIES and not stat.S_ISDIR(old.st_mode)):
        is_engine_directory = entry.path in ENGINE_DIRECTORIES and stat.S_ISDIR(new.st_mode)
        return None if is_engine_directory else ADDED if old is None else MODIFIED
    if (old.st_mode, old.st_uid, old.st_gid, old.st_rdev) != (new.st_mode, new.st_uid, new.st_gid, new.st_rdev):
        return MODIFIED
    if stat.S_ISDIR(new.st_mode):
        return None
    if stat.S_ISLNK(new.st_mode):
        return None if _same_target(entry) else MODIFIED
    return MODIFIED if (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns) else None


def _same_target(entry: Entry) -> bool:
    try:
        old, new = (os.readlink(entry.name, dir_fd=each) for each in (entry.other_directory, entry.directory))
    except OSError:
        return False  # the running container has removed or replaced it meanwhile
    return old == new
