"""Bytes in, records out: 8-byte frames, log lines, JSON lines, tar. Nothing here talks to an engine.

Every function takes chunks of bytes as they come, cut anywhere, and gives records one by one.
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

HEADER = struct.Struct(">BxxxI")
STREAMS = {0: "stdin", 1: "stdout", 2: "stderr", 3: "systemerr"}
#: What an engine may announce as one frame; more is not a frame but a stream read the wrong way.
LARGEST_FRAME = 64 << 20
#: A line of a log, or a JSON document, that goes on for longer is not read to its end: memory must not follow it.
LONGEST = 64 << 20
#: What a tar may need to write one name, or the other things of an extended header.
LONGEST_HEADER = 1 << 20
#: How an engine writes a moment before a line, and how many bytes of a line it keeps together.
MOMENT = re.compile(rb"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")
PART = 16384
#: What may be between two JSON documents, and the length from which one is called long.
BETWEEN, LONG_TEXT = " \t\r\n\x1e", 65536
BLOCK, TAR_BUFFER = 512, 1 << 18
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ASK_AGAIN = "Does the engine still run? dockerlab doctor tells; then ask again."


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
    mtime: datetime | None
    target: str


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Take 8-byte frames apart: (stream, payload) for each frame, as soon as it is whole.

    Raises StreamBroken if the bytes end within a frame, or are not frames at all.
    """
    rest: list[bytes] = []
    have, need = 0, HEADER.size
    for chunk in chunks:
        rest.append(chunk)
        have += len(chunk)
        if have < need:  # a long frame comes in many chunks: join them once
            continue
        data = b"".join(rest) if len(rest) > 1 else chunk
        start, need = 0, HEADER.size
        while start + HEADER.size <= have:
            kind, length = HEADER.unpack_from(data, start)
            if kind not in STREAMS or length > LARGEST_FRAME:
                raise StreamBroken("These bytes are not frames. Has the container a TTY? Then ask with tty=True.")
            end = start + HEADER.size + length
            if end > have:
                need = HEADER.size + length
                break
            yield STREAMS[kind], data[start + HEADER.size : end]
            start = end
        have -= start
        rest = [data[start:]] if have else []
    if have:
        raise StreamBroken(f"The stream ended within a frame: {have} bytes are left of one that is longer. {ASK_AGAIN}")


def unframed(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Give raw bytes of a container with a TTY in the form of `frames`: all of it is stdout."""
    for chunk in chunks:
        yield "stdout", chunk


def lines(pieces: Iterable[tuple[str, bytes]], *, timestamps: bool = False, tty: bool = False) -> Iterator[Line]:
    """Join pieces to lines, each stream by itself, and take the moments off their front.

    A line without an end is given when the stream ends. An engine keeps a long line in parts of 16 KiB, and writes
    the moment before each part: all but the first are dropped. A TTY writes a carriage return before each line's end:
    one is dropped. Raises StreamBroken for a line of more than 64 MiB.
    """
    begun: dict[str, list[bytes]] = {}
    sizes: dict[str, int] = {}
    for stream, piece in pieces:
        started = begun.get(stream)
        if not started and piece.find(b"\n") == len(piece) - 1 and piece:
            if timestamps or tty:
                yield _line(stream, piece[:-1], timestamps, tty)
            else:  # nearly every frame is one whole line: made without the detour by which Python names the fields
                yield tuple.__new__(Line, ("", stream, piece[:-1]))
            continue
        data = MOMENT.sub(b"", piece, count=1) if started and timestamps and not tty else piece
        head, *tail = data.split(b"\n")
        started = [*(started or []), head] if head or started else []
        for item in tail:
            yield _line(stream, b"".join(started), timestamps, tty)
            started = [item] if item else []
        begun[stream] = started
        sizes[stream] = len(started[-1]) + (0 if tail else sizes.get(stream, 0)) if started else 0
        if sizes[stream] > LONGEST:
            raise _endless("a line", "Read it as it comes, without lines, with lab.open(…).chunks().")
    for stream, started in begun.items():
        if started:
            yield _line(stream, b"".join(started), timestamps, tty)


def _line(stream: str, data: bytes, timestamps: bool, tty: bool) -> Line:
    if tty and data.endswith(b"\r"):
        data = data[:-1]
    if not timestamps:
        return Line("", stream, data)
    moment, space, data = data.partition(b" ")
    if tty and len(data) > PART:
        data = _joined(data, moment + space)
    return Line(moment.decode("ascii", "replace"), stream, data)


def _joined(data: bytes, moment: bytes) -> bytes:
    """Drop the moments between the parts of a long line, where no frame shows where a part begins."""
    parts, place = [], 0
    while data.startswith(moment, place + PART):
        parts.append(data[place : place + PART])
        place += PART + len(moment)
    return b"".join([*parts, data[place:]])


def _endless(what: str, mend: str) -> StreamBroken:
    return StreamBroken(f"The engine sent {what} of more than {LONGEST >> 20} MiB, and no end of it. {mend}")


def json_lines(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Give one JSON document after the other, whatever white space (or record separator) is between them.

    Raises StreamBroken if the bytes end within a document, are not JSON, or if one is longer than 64 MiB.
    """
    decoder, utf8 = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")("replace")
    kept: list[str] = []
    have, enough, ends = 0, 0, True
    for chunk in chunks:
        kept.append(utf8.decode(chunk))
        have += len(kept[-1])
        if have < enough and not (ends and b"\n" in chunk):
            continue  # a long document: joining and trying at each chunk would take for ever
        text, begun = "".join(kept).lstrip(BETWEEN), 0
        for document, end in _decoded(decoder, text):
            if not isinstance(document, (dict, list)) and text[end : end + 1] not in tuple(BETWEEN):
                break  # a number might go on in the next chunk
            yield document
            begun = end
        kept = [text[begun:].lstrip(BETWEEN)]
        ends = begun > 0 or not enough  # or a newline is none of a document's end, and says nothing
        have = len(kept[0])
        enough = 2 * have if have > LONG_TEXT else 0
        if have > LONGEST:
            raise _endless("a JSON document", "Is it an engine that answers? dockerlab doctor tells.")
    text, begun = "".join([*kept, utf8.decode(b"", final=True)]), 0
    for document, end in _decoded(decoder, text):
        yield document
        begun = end
    if rest := text[begun:].strip(BETWEEN):
        raise StreamBroken(f"The stream ended within a JSON document, after {rest[:40]!r}. {ASK_AGAIN}")


def _decoded(decoder: json.JSONDecoder, text: str) -> Iterator[tuple[Any, int]]:
    """Give the documents that a text begins with, and where each ends, up to one that isn't whole, or isn't JSON."""
    place, size = 0, len(text)
    while True:
        while place < size and text[place] in BETWEEN:
            place += 1
        if place == size:
            return
        try:
            document, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return
        yield document, place


def documents(body: bytes) -> list[Any]:
    """Give all JSON documents of a body that is there as a whole. Raises StreamBroken as `json_lines` does."""
    written = body.strip().split(b"\n")  # of an engine that writes each on a line of its own, all are read at once
    if all(one[:1] == b"{" and one[-1:] == b"}" for one in written):
        with contextlib.suppress(ValueError, RecursionError):
            found: list[Any] = json.loads(f"[{b','.join(written).decode()}]")
            if len(found) == len(written):
                return found
    return list(json_lines([body]))


class _Chunks(io.RawIOBase):
    """Chunks as a file to read from, once, from front to back."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self.size = 0  #: how many bytes came
        self.content = 0  #: where the last byte that isn't zero ended

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            if filled := len(chunk.rstrip(b"\0")):
                self.content = self.size + filled
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
    """A header of a tar, which may not ask for more memory than one needs."""

    @classmethod
    def frombuf(cls, *arguments: Any, **named: Any) -> _Header:
        """Read one."""
        found: Any = super().frombuf(*arguments, **named)
        if found.type in EXTENDED and not 0 <= found.size <= LONGEST_HEADER:
            raise tarfile.ReadError(f"an extended header of {found.size} bytes")
        return found  # type: ignore[no-any-return]


#: Members that only say something about the next one, and are read whole.
EXTENDED = {
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
}  # fmt: skip


def tar_members(chunks: Iterable[bytes]) -> Iterator[Member]:
    """Give the members of a tar while it comes, without unpacking it: memory stays flat.

    Raises StreamBroken if the tar is broken or ends too early.
    """
    source = _Chunks(chunks)
    try:
        with tarfile.open(fileobj=source, mode="r|", bufsize=TAR_BUFFER, encoding="utf-8", tarinfo=_Header) as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # tarfile would keep every header to the end
                yield _member(info)
            reached = tar.offset
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise StreamBroken(f"The tar is broken or ended too early: {error}. {ASK_AGAIN}") from None
    while source.read(TAR_BUFFER):
        pass  # the padding after the end: read, so that the connection can be used again
    # tarfile takes a wrong header, and an end without a mark, for the end
    if source.content > reached or source.size < reached + BLOCK:
        raise StreamBroken(f"The tar is broken or ended too early: its end is missing. {ASK_AGAIN}")


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
        mtime=_moment(float(info.mtime)),
        target=_printable(info.linkname),
    )


def _printable(name: str) -> str:
    """Write the bytes of a name that aren't UTF-8 as `\\xff`: no page could show it otherwise."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _moment(seconds: float) -> datetime | None:
    try:
        return EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None
