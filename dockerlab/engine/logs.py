"""Reads a container's json-file log: tail, since, until, and following it while it is written."""

from __future__ import annotations

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.moments import nanoseconds

__all__ = ["Wanted", "framed", "read"]

BLOCK = 1 << 16
PAUSE = 0.05
KINDS = {"stdout": 1, "stderr": 2}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a log."""

    stdout: bool = True
    stderr: bool = True
    since: int = 0
    until: int = 0
    timestamps: bool = False
    tail: int | None = None
    follow: bool = False
    frames: bool = True


async def read(path: Path, wanted: Wanted, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Give the log in blocks of bytes, framed or raw. Following ends when `ended` and everything was given."""
    with path.open("rb") as file:
        if wanted.tail is not None:
            file.seek(_place_of_tail(file.fileno(), wanted))
        rest = b""
        while True:
            over = ended()  # asked before reading: what was written before the end is read after it
            block = await asyncio.to_thread(file.read, BLOCK)
            if block:
                *lines, rest = (rest + block).split(b"\n")
                records, done = _records(lines, wanted)
                if records:
                    yield b"".join(records)
                if done:
                    return
                continue
            if not wanted.follow or over:
                return
            await asyncio.sleep(PAUSE)


def _records(lines: list[bytes], wanted: Wanted) -> tuple[list[bytes], bool]:
    """Give the records that are wanted, and whether all later ones are too late."""
    out: list[bytes] = []
    for line in lines:
        record = _decoded(line)
        if record is None or not getattr(wanted, record["stream"], False):
            continue
        if wanted.since or wanted.until:
            moment = nanoseconds(record["time"])
            if wanted.until and moment > wanted.until:
                return out, True
            if moment < wanted.since:
                continue
        data = record["log"].encode()
        if wanted.timestamps:
            data = f"{record['time']} ".encode() + data
        out.append(framed(record["stream"], data) if wanted.frames else data)
    return out, False


def _decoded(line: bytes) -> dict[str, str] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None  # a line that a full disk has cut
    return record if isinstance(record, dict) and record.get("stream") in KINDS else None


def framed(stream: str, data: bytes) -> bytes:
    """Put the 8-byte header before a payload."""
    return struct.pack(">BxxxI", KINDS[stream], len(data)) + data


def _place_of_tail(handle: int, wanted: Wanted) -> int:
    """Find where the last lines that are wanted begin, reading from the end."""
    place = end = os.fstat(handle).st_size
    found = 0
    for start, line in _backwards(handle, end) if wanted.tail else ():
        record = _decoded(line)
        if record is None or not getattr(wanted, record["stream"], False):
            continue
        if record["log"].endswith("\n") or place == end:  # not a later piece of the line that was seen before
            if found == wanted.tail:
                break
            found += 1
        place = start
    return place


def _backwards(handle: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Give the lines of a file from the last to the first, with their places."""
    rest = b""
    while end > 0:
        begin = max(0, end - BLOCK)
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
