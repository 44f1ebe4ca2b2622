"""Mount points: they are opened, and created if need be, on directory descriptors.

The tree below a mount may belong to another container, too, which exchanges its directories for links while this one
is started. So a mount point is not a path but an open descriptor, and `/proc/self/fd/N` is where to mount.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Any

from dockerlab.engine.common.tree import OpenTree

PATH_ONLY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def open_mount_point(tree: OpenTree, entry: dict[str, Any]) -> int:
    """Open the mount point of an entry of `mounts` in the specification, and create it if there is none."""
    if entry["kind"] == "tmpfs" or os.path.isdir(entry["source"]):  # noqa: PTH112
        return tree.make_directories(entry["target"])
    return open_file_point(tree, entry["target"])


def open_file_point(tree: OpenTree, path: str) -> int:
    """Open the file at a path, and create it if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return tree.open(path)
    os.close(tree.make_directories(os.path.dirname(path)))  # noqa: PTH120
    parent, name = tree.open_parent(path, follow=True)
    try:
        with contextlib.suppress(FileExistsError):  # somebody else has just created it
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o666, dir_fd=parent))
        place = os.open(name, PATH_ONLY, dir_fd=parent)
    finally:
        os.close(parent)
    if stat.S_ISLNK(os.fstat(place).st_mode):
        os.close(place)
        raise OSError(errno.ELOOP, f"the mount point was exchanged for a link meanwhile: {path}")
    return place


def open_plain_directory(tree: OpenTree, name: str) -> int:
    """Open a directory at the top of a tree, and create it if there is none. Raise NotADirectoryError for a link."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=tree.root)
    return os.open(name, PATH_ONLY | os.O_DIRECTORY, dir_fd=tree.root)
