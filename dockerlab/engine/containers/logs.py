"""Reads a container's json-file log: tail, since, until, and following it while it is written."""

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

__all__ = ["Wanted", "read"]

BLOCK, BACK = 1 << 19, 1 << 16
PAUSE = 0.05
KINDS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a log."""

    stdout: bool = True
    stderr: bool = True
    since: int = 0
    until: int = 0
    timestamps: bool = False
    details: bool = False
    tail: int | None = None
    follow: bool = False
    frames: bool = True


async def read(path: Path, wanted: Wanted, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Give the log in blocks of bytes, framed or raw. Following ends when `ended` and everything was given."""
    with contextlib.closing(_Pages(path)) as pages:
        if wanted.tail is not None:
            pages.turn(*_beginning(pages.files, wanted))
        rest = b""
        while True:
            over = ended()  # asked before reading: what was written before the end is read after it
            block = await asyncio.to_thread(pages.block)
            if block:
                whole, _, rest = (rest + block).rpartition(b"\n")
                data, done = await asyncio.to_thread(_said, whole, wanted)
                if data:
                    yield data
                if done:
                    return
                continue
            if not wanted.follow or over:
                return
            await asyncio.sleep(PAUSE)


class _Pages:
    """The files of one log, read from the oldest to the newest, which may be put aside while it is read."""

    def __init__(self, path: Path) -> None:
        """Open what there is."""
        self.path = path
        self.files = _all(path)

    def turn(self, number: int, place: int) -> None:
        """Begin at a place in one of the files."""
        for file in self.files[:number]:
            file.close()
        del self.files[:number]
        self.files[0].seek(place)

    def block(self) -> bytes:
        """Read on; b"" at the end of what is written so far."""
        while True:
            file = self.files[0]
            if data := file.read(BLOCK):
                return data
            if len(self.files) == 1:
                if not self._put_aside(file):
                    return b""
                if data := file.read(BLOCK):  # what came before it was put aside
                    return data
            self.files.pop(0).close()

    def _put_aside(self, file: IO[bytes]) -> bool:
        """Is there a newer file than this one? Then all newer ones are opened."""
        if _identity(self.path) in (_identity(file.fileno()), None):
            return False
        found = _all(self.path)
        numbers = [_identity(other.fileno()) for other in found]
        mine = _identity(file.fileno())
        self.files += found[numbers.index(mine) + 1 :] if mine in numbers else found
        for other in found:
            if other not in self.files:
                other.close()
        return len(self.files) > 1

    def close(self) -> None:
        """Close what is open."""
        for file in self.files:
            file.close()


def _all(path: Path) -> list[IO[bytes]]:
    """Open all files of a log, the oldest first. One that is put aside meanwhile is opened once."""
    found: dict[object, IO[bytes]] = {}
    older = sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=lambda place: -int(place.suffix[1:]))
    for place in (*older, path):
        with contextlib.suppress(FileNotFoundError):
            file = place.open("rb")
            if found.setdefault(_identity(file.fileno()), file) is not file:
                file.close()
    return [*found.values()]


def _identity(file: Path | int) -> int | None:
    try:
        return os.stat(file).st_ino  # noqa: PTH116  (a handle or a path)
    except FileNotFoundError:
        return None


def _said(block: bytes, wanted: Wanted) -> tuple[bytes, bool]:
    """Give what is wanted of records, which are whole but for the last newline; and whether all later are too late."""
    if not block:
        return b"", False
    if not (wanted.since or wanted.until or wanted.details):
        streams = tuple(name for name in KINDS if getattr(wanted, name))
        data = log_blocks.quick(block, streams, wanted.timestamps, wanted.frames)
        if data is not None:
            return data, False
    out: list[bytes] = []
    for record in _records(block):
        if not getattr(wanted, record["stream"], False):
            continue
        if wanted.since or wanted.until:
            moment = nanoseconds(record["time"])
            if wanted.until and moment > wanted.until:
                return b"".join(out), True
            if moment < wanted.since:
                continue
        data = record["log"].encode()
        if wanted.details:
            data = log_options.details(record.get("attrs") or {}) + data
        if wanted.timestamps:
            data = f"{record['time']} ".encode() + data
        out.append(log_blocks.framed(record["stream"], data) if wanted.frames else data)
    return b"".join(out), False


def _records(block: bytes) -> list[dict[str, Any]]:
    """Read records, all at once if none of them is broken."""
    try:
        found = json.loads(b"[" + block.replace(b"\n", b",") + b"]")
        if all(isinstance(record, dict) and record.get("stream") in KINDS for record in found):
            return list(found)
    except ValueError:
        pass
    return [record for record in map(_decoded, block.split(b"\n")) if record is not None]


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None  # a line that a full disk has cut
    return record if isinstance(record, dict) and record.get("stream") in KINDS else None


def _beginning(files: list[IO[bytes]], wanted: Wanted) -> tuple[int, int]:
    """Find in which file, and where in it, the last lines that are wanted begin, reading from the end."""
    last = len(files) - 1
    where, found, first = (last, os.fstat(files[last].fileno()).st_size), 0, True
    for number in range(last, -1, -1) if wanted.tail else ():
        handle = files[number].fileno()
        for start, line in _backwards(handle, os.fstat(handle).st_size):
            record = _decoded(line)
            if record is None or not getattr(wanted, record["stream"], False):
                continue
            if record["log"].endswith("\n") or first:  # not a later piece of the line that was seen before
                if found == wanted.tail:
                    return where
                found += 1
            where, first = (number, start), False
    return where


def _backwards(handle: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Give the lines of a file from the last to the first, with their places."""
    rest = b""
    while end > 0:
        begin = max(0, end - BACK)
        data = os.pread(handle, end - begin, begin) + rest
        head, *lines = data.split(b"\n")
        place = begin + len(data)
        for line in reversed(lines):
            place -= len(line)
            if line:
                yield place, line
            place -= 1
        rest, end = head, begin
    if rest:
        yield 0, rest
