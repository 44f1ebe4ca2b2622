"""Writes a file tree as a tar while it is read: memory stays flat, whatever its size."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["export"]

BLOCK = 1 << 16
RECORD = tarfile.BLOCKSIZE
#: Mount points: what is in them is not the container's.
EMPTY = {"proc", "sys", "dev"}


def export(root: Path) -> Iterator[bytes]:
    """Give the tree in pieces. A file that vanishes is left out; one that shrinks is filled up with zeros."""
    links: dict[tuple[int, int], str] = {}
    mine = os.getuid()
    for name, path in _walk(str(root), ""):
        try:
            info = os.lstat(path)
            member = _member(name, path, info, links, mine)
            content = open(path, "rb") if member is not None and member.isreg() else None  # noqa: SIM115, PTH123
        except OSError:
            continue
        if member is None:
            continue
        yield member.tobuf(tarfile.PAX_FORMAT)
        if content is not None:
            with content:
                yield from _content(content.fileno(), member.size)
    yield b"\0" * (RECORD * 2)


def _walk(directory: str, prefix: str) -> Iterator[tuple[str, str]]:
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        yield name, entry.path
        if entry.is_dir(follow_symlinks=False) and name not in EMPTY:
            yield from _walk(entry.path, f"{name}/")


def _member(
    name: str, path: str, info: os.stat_result, links: dict[tuple[int, int], str], mine: int
) -> tarfile.TarInfo | None:
    """Make the header; None for a socket, which a tar can't hold."""
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = stat.S_IMODE(info.st_mode), int(info.st_mtime)
    member.uid, member.gid = (0, 0) if info.st_uid == mine else (info.st_uid, info.st_gid)
    if not member.uid:
        member.uname = member.gname = "root"
    if stat.S_ISDIR(info.st_mode):
        member.type, member.name = tarfile.DIRTYPE, f"{name}/"
    elif stat.S_ISLNK(info.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)  # noqa: PTH115
    elif stat.S_ISFIFO(info.st_mode):
        member.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        member.type = tarfile.CHRTYPE if stat.S_ISCHR(info.st_mode) else tarfile.BLKTYPE
        member.devmajor, member.devminor = os.major(info.st_rdev), os.minor(info.st_rdev)
    elif not stat.S_ISREG(info.st_mode):
        return None
    elif (first := links.get((info.st_dev, info.st_ino))) is not None:
        member.type, member.linkname = tarfile.LNKTYPE, first
    else:
        member.size = info.st_size
        if info.st_nlink > 1:
            links[info.st_dev, info.st_ino] = name
    return member


def _content(handle: int, size: int) -> Iterator[bytes]:
    left = size
    while left and (data := os.read(handle, min(BLOCK, left))):
        left -= len(data)
        yield data
    for start in range(0, left, BLOCK):
        yield b"\0" * min(BLOCK, left - start)
    if size % RECORD:
        yield b"\0" * (RECORD - size % RECORD)
