"""Writes file trees as tar archives, piece by piece, so that memory use does not depend on the size of the tree.

A running container may change the tree meanwhile, so each file is opened before its header is written.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from dockerlab.engine.common.tree import DIRECTORY, PATH_ONLY, reopen
from dockerlab.engine.storage.tree_walk import walk

__all__ = ["END", "Links", "export", "file_blocks", "member", "member_header", "pack", "place_member"]

BLOCK = 1 << 16
RECORD = tarfile.BLOCKSIZE
#: The end of an archive: two empty records.
END = b"\0" * (RECORD * 2)
#: Mount points of the engine: their content is not the container's.
MOUNT_POINTS = ("proc", "sys", "dev")
#: Docker keeps one of the extended attributes, a program's capabilities, and without the user namespace that version 3
#: adds to them; see capabilities(7).
CAPABILITY, CAPABILITY_BYTES, WITH_NAMESPACE, VERSION_BYTE = "security.capability", 20, 3, 3
EXECUTABLE = 0o111
#: Where the files are that have more hard links than one: (device, inode) -> the first member with it.
Links = dict[tuple[int, int], str]


def export(root: Path) -> Iterator[bytes]:
    """Yield a container's tree as a tar."""
    top, links = os.open(root, DIRECTORY), Links()
    try:
        yield from _content(top, "", links)
    finally:
        os.close(top)
    yield END


def pack(place: int, name: str) -> Iterator[bytes]:
    """Yield one file, or a directory with its content, as a tar whose first member has the given name.

    `place` is an open place in a tree; the caller closes it.
    """
    links = Links()
    yield from place_member(name, place, links, os.getuid())
    if stat.S_ISDIR(os.fstat(place).st_mode):
        top = reopen(place, os.O_RDONLY)
        try:
            yield from _content(top, f"{name}/", links, ())
        finally:
            os.close(top)
    yield END


def _content(top: int, prefix: str, links: Links, excluded: tuple[str, ...] = MOUNT_POINTS) -> Iterator[bytes]:
    """Yield what is below an open directory. Files without a path are left out, because it would be too long."""
    engine_uid = os.getuid()
    for entry in walk(top, excluded=excluded):
        yield from member(f"{prefix}{entry.path}", entry.directory, entry.name, links, engine_uid)


def member(name: str, directory: int, entry: str, links: Links, engine_uid: int) -> Iterator[bytes]:
    """Yield a member for an entry of an open directory. One that has disappeared meanwhile is left out."""
    try:
        place = os.open(entry, PATH_ONLY, dir_fd=directory)
    except OSError:
        return
    try:
        yield from place_member(name, place, links, engine_uid)
    finally:
        os.close(place)


def place_member(name: str, place: int, links: Links, engine_uid: int) -> Iterator[bytes]:
    """Yield a member for an open place: its header, and a file's content. What can't be read is left out."""
    file = -1
    try:
        header = member_header(name, place, links, engine_uid)
        if header is not None and header.isreg():
            file = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
            if header.mode & EXECUTABLE:
                header.pax_headers = _capabilities(file)
    except OSError:
        return
    if header is None:
        return
    try:
        yield header.tobuf(tarfile.PAX_FORMAT)
        if file >= 0:
            yield from file_blocks(file, header.size)
    finally:
        if file >= 0:
            os.close(file)


def member_header(name: str, place: int, links: Links, engine_uid: int) -> tarfile.TarInfo | None:
    """Return the header of a member; None for a socket, which a tar can't hold. Raise OSError.

    An engine without root's rights owns the files that root in the container owns: they are written as root's.
    """
    info = os.fstat(place)
    header = tarfile.TarInfo(name)
    header.mode, header.mtime = stat.S_IMODE(info.st_mode), int(info.st_mtime)
    header.uid, header.gid = (0, 0) if engine_uid and info.st_uid == engine_uid else (info.st_uid, info.st_gid)
    if not header.uid:
        header.uname = header.gname = "root"
    if stat.S_ISDIR(info.st_mode):
        header.type, header.name = tarfile.DIRTYPE, f"{name}/"
    elif stat.S_ISLNK(info.st_mode):
        header.type, header.linkname = tarfile.SYMTYPE, os.readlink("", dir_fd=place)
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


def _capabilities(file: int) -> dict[str, str]:
    """Return a program's capabilities as the extension of its header."""
    with contextlib.suppress(OSError):
        value = os.getxattr(file, CAPABILITY)
        if len(value) > CAPABILITY_BYTES and value[VERSION_BYTE] == WITH_NAMESPACE:
            value = value[:VERSION_BYTE] + b"\2" + value[VERSION_BYTE + 1 : CAPABILITY_BYTES]
        return {f"SCHILY.xattr.{CAPABILITY}": value.decode("utf-8", "surrogateescape")}
    return {}


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
