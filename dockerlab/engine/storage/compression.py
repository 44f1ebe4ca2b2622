"""Reads a file that may be compressed, in one of the formats that Docker accepts."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Iterator
from typing import IO

__all__ = ["decompressed", "decompressed_blocks"]

BLOCK_BYTES = 1 << 20

#: The first bytes of each format, and what opens it.
FORMATS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """Return a file with the decompressed content, or the file itself if it is not compressed."""
    magic = file.read(6)
    file.seek(0)
    for first_bytes, opener in FORMATS:
        if magic.startswith(first_bytes):
            return opener(file, "rb")  # type: ignore[return-value]
    return file


def decompressed_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the decompressed content of a file in blocks."""
    content = decompressed(file)
    while block := content.read(BLOCK_BYTES):
        yield block
