"""Writes a file tree as a tar while it is read: memory stays flat, whatever its size."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["content", "export", "member", "pack"]

BLOCK = 1 << 16
RECORD = tarfile.BLOCKSIZE
#: Mount points: what is in them is not the container's.
EMPTY = {"proc", "sys", "dev"}


def export(root: Path) -> Iterator[bytes]:
    """Give a container's tree in pieces."""
    yield from _pieces(_walk(str(root), "", EMPTY))


def pack(path: str, name: str) -> Iterator[bytes]:
    """Give one file, or a directory with all that is in it, under a name of its own."""

    def found() -> Iterator[tuple[str, str]]:
        yield name, path
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            yield from _walk(path, f"{name}/", set())

    yield from _pieces(found())


def _pieces(found: Iterator[tuple[str, str]]) -> Iterator[bytes]:
    """Write what was found. A file that vanishes is left out; one that shrinks is filled up with zeros."""
    links: dict[tuple[int, int], str] = {}
    mine = os.getuid()
    for name, path in found:
        try:
            info = os.lstat(path)
            header = member(name, path, info, links, mine)
            file = open(path, "rb") if header is not None and header.isreg() else None  # noqa: SIM115, PTH123
        except OSError:
            continue
        if header is None:
            continue
        yield header.tobuf(tarfile.PAX_FORMAT)
        if file is not None:
            with file:
                yield from content(file.fileno(), header.size)
    yield b"\0" * (RECORD * 2)


def _walk(directory: str, prefix: str, left_out: set[str]) -> Iterator[tuple[str, str]]:
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        yield name, entry.path
        if entry.is_dir(follow_symlinks=False) and name not in left_out:
            yield from _walk(entry.path, f"{name}/", left_out)


def member(
    name: str, path: str, info: os.stat_result, links: dict[tuple[int, int], str], mine: int
) -> tarfile.TarInfo | None:
    """Make the header; None for a socket, which a tar can't hold."""
    made = tarfile.TarInfo(name)
    made.mode, made.mtime = stat.S_IMODE(info.st_mode), int(info.st_mtime)
    made.uid, made.gid = (0, 0) if mine and info.st_uid == mine else (info.st_uid, info.st_gid)
    if not made.uid:
        made.uname = made.gname = "root"
    if stat.S_ISDIR(info.st_mode):
        made.type, made.name = tarfile.DIRTYPE, f"{name}/"
    elif stat.S_ISLNK(info.st_mode):
        made.type, made.linkname = tarfile.SYMTYPE, os.readlink(path)  # noqa: PTH115
    elif stat.S_ISFIFO(info.st_mode):
        made.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        made.type = tarfile.CHRTYPE if stat.S_ISCHR(info.st_mode) else tarfile.BLKTYPE
        made.devmajor, made.devminor = os.major(info.st_rdev), os.minor(info.st_rdev)
    elif not stat.S_ISREG(info.st_mode):
        return None
    elif (first := links.get((info.st_dev, info.st_ino))) is not None:
        made.type, made.linkname = tarfile.LNKTYPE, first
    else:
        made.size = info.st_size
        if info.st_nlink > 1:
            links[info.st_dev, info.st_ino] = name
    return made


def content(handle: int, size: int) -> Iterator[bytes]:
    """Give so many bytes of a file, filled up to whole blocks; with zeros if the file is shorter now."""
    left = size
    while left and (data := os.read(handle, min(BLOCK, left))):
        left -= len(data)
        yield data
    for start in range(0, left, BLOCK):
        yield b"\0" * min(BLOCK, left - start)
    if size % RECORD:
        yield b"\0" * (RECORD - size % RECORD)
