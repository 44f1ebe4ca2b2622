"""Walks through the files of a tree, however deep, from one open directory to the next."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dockerlab.engine.common.tree import MAX_PATH, DirectoryStack, entries

__all__ = ["Entry", "walk"]


class Entry(NamedTuple):
    """A file of a tree, or what is in its place in another tree."""

    path: str  #: below the top of the walk; empty if it is longer than any path can be
    name: str
    depth: int  #: the number of directories between it and the top
    directory: int  #: the open directory that it is in; only valid until the next step of the walk
    info: os.stat_result | None  #: None if only the other tree has it
    other_directory: int = -1
    other_info: os.stat_result | None = None  #: None if the other tree does not have it


def walk(top: int, other: int = -1, excluded: Collection[str] = (), *, whole: bool = False) -> Iterator[Entry]:
    """Yield what is below an open directory: a directory before its content, and names in order.

    With `other`, an open directory with an earlier version of the tree, each file comes with its earlier version; the
    files that only the earlier version has come after the others of their directory, without their content. The
    content of the `excluded` directories is left out, and so is what can't be read, and, except with `whole`, what is
    too deep to have a path.
    """
    pair = _Pair(top, other)
    try:
        levels = [pair.level("", other >= 0)]
        while levels:
            level = levels[-1]
            entry = next(level.entries, None)
            if entry is None:
                levels.pop()
                if levels:
                    pair.leave(level.has_other)
                continue
            name, info, other_info = entry
            path = _path(level.prefix, name)
            if not path and not whole:
                continue
            yield Entry(path, name, len(levels) - 1, pair.stack.current, info, pair.other_directory, other_info)
            if info is not None and stat.S_ISDIR(info.st_mode) and (path not in excluded or not path):
                has_other = pair.enter(name, other_info is not None and stat.S_ISDIR(other_info.st_mode))
                if has_other is not None:
                    levels.append(pair.level(f"{path}/" if path else None, has_other))
    finally:
        pair.close()


def _path(prefix: str | None, name: str) -> str:
    if prefix is None:
        return ""
    path = prefix + name
    return path if len(path) * 4 < MAX_PATH or len(os.fsencode(path)) < MAX_PATH else ""


@dataclass(slots=True)
class _Level:
    """One directory of a walk."""

    prefix: str | None  #: what stands before the names in their paths; None if that is too long
    entries: Iterator[tuple[str, os.stat_result | None, os.stat_result | None]]
    has_other: bool


class _Pair:
    """The open directories of a walk through two trees at the same time."""

    def __init__(self, top: int, other: int) -> None:
        self.stack = DirectoryStack(top)
        self.other = DirectoryStack(other)

    @property
    def other_directory(self) -> int:
        return self.other.current

    def level(self, prefix: str | None, has_other: bool) -> _Level:
        others = dict(entries(self.other.current)) if has_other else {}
        pairs = [(name, info, others.pop(name, None)) for name, info in entries(self.stack.current)]
        return _Level(prefix, iter([*pairs, *((name, None, info) for name, info in others.items())]), has_other)

    def enter(self, name: str, has_other: bool) -> bool | None:
        """Go down in both trees. Return whether the other one has the directory; None if neither can be entered."""
        try:
            self.stack.enter(name)
        except OSError:
            return None
        try:
            if has_other:
                self.other.enter(name)
        except OSError:
            return False
        return has_other

    def leave(self, has_other: bool) -> None:
        self.stack.leave()
        if has_other:
            self.other.leave()

    def close(self) -> None:
        self.stack.close()
        self.other.close()
