"""Writes the difference between two trees as a layer: new and changed files, and a whiteout for each deleted one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tarfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from dockerlab.engine.common.tree import LastDirectory, OpenTree
from dockerlab.engine.storage import changes, tar_writer

__all__ = ["layer_of_changes"]

WHITEOUT = ".wh."


def layer_of_changes(before: Path, after: Path, hidden: Collection[str] = ()) -> Iterator[bytes]:
    """Yield the layer in pieces. Without any change it is an empty tar.

    Raises OSError at once for a file that is larger than the free space, even if it is sparse: a layer can't be that
    large, and reading all zeros of such a file would take minutes or years.
    """
    links: tar_writer.Links = {}
    engine_uid = os.getuid()
    with OpenTree(after) as tree, contextlib.closing(LastDirectory(tree)) as directories:
        space = os.fstatvfs(tree.root)
        free_bytes = space.f_bavail * space.f_frsize
        for change in sorted(changes.changes(before, after, hidden), key=lambda change: change.path):
            path = change.path.removeprefix("/")
            if change.kind == changes.DELETED:
                yield _whiteout(path)
                continue
            parent, _, name = path.rpartition("/")
            try:
                directory = directories.open(parent)
            except OSError:
                continue  # it has disappeared meanwhile
            if _file_size(directory, name) > free_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            yield from tar_writer.member(path, directory, name, links, engine_uid)
    yield tar_writer.END


def _file_size(directory: int, name: str) -> int:
    try:
        info = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return 0  # it has disappeared meanwhile
    return info.st_size if stat.S_ISREG(info.st_mode) else 0


def _whiteout(name: str) -> bytes:
    directory, slash, last = name.rpartition("/")
    member = tarfile.TarInfo(f"{directory}{slash}{WHITEOUT}{last}")
    member.mode, member.mtime = 0o600, int(time.time())
    return member.tobuf(tarfile.PAX_FORMAT)
