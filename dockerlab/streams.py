"""Bytes in, records out: 8-byte frames, log lines, JSON lines, tar. Nothing here talks to an engine.

Every function takes chunks of bytes as they come, cut anywhere, and gives records one by one.
"""

from __future__ import annotations

import codecs
import io
import json
import struct
import tarfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dockerlab.errors import StreamBroken

__all__ = ["Line", "Member", "frames", "json_lines", "lines", "tar_members", "unframed"]

HEADER = struct.Struct(">BxxxI")
STREAMS = {0: "stdin", 1: "stdout", 2: "stderr", 3: "systemerr"}
#: What an engine may announce as one frame; more is not a frame but a stream read the wrong way.
LARGEST_FRAME = 1 << 30


class Line(NamedTuple):
    """One line of a log: the moment as the engine wrote it (empty without timestamps), its stream, its bytes."""

    time: str
    stream: str
    data: bytes

    @property
    def message(self) -> str:
        """The line as text: bytes that aren't UTF-8 are shown as `\\xff`."""
        return self.data.decode("utf-8", "backslashreplace")


class Member(NamedTuple):
    """One member of a tar: its header, without its content."""

    path: str
    kind: str
    mode: str
    owner: str
    group: str
    uid: int
    gid: int
    size_bytes: int
    mtime: datetime
    target: str


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Take 8-byte frames apart: (stream, payload) for each frame, as soon as it is whole.

    Raises StreamBroken if the bytes end within a frame, or are not frames at all.
    """
    buffer, start = bytearray(), 0
    for chunk in chunks:
        buffer += chunk
        start, size = 0, len(buffer)
        while size - start >= HEADER.size:
            kind, length = HEADER.unpack_from(buffer, start)
            if kind not in STREAMS or length > LARGEST_FRAME:
                raise StreamBroken("These bytes are not frames. Has the container a TTY? Then ask with tty=True.")
            end = start + HEADER.size + length
            if end > size:
                break
            yield STREAMS[kind], bytes(memoryview(buffer)[start + HEADER.size : end])
            start = end
        del buffer[:start]
    if buffer:
        raise StreamBroken(f"The stream ended within a frame: {len(buffer)} bytes are left of one that is longer.")


def unframed(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Give raw bytes of a container with a TTY in the form of `frames`: all of it is stdout."""
    for chunk in chunks:
        yield "stdout", chunk


def lines(pieces: Iterable[tuple[str, bytes]], *, timestamps: bool = False) -> Iterator[Line]:
    """Join pieces to lines, each stream by itself, and take the moments off their front.

    A line without an end is given when the stream ends. Carriage returns before a line's end are dropped.
    """
    rest: dict[str, list[bytes]] = {}
    for stream, data in pieces:
        head, *tail = data.split(b"\n")
        started = rest.setdefault(stream, [])
        started.append(head)
        for item in tail:
            yield _line(stream, b"".join(started), timestamps)
            started[:] = [item]
    for stream, started in rest.items():
        if left := b"".join(started):
            yield _line(stream, left, timestamps)


def _line(stream: str, data: bytes, timestamps: bool) -> Line:
    data = data.removesuffix(b"\r")
    if not timestamps:
        return Line("", stream, data)
    moment, _, data = data.partition(b" ")
    return Line(moment.decode("ascii", "replace"), stream, data)


def json_lines(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Give one JSON document after the other, whatever white space (or record separator) is between them.

    Raises StreamBroken if the bytes end within a document, or are not JSON.
    """
    decoder, utf8 = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")("replace")
    text = ""
    for chunk in chunks:
        text = (text + utf8.decode(chunk)).lstrip(" \t\r\n\x1e")
        while text:
            try:
                document, end = decoder.raw_decode(text)
            except ValueError:
                break  # not whole yet, or never: the end tells
            if end == len(text) and not isinstance(document, (dict, list)):
                break  # a number might go on in the next chunk
            yield document
            text = text[end:].lstrip(" \t\r\n\x1e")
    if text.strip():
        try:
            yield decoder.decode(text)
        except ValueError:
            raise StreamBroken(f"The stream ended within a JSON document, after {text[:40]!r}.") from None


class _Chunks(io.RawIOBase):
    """Chunks as a file to read from, once, from front to back."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}


def tar_members(chunks: Iterable[bytes]) -> Iterator[Member]:
    """Give the members of a tar while it comes, without unpacking it: memory stays flat.

    Raises StreamBroken if the tar ends too early.
    """
    source = _Chunks(chunks)
    try:
        with tarfile.open(fileobj=io.BufferedReader(source, 65536), mode="r|") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every header to the end
                yield _member(info)
    except tarfile.TarError as error:
        raise StreamBroken(f"The tar is broken or ended too early: {error}.") from None
    for _ in iter(lambda: source.read(65536), b""):
        pass  # the padding after the end: read, so that the connection can be used again


def _member(info: tarfile.TarInfo) -> Member:
    return Member(
        path=info.name.removeprefix("./"),
        kind=KINDS.get(info.type, "other"),
        mode=f"{info.mode & 0o7777:04o}",
        owner=info.uname,
        group=info.gname,
        uid=info.uid,
        gid=info.gid,
        size_bytes=info.size if info.isreg() else 0,
        mtime=datetime.fromtimestamp(max(float(info.mtime), 0.0), UTC),
        target=info.linkname,
    )
