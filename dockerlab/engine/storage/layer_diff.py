"""Writes the difference between two trees as a layer: new and changed files, and a whiteout for each deleted one."""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from dockerlab.engine.storage import changes, tar_writer

__all__ = ["layer_of_changes"]

WHITEOUT = ".wh."


def layer_of_changes(before: Path, after: Path, hidden: Collection[str] = ()) -> Iterator[bytes]:
    """Yield the layer in pieces. Without any change it is an empty tar."""
    links: dict[tuple[int, int], str] = {}
    engine_uid = os.getuid()
    for change in sorted(changes.changes(before, after, hidden), key=lambda change: change.path):
        name = change.path.removeprefix("/")
        if change.kind == changes.DELETED:
            yield _whiteout(name)
        else:
            yield from tar_writer.member(name, f"{after}/{name}", links, engine_uid)
    yield tar_writer.END


def _whiteout(name: str) -> bytes:
    directory, slash, last = name.rpartition("/")
    member = tarfile.TarInfo(f"{directory}{slash}{WHITEOUT}{last}")
    member.mode, member.mtime = 0o600, int(time.time())
    return member.tobuf(tarfile.PAX_FORMAT)
