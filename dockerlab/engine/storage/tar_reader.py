"""Reads tars from clients and registries, whose headers may say anything."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from typing import IO, cast

from dockerlab.engine.common.cancellable_threads import check_cancelled
from dockerlab.engine.faults import Fault

__all__ = ["LayerFault", "area_blocks", "content_blocks", "data_areas", "iterate_members", "open_untrusted"]

#: The header of a member, even with a long name or attributes, is never longer than this.
HEADER_BYTES = 1 << 20
#: All headers in front of a member together, with the map of a sparse file.
ALL_HEADERS_BYTES = 2 << 20
BLOCK = 1 << 16
#: `tarfile` searches extended headers for a number before a word, in a time that grows with the square of its digits.
MAX_DIGITS = 4096
DIGITS = re.compile(rb"[0-9]+")


class LayerFault(Fault):
    """A layer or an archive can't be unpacked."""


class _HeaderLimit:
    """A file for `tarfile`, which would otherwise read a header of any size into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.reads_headers = True
        self.header_bytes = 0

    def begin_member(self) -> None:
        """Count the bytes of headers from the beginning, because those of the next member follow."""
        self.reads_headers, self.header_bytes = True, 0

    def read(self, size: int = -1) -> bytes:
        check_cancelled()
        self.header_bytes += size if self.reads_headers else 0
        if not 0 <= size <= HEADER_BYTES or self.header_bytes > ALL_HEADERS_BYTES:
            raise tarfile.ReadError("a header is too long")
        data = self._file.read(size)
        if self.reads_headers and size > MAX_DIGITS and max(map(len, DIGITS.findall(data)), default=0) > MAX_DIGITS:
            raise tarfile.ReadError("a header has a number that is too long")
        return data


class _NoGlobalHeaders(dict[str, str]):
    """What global headers say about all members after them: nothing, because Docker ignores them.

    `tarfile` would keep all of them in memory, and give every member a copy.
    """

    def __setitem__(self, name: str, value: str) -> None:
        pass


def open_untrusted(file: IO[bytes]) -> tarfile.TarFile:
    """Open an uncompressed tar from a client or a registry. Raises LayerFault if it is not a tar."""
    try:
        return tarfile.open(  # type: ignore[call-overload, no-any-return]
            fileobj=_HeaderLimit(file), mode="r:", pax_headers=_NoGlobalHeaders()
        )
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise LayerFault(f"archive/tar: invalid tar header: {error}") from None
    except OSError as error:
        raise LayerFault(f"archive/tar: {error.strerror or error}") from None
    except RecursionError:
        raise LayerFault("archive/tar: invalid tar header: too many extended headers") from None


def iterate_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members one by one, and keep none of them in memory. Raises tarfile.ReadError."""
    end = -1
    while (member := _next(tar)) is not None:
        if member.size < 0 or tar.offset <= end:
            raise tarfile.ReadError("invalid size in a header")  # tarfile would read the same members again and again
        end = tar.offset
        yield member
        tar.members.clear()  # type: ignore[attr-defined]


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    file = cast("_HeaderLimit", tar.fileobj)
    try:
        file.begin_member()
        return tar.next()
    except RecursionError:  # each extended header may be followed by another one
        raise tarfile.ReadError("too many extended headers") from None
    finally:
        file.reads_headers = False


def data_areas(member: tarfile.TarInfo) -> list[tuple[int, int]]:
    """Return position and length of the areas of a file that are in the archive; the rest of a sparse file is zeros.

    Raises tarfile.ReadError.
    """
    areas: list[tuple[int, int]] | None = getattr(member, "sparse", None)
    if areas is None:
        return [(0, member.size)]
    end = 0
    areas = [area for area in areas if area[1]]
    for start, length in areas:
        if start < end or length < 0:
            raise tarfile.ReadError("invalid map of a sparse file")
        end = start + length
    if end > member.size:
        raise tarfile.ReadError("invalid map of a sparse file")
    return areas


def area_blocks(tar: tarfile.TarFile, length: int) -> Iterator[bytes]:
    """Yield the next bytes of the archive in blocks. Raises LayerFault if it ends before."""
    file = cast("IO[bytes]", tar.fileobj)
    while length:
        block = file.read(min(BLOCK, length))
        if not block:
            raise LayerFault("unexpected EOF")
        length -= len(block)
        yield block


def content_blocks(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    """Yield the content of a file in blocks, with zeros between the areas that are in the archive."""
    cast("IO[bytes]", tar.fileobj).seek(member.offset_data)
    position = 0
    for start, length in [*data_areas(member), (member.size, 0)]:
        for hole in range(position, start, BLOCK):
            yield b"\0" * min(BLOCK, start - hole)
        yield from area_blocks(tar, length)
        position = start + length
