"""Writes what differs between two trees as a layer: what is new or changed, and a whiteout for what is gone."""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from dockerlab.engine.storage import diff, tar_writer

__all__ = ["layer"]

END = b"\0" * (tarfile.BLOCKSIZE * 2)
WHITEOUT = ".wh."


def layer(before: Path, after: Path, hidden: Collection[str] = ()) -> Iterator[bytes]:
    """Give the layer in pieces; without a change it is an empty tar, which no image keeps."""
    links: dict[tuple[int, int], str] = {}
    mine = os.getuid()
    for change in sorted(diff.diff(before, after, hidden), key=lambda change: change.path):
        name = change.path.removeprefix("/")
        if change.kind == diff.DELETED:
            yield _whiteout(name)
            continue
        path = f"{after}/{name}"
        try:
            info = os.lstat(path)
            member = tar_writer.member(name, path, info, links, mine)
            content = open(path, "rb") if member is not None and member.isreg() else None  # noqa: SIM115, PTH123
        except OSError:
            continue
        if member is None:
            continue
        yield member.tobuf(tarfile.PAX_FORMAT)
        if content is not None:
            with content:
                yield from tar_writer.content(content.fileno(), member.size)
    yield END


def _whiteout(name: str) -> bytes:
    directory, slash, last = name.rpartition("/")
    member = tarfile.TarInfo(f"{directory}{slash}{WHITEOUT}{last}")
    member.mode, member.mtime = 0o600, int(time.time())
    return member.tobuf(tarfile.PAX_FORMAT)
