"""Reads a container's json-file log: the last lines, a period of time, and new records as they are written."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dockerlab.engine.common.timestamps import nanoseconds
from dockerlab.engine.containers import log_blocks, log_options

__all__ = ["LogQuery", "read"]

BLOCK_BYTES, BACKWARD_BYTES = 1 << 19, 1 << 16
FOLLOW_SECONDS = 0.05
STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which records of a log to read, and in which form. Times are nanoseconds since 1970; 0 means no limit."""

    stdout: bool = True
    stderr: bool = True
    since: int = 0
    until: int = 0
    timestamps: bool = False
    details: bool = False
    tail: int | None = None
    follow: bool = False
    frames: bool = True


async def read(path: Path, query: LogQuery, is_over: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield the log in blocks of bytes, with frames or raw.

    With `follow`, the log ends when `is_over` returns true and everything that was written has been read.
    """
    with contextlib.closing(_RotatedFiles(path)) as files:
        if query.tail is not None:
            files.seek(*_tail_position(files.open_files, query))
        rest = b""
        while True:
            is_last = is_over()  # asked before the read, so that everything written before the end is read after it
            block = await asyncio.to_thread(files.read_block)
            if block:
                whole, _, rest = (rest + block).rpartition(b"\n")
                data, is_past_until = await asyncio.to_thread(_convert, whole, query)
                if data:
                    yield data
                if is_past_until:
                    return
                continue
            if not query.follow or is_last:
                return
            await asyncio.sleep(FOLLOW_SECONDS)


class _RotatedFiles:
    """The files of one log, read from the oldest to the newest. The log may be rotated in the meantime."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open_files = _open_all(path)

    def seek(self, number: int, position: int) -> None:
        """Start reading at a position in one of the files."""
        for file in self.open_files[:number]:
            file.close()
        del self.open_files[:number]
        self.open_files[0].seek(position)

    def read_block(self) -> bytes:
        """Read the next bytes; b"" if everything that was written so far has been read."""
        while True:
            file = self.open_files[0]
            if data := file.read(BLOCK_BYTES):
                return data
            if len(self.open_files) == 1:
                if not self._open_newer(file):
                    return b""
                if data := file.read(BLOCK_BYTES):  # written before the rotation, but after the first read
                    return data
            self.open_files.pop(0).close()

    def _open_newer(self, file: IO[bytes]) -> bool:
        """Open the files that are newer than this one. Return whether there are any."""
        if _inode(self.path) in (_inode(file.fileno()), None):
            return False
        current = _open_all(self.path)
        inodes = [_inode(other.fileno()) for other in current]
        own = _inode(file.fileno())
        self.open_files += current[inodes.index(own) + 1 :] if own in inodes else current
        for other in current:
            if other not in self.open_files:
                other.close()
        return len(self.open_files) > 1

    def close(self) -> None:
        for file in self.open_files:
            file.close()


def _open_all(path: Path) -> list[IO[bytes]]:
    """Open all files of a log, the oldest first. A file that is renamed in the meantime is opened only once."""
    files: dict[object, IO[bytes]] = {}
    older = sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=lambda rotated: -int(rotated.suffix[1:]))
    for candidate in (*older, path):
        with contextlib.suppress(FileNotFoundError):
            file = candidate.open("rb")
            if files.setdefault(_inode(file.fileno()), file) is not file:
                file.close()
    return [*files.values()]


def _inode(file: Path | int) -> int | None:
    try:
        return os.stat(file).st_ino  # noqa: PTH116  (a handle or a path)
    except FileNotFoundError:
        return None


def _convert(block: bytes, query: LogQuery) -> tuple[bytes, bool]:
    """Return the selected lines of a block, and whether the block reaches past `until`.

    The block has whole records, except for its last newline.
    """
    if not block:
        return b"", False
    if not (query.since or query.until or query.details):
        streams = tuple(name for name in STREAMS if getattr(query, name))
        data = log_blocks.convert_plain_block(block, streams, query.timestamps, query.frames)
        if data is not None:
            return data, False
    lines: list[bytes] = []
    for record in _parse(block):
        if not getattr(query, record["stream"], False):
            continue
        if query.since or query.until:
            moment = nanoseconds(record["time"])
            if query.until and moment > query.until:
                return b"".join(lines), True
            if moment < query.since:
                continue
        data = record["log"].encode()
        if query.details:
            data = log_options.details(record.get("attrs") or {}) + data
        if query.timestamps:
            data = f"{record['time']} ".encode() + data
        lines.append(log_blocks.framed(record["stream"], data) if query.frames else data)
    return b"".join(lines), False


def _parse(block: bytes) -> list[dict[str, Any]]:
    """Return the records of a block. They are parsed all at once, unless one of them is broken."""
    try:
        records = json.loads(b"[" + block.replace(b"\n", b",") + b"]")
        if all(isinstance(record, dict) and record.get("stream") in STREAMS for record in records):
            return list(records)
    except ValueError:
        pass
    return [record for record in map(_parse_line, block.split(b"\n")) if record is not None]


def _parse_line(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line, or None if it is broken, for instance because the disk was full."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("stream") in STREAMS else None


def _tail_position(files: list[IO[bytes]], query: LogQuery) -> tuple[int, int]:
    """Return the file and the position in it where the last `tail` lines begin. The files are read backwards."""
    last = len(files) - 1
    position, count, is_first = (last, os.fstat(files[last].fileno()).st_size), 0, True
    for number in range(last, -1, -1) if query.tail else ():
        handle = files[number].fileno()
        for start, line in _lines_backwards(handle, os.fstat(handle).st_size):
            record = _parse_line(line)
            if record is None or not getattr(query, record["stream"], False):
                continue
            if record["log"].endswith("\n") or is_first:  # a record without newline continues in the next record
                if count == query.tail:
                    return position
                count += 1
            position, is_first = (number, start), False
    return position


def _lines_backwards(handle: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file from the last to the first, with their positions."""
    rest = b""
    while end > 0:
        begin = max(0, end - BACKWARD_BYTES)
        data = os.pread(handle, end - begin, begin) + rest
        head, *lines = data.split(b"\n")
        position = begin + len(data)
        for line in reversed(lines):
            position -= len(line)
            if line:
                yield position, line
            position -= 1
        rest, end = head, begin
    if rest:
        yield 0, rest
