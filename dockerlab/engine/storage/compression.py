"""Reads a file that may be compressed, in one of the formats that Docker accepts."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import lzma
import os
import zlib
from collections.abc import Iterator
from typing import IO

from dockerlab.engine.faults import Fault

__all__ = ["decompressed", "decompressed_blocks"]

BLOCK_BYTES = 1 << 20

#: The first bytes of each format, and what opens it.
FORMATS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))


class _Decompressed:
    """A compressed file. What is wrong with its content is an OSError, whatever the format."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.close = file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        with _as_os_error():
            return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _as_os_error():
            return self._file.seek(offset, whence)


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile):
        raise OSError(errno.EINVAL, "the compressed data is damaged") from None


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """Return a file with the decompressed content, or the file itself if it is not compressed."""
    magic = file.read(6)
    file.seek(0)
    for first_bytes, opener in FORMATS:
        if magic.startswith(first_bytes):
            return _Decompressed(opener(file, "rb"))  # type: ignore[return-value, arg-type]
    return file


def decompressed_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the decompressed content of a file in blocks. Raises Fault if it is damaged."""
    content = decompressed(file)
    try:
        while block := content.read(BLOCK_BYTES):
            yield block
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise Fault("unexpected EOF") from None
