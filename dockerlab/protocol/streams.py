"""Turns bytes into records: 8-byte frames, log lines, JSON documents, tar members. Nothing here talks to an engine.

Every function takes chunks of bytes as they arrive, cut anywhere, and yields one record after the other.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import re
import struct
import tarfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from dockerlab.errors import StreamBroken

__all__ = ["Line", "Member", "documents", "frames", "json_lines", "lines", "tar_members", "unframed"]

#: The header of a frame: one byte for the stream, three for padding, four for the length.
HEADER = struct.Struct(">BxxxI")
STREAMS = {0: "stdin", 1: "stdout", 2: "stderr", 3: "systemerr"}
#: No engine sends larger frames: a greater length means that these bytes are not frames.
LARGEST_FRAME = 64 << 20
#: A longer line of a log or JSON document is not read to its end, so that it can't fill the memory.
LONGEST = 64 << 20
#: The most that an extended header of a tar needs: it holds a long name, for example.
LONGEST_HEADER = 1 << 20
#: The timestamp that an engine writes before a line, and the size of the parts in which it stores a long line.
TIMESTAMP = re.compile(rb"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")
PART = 16384
#: The separators between two JSON documents, and the length of a long one.
SEPARATORS, LONG_DOCUMENT = " \t\r\n\x1e", 65536
BLOCK, TAR_BUFFER = 512, 1 << 18
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRY_AGAIN = "Check with dockerlab doctor whether the engine is still running, then try again."


class Line(NamedTuple):
    """One line of a log: its timestamp as the engine wrote it (empty without timestamps), its stream, its bytes."""

    time: str
    stream: str
    data: bytes

    @property
    def message(self) -> str:
        """The line as text; bytes that aren't UTF-8 are shown as `\\xff`."""
        return self.data.decode("utf-8", "backslashreplace")


class Member(NamedTuple):
    """One member of a tar: the fields of its header, without its content."""

    path: str
    kind: str
    mode: str
    owner: str
    group: str
    uid: int
    gid: int
    size_bytes: int
    mtime: datetime | None
    target: str


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield (stream, payload) for each frame, as soon as it is complete.

    Raises StreamBroken if the bytes end within a frame, or are not frames at all.
    """
    rest: list[bytes] = []
    have, need = 0, HEADER.size
    for chunk in chunks:
        rest.append(chunk)
        have += len(chunk)
        if have < need:  # a long frame arrives in many chunks: joining them once is enough
            continue
        data = b"".join(rest) if len(rest) > 1 else chunk
        start, need = 0, HEADER.size
        while start + HEADER.size <= have:
            kind, length = HEADER.unpack_from(data, start)
            if kind not in STREAMS or length > LARGEST_FRAME:
                raise StreamBroken("These bytes are not frames. If the container has a TTY, pass tty=True.")
            end = start + HEADER.size + length
            if end > have:
                need = HEADER.size + length
                break
            yield STREAMS[kind], data[start + HEADER.size : end]
            start = end
        have -= start
        rest = [data[start:]] if have else []
    if have:
        raise StreamBroken(f"The stream ended within a frame, of which only {have} bytes arrived. {TRY_AGAIN}")


def unframed(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the raw bytes of a container with a TTY in the form of `frames`: all of it is stdout."""
    for chunk in chunks:
        yield "stdout", chunk


def lines(pieces: Iterable[tuple[str, bytes]], *, timestamps: bool = False, tty: bool = False) -> Iterator[Line]:
    """Join pieces into lines, separately for each stream, and split off their timestamps.

    A last line without a newline is yielded when the stream ends. An engine stores a long line in parts of 16 KiB and
    writes a timestamp before each: all but the first are removed. A TTY ends each line with a carriage return and a
    newline: both are removed. Raises StreamBroken for a line of more than 64 MiB.
    """
    unfinished: dict[str, list[bytes]] = {}
    sizes: dict[str, int] = {}
    for stream, piece in pieces:
        parts = unfinished.get(stream)
        if not parts and piece.find(b"\n") == len(piece) - 1 and piece:
            # nearly every frame is one whole line
            yield _line(stream, piece[:-1], timestamps, tty) if timestamps or tty else Line("", stream, piece[:-1])
            continue
        data = TIMESTAMP.sub(b"", piece, count=1) if parts and timestamps and not tty else piece
        head, *tail = data.split(b"\n")
        parts = [*(parts or []), head] if head or parts else []
        for item in tail:
            yield _line(stream, b"".join(parts), timestamps, tty)
            parts = [item] if item else []
        unfinished[stream] = parts
        sizes[stream] = len(parts[-1]) + (0 if tail else sizes.get(stream, 0)) if parts else 0
        if sizes[stream] > LONGEST:
            raise _too_long("a line", "Read it without splitting it into lines: lab.open(…).chunks().")
    for stream, parts in unfinished.items():
        if parts:
            yield _line(stream, b"".join(parts), timestamps, tty)


def _line(stream: str, data: bytes, timestamps: bool, tty: bool) -> Line:
    if tty and data.endswith(b"\r"):
        data = data[:-1]
    if not timestamps:
        return Line("", stream, data)
    timestamp, space, data = data.partition(b" ")
    if tty and len(data) > PART:
        data = _without_timestamps(data, timestamp + space)
    return Line(timestamp.decode("ascii", "replace"), stream, data)


def _without_timestamps(data: bytes, timestamp: bytes) -> bytes:
    """Remove the timestamps inside a long line of a TTY, where no frames show where its parts begin."""
    parts, start = [], 0
    while data.startswith(timestamp, start + PART):
        parts.append(data[start : start + PART])
        start += PART + len(timestamp)
    return b"".join([*parts, data[start:]])


def _too_long(what: str, fix: str) -> StreamBroken:
    return StreamBroken(f"The engine sent {what} of more than {LONGEST >> 20} MiB, and it goes on. {fix}")


def json_lines(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Yield one JSON document after the other; white space or record separators between them are skipped.

    Raises StreamBroken if the bytes end within a document, are not JSON, or if a document is longer than 64 MiB.
    """
    decoder, utf8 = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")("replace")
    pending: list[str] = []
    length, next_try, newline_ends_document = 0, 0, True
    for chunk in chunks:
        pending.append(utf8.decode(chunk))
        length += len(pending[-1])
        if length < next_try and not (newline_ends_document and b"\n" in chunk):
            continue  # trying to decode a long document at each chunk would take quadratic time
        text, start = "".join(pending).lstrip(SEPARATORS), 0
        for document, end in _decoded(decoder, text):
            if not isinstance(document, (dict, list)) and text[end : end + 1] not in tuple(SEPARATORS):
                break  # a number might go on in the next chunk
            yield document
            start = end
        pending = [text[start:].lstrip(SEPARATORS)]
        # After a try that found nothing, newlines are inside a document, which is indented.
        newline_ends_document = start > 0 or not next_try
        length = len(pending[0])
        next_try = 2 * length if length > LONG_DOCUMENT else 0
        if length > LONGEST:
            raise _too_long("a JSON document", "Check with dockerlab doctor that an engine answers.")
    text, start = "".join([*pending, utf8.decode(b"", final=True)]), 0
    for document, end in _decoded(decoder, text):
        yield document
        start = end
    if rest := text[start:].strip(SEPARATORS):
        raise StreamBroken(f"The stream ended within a JSON document, after {rest[:40]!r}. {TRY_AGAIN}")


def _decoded(decoder: json.JSONDecoder, text: str) -> Iterator[tuple[Any, int]]:
    """Yield the documents at the beginning of a text, each with the position of its end, as long as they are valid."""
    position, size = 0, len(text)
    while True:
        while position < size and text[position] in SEPARATORS:
            position += 1
        if position == size:
            return
        try:
            document, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        yield document, position


def documents(body: bytes) -> list[Any]:
    """Return all JSON documents of a complete body. Raises StreamBroken as `json_lines` does."""
    rows = body.strip().split(b"\n")
    if all(row[:1] == b"{" and row[-1:] == b"}" for row in rows):  # one document per row: decoding all at once is fast
        with contextlib.suppress(ValueError, RecursionError):
            decoded: list[Any] = json.loads(f"[{b','.join(rows).decode()}]")
            if len(decoded) == len(rows):
                return decoded
    return list(json_lines([body]))


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a file that can be read once, from front to back."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self.size = 0  #: the number of bytes so far
        self.content_end = 0  #: the end of the last byte that isn't zero

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            if filled := len(chunk.rstrip(b"\0")):
                self.content_end = self.size + filled
            self.size += len(chunk)
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}


class _Header(tarfile.TarInfo):
    """A header of a tar, which is refused if it announces an absurdly long extended header."""

    @classmethod
    def frombuf(cls, *arguments: Any, **named: Any) -> _Header:
        header: Any = super().frombuf(*arguments, **named)
        if header.type in EXTENDED and not 0 <= header.size <= LONGEST_HEADER:
            raise tarfile.ReadError(f"an extended header of {header.size} bytes")
        return header  # type: ignore[no-any-return]


#: Members that only describe the next one; tarfile reads them into memory.
EXTENDED = {
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
}  # fmt: skip


def tar_members(chunks: Iterable[bytes]) -> Iterator[Member]:
    """Yield the members of a tar while it arrives, without unpacking it, in constant memory.

    Raises StreamBroken if the tar is broken or ends too early.
    """
    source = _Chunks(chunks)
    try:
        with tarfile.open(fileobj=source, mode="r|", bufsize=TAR_BUFFER, encoding="utf-8", tarinfo=_Header) as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # otherwise tarfile would collect every header
                yield _member(info)
            end = tar.offset
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise StreamBroken(f"The tar is broken or ended too early: {error}. {TRY_AGAIN}") from None
    while source.read(TAR_BUFFER):
        pass  # read the padding at the end, so that the connection can be used again
    # tarfile stops at an invalid header, and where the end marker is missing, as if the tar were complete
    if source.content_end > end or source.size < end + BLOCK:
        raise StreamBroken(f"The tar is broken or ended too early: its end is missing. {TRY_AGAIN}")


def _member(info: tarfile.TarInfo) -> Member:
    return Member(
        path=_printable(info.name.removeprefix("./")),
        kind="file" if info.isreg() else KINDS.get(info.type, "other"),
        mode=f"{info.mode & 0o7777:04o}",
        owner=_printable(info.uname),
        group=_printable(info.gname),
        uid=info.uid,
        gid=info.gid,
        size_bytes=info.size if info.isreg() else 0,
        mtime=_time(float(info.mtime)),
        target=_printable(info.linkname),
    )


def _printable(name: str) -> str:
    """Return a name as text; bytes that aren't UTF-8 become `\\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _time(seconds: float) -> datetime | None:
    try:
        return EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None
