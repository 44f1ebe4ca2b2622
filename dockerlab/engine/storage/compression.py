"""Reads a file that may be compressed, in one of the formats that Docker accepts."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from typing import IO, Any

from dockerlab.engine.common.cancellable_threads import check_cancelled
from dockerlab.engine.faults import Fault

__all__ = ["decompressed", "decompressed_blocks"]

BLOCK_BYTES = 1 << 20

#: The memory that a file in the format of xz may demand. One from `xz -9` needs 65 MB.
XZ_MEMORY = 128 << 20


class _XzContent(io.RawIOBase):
    """The content of a file in the format of xz. `lzma.open` has no limit for the memory that a file demands."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rewind()

    def _rewind(self) -> None:
        self._file.seek(0)
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY)
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place. On the way back, everything before it is decompressed again."""
        if whence != os.SEEK_SET:
            raise io.UnsupportedOperation("the place is not counted from the beginning")
        if offset < self._place:
            self._rewind()
        while self._place < offset and self.read(min(BLOCK_BYTES, offset - self._place)):
            pass
        return self._place

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data:
            more = b""
            if self._decompressor.eof:  # another stream may follow, perhaps after some zeros
                more = (self._decompressor.unused_data or self._file.read(BLOCK_BYTES)).lstrip(b"\0")
                if not more:
                    return 0
                self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY)
            elif self._decompressor.needs_input and not (more := self._file.read(BLOCK_BYTES)):
                raise EOFError
            data = self._decompressor.decompress(more, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def _open_xz(file: IO[bytes], _: str) -> IO[bytes]:
    return io.BufferedReader(_XzContent(file), BLOCK_BYTES)


#: The first bytes of each format, and what opens it.
FORMATS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", _open_xz))


class _Decompressed:
    """A compressed file. What is wrong with its content is an OSError, whatever the format."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.close = file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        with _as_os_error():
            return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place. On the way, everything before it is decompressed, which may take long."""
        with _as_os_error():
            while whence == os.SEEK_SET and self._file.tell() + BLOCK_BYTES < offset:
                check_cancelled()
                if not self._file.read(BLOCK_BYTES):
                    break
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
