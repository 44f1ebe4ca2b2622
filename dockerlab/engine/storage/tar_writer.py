"""Writes file trees as tar archives, piece by piece, so that memory use does not depend on the size of the tree."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["END", "export", "file_blocks", "member", "member_header", "pack"]

BLOCK = 1 << 16
RECORD = tarfile.BLOCKSIZE
#: The end of an archive: two empty records.
END = b"\0" * (RECORD * 2)
#: Mount points of the engine: their content is not the container's.
MOUNT_POINTS = {"proc", "sys", "dev"}
#: Where the files are that have more hard links than one: (device, inode) -> the first member with it.
Links = dict[tuple[int, int], str]


def export(root: Path) -> Iterator[bytes]:
    """Yield a container's tree as a tar."""
    yield from _archive(_walk(str(root), "", MOUNT_POINTS))


def pack(path: str, name: str) -> Iterator[bytes]:
    """Yield one file, or a directory with its content, as a tar whose first member has the given name."""

    def paths() -> Iterator[tuple[str, str]]:
        yield name, path
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            yield from _walk(path, f"{name}/", set())

    yield from _archive(paths())


def _archive(paths: Iterator[tuple[str, str]]) -> Iterator[bytes]:
    links: Links = {}
    engine_uid = os.getuid()
    for name, path in paths:
        yield from member(name, path, links, engine_uid)
    yield END


def _walk(directory: str, prefix: str, excluded: set[str]) -> Iterator[tuple[str, str]]:
    """Yield name and path of what is in a directory; the content of `excluded` directories is left out."""
    try:
        with os.scandir(directory) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        yield name, entry.path
        if entry.is_dir(follow_symlinks=False) and name not in excluded:
            yield from _walk(entry.path, f"{name}/", excluded)


def member(name: str, path: str, links: Links, engine_uid: int) -> Iterator[bytes]:
    """Yield one member: its header, and a file's content. A file that has disappeared meanwhile is left out."""
    try:
        info = os.lstat(path)
        header = member_header(name, path, info, links, engine_uid)
        file = open(path, "rb") if header is not None and header.isreg() else None  # noqa: SIM115, PTH123
    except OSError:
        return
    if header is None:
        return
    yield header.tobuf(tarfile.PAX_FORMAT)
    if file is not None:
        with file:
            yield from file_blocks(file.fileno(), header.size)


def member_header(name: str, path: str, info: os.stat_result, links: Links, engine_uid: int) -> tarfile.TarInfo | None:
    """Return the header of a member; None for a socket, which a tar can't hold.

    An engine without root's rights owns the files that root in the container owns: they are written as root's.
    """
    header = tarfile.TarInfo(name)
    header.mode, header.mtime = stat.S_IMODE(info.st_mode), int(info.st_mtime)
    header.uid, header.gid = (0, 0) if engine_uid and info.st_uid == engine_uid else (info.st_uid, info.st_gid)
    if not header.uid:
        header.uname = header.gname = "root"
    if stat.S_ISDIR(info.st_mode):
        header.type, header.name = tarfile.DIRTYPE, f"{name}/"
    elif stat.S_ISLNK(info.st_mode):
        header.type, header.linkname = tarfile.SYMTYPE, os.readlink(path)  # noqa: PTH115
    elif stat.S_ISFIFO(info.st_mode):
        header.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        header.type = tarfile.CHRTYPE if stat.S_ISCHR(info.st_mode) else tarfile.BLKTYPE
        header.devmajor, header.devminor = os.major(info.st_rdev), os.minor(info.st_rdev)
    elif not stat.S_ISREG(info.st_mode):
        return None
    elif (first := links.get((info.st_dev, info.st_ino))) is not None:
        header.type, header.linkname = tarfile.LNKTYPE, first
    else:
        header.size = info.st_size
        if info.st_nlink > 1:
            links[info.st_dev, info.st_ino] = name
    return header


def file_blocks(handle: int, size: int) -> Iterator[bytes]:
    """Yield so many bytes of a file, padded to whole records. If the file has become shorter, zeros fill it up."""
    remaining = size
    while remaining and (data := os.read(handle, min(BLOCK, remaining))):
        remaining -= len(data)
        yield data
    for start in range(0, remaining, BLOCK):
        yield b"\0" * min(BLOCK, remaining - start)
    if size % RECORD:
        yield b"\0" * (RECORD - size % RECORD)
