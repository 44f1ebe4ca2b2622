"""Copies the content and the attributes of open files. Holes stay holes, and blocks of zeros become holes."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from dockerlab.engine.common.tree import PATH_ONLY

__all__ = ["copy_attributes", "copy_content", "set_mode", "stored_areas", "write_sparse"]

SECTOR = 512
#: The length of the blocks whose zeros become holes.
BLOCK = 1 << 16
ZEROS = bytes(BLOCK)


def copy_content(source: int, target: int, info: os.stat_result) -> None:
    """Copy the content of a file into a new one."""
    is_sparse = info.st_blocks * SECTOR < info.st_size
    for start, end in stored_areas(source, info):
        os.lseek(target, start, os.SEEK_SET)
        while start < end and (count := os.sendfile(target, source, start, end - start)):
            start += count  # noqa: PLW2901
    if is_sparse:
        os.ftruncate(target, info.st_size)


def stored_areas(file: int, info: os.stat_result) -> Iterator[tuple[int, int]]:
    """Yield where each area of a file starts and ends that is not a hole."""
    size, end = info.st_size, 0
    if info.st_blocks * SECTOR >= size:
        yield 0, size
        return
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
            end = os.lseek(file, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # there is only a hole left
                return
            raise
        yield start, min(end, size)


def write_sparse(file: int, data: bytes) -> int:
    """Append data to a file, with a hole for each block of zeros. Return how many bytes take up space.

    At the end of the file, `os.ftruncate` has to make the last hole a part of it.
    """
    used = 0
    for start in range(0, len(data), BLOCK):
        block = data[start : start + BLOCK]
        if block == (ZEROS if len(block) == BLOCK else bytes(len(block))):
            os.lseek(file, len(block), os.SEEK_CUR)
            continue
        used += len(block)
        remaining = memoryview(block)
        while remaining:
            remaining = remaining[os.write(file, remaining) :]
    return used


def copy_attributes(source: int, target: int, info: os.stat_result, keeps_owner: bool) -> None:
    """Give a file or directory the owner, mode, extended attributes and times of another one.

    A new owner clears the set-user-ID bit and the capabilities of a file, so the owner comes first.
    """
    if keeps_owner and (info.st_uid, info.st_gid) != (0, 0):  # a copy already belongs to root, who is the engine
        os.chown(target, info.st_uid, info.st_gid)
    os.chmod(target, stat.S_IMODE(info.st_mode))
    with contextlib.suppress(OSError):  # the file system has no extended attributes
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):  # this one can't be read or set
                os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))


def set_mode(directory: int, name: str, mode: int) -> None:
    """Set the mode of something that is not opened for it, such as a named pipe; a link has none."""
    place = os.open(name, PATH_ONLY, dir_fd=directory)
    try:
        if not stat.S_ISLNK(os.fstat(place).st_mode):
            os.chmod(f"/proc/self/fd/{place}", mode)  # noqa: PTH101
    finally:
        os.close(place)
