"""The table of a log, and a fast way to read a long log: many lines at once.

Nearly every frame of a log is one complete line. So numpy looks for the line ends in a block of bytes, the headers of
the frames confirm that each line is one frame, and the whole block is decoded in one step. From the first frame that
is not one complete line, `streams` reads the rest frame by frame, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dockerlab.protocol.streams import HEADER, STREAMS, Line, frames, lines, unframed
from dockerlab.tables.build import OBJECT, SECOND, TEXT, TIME, Column, datetimes, typed_table

__all__ = ["LOGS", "log_table", "read_log_table"]

LOGS = (
    Column("time", "time", TIME, "when the engine read the line; only with timestamps=True", "UTC"),
    Column("stream", "stream", TEXT, "stdout or stderr"),
    Column("message", "message", TEXT, "the line, without its line end; bytes that aren't UTF-8 as \\xff"),
)
#: How many lines the slow way reads at once. More tuples would start Python's garbage collector, which takes longer
#: than the reading.
LINES = 512
#: How many bytes the fast way reads at once: fewer make numpy slower, more need more memory. If more than
#: MAX_REST bytes of a block remain, they start with a frame that the fast way can't read.
BLOCK, MAX_REST = 1 << 20, 1 << 15
NEWLINE = 10
STREAM_NAMES = np.array([STREAMS.get(number, "") for number in range(max(STREAMS) + 1)], dtype=object)
#: The length of Docker's timestamps before a line. It is always the same. Years of another century, some of which are
#: out of the range of nanoseconds, are left to `datetimes`.
TIMESTAMP = len("2026-11-24T03:22:02.123456789Z ")
#: The start and end of year, month, day, hour, minute, second and nanoseconds in a timestamp, their least and greatest
#: values.
FIELDS = (
    (0, 4, 2000, 2099), (5, 7, 1, 12), (8, 10, 1, 31), (11, 13, 0, 23), (14, 16, 0, 59), (17, 19, 0, 59),
    (20, 29, 0, SECOND - 1),
)  # fmt: skip
DIGITS = [index for start, end, *_ in FIELDS for index in range(start, end)]
SHAPE = {
    0: b"2",
    1: b"0",
    4: b"-",
    7: b"-",
    10: b"T",
    13: b":",
    16: b":",
    19: b".",
    TIMESTAMP - 2: b"Z",
    TIMESTAMP - 1: b" ",
}


class _Part(NamedTuple):
    """Some lines: their times, the names of their streams, their messages."""

    times: pd.DatetimeIndex
    streams: Any
    messages: list[Any]


def read_log_table(chunks: Iterable[bytes], *, tty: bool, timestamps: bool, text: bool = True) -> pd.DataFrame:
    """Read a log, and return its table. With `tty` the log has no frames.

    Raises StreamBroken if the bytes end within a frame, or are not frames at all.
    """
    if tty:
        return log_table(lines(unframed(chunks), timestamps=timestamps, tty=True), timestamps=timestamps, text=text)
    return _joined(_framed(chunks, timestamps, text), timestamps, text)


def log_table(records: Iterable[tuple[str, str, bytes]], *, timestamps: bool, text: bool = True) -> pd.DataFrame:
    """Return the table of lines; without `text` the messages are bytes."""
    return _joined(_parts(iter(records), timestamps, text), timestamps, text)


def _joined(parts: Iterable[_Part], timestamps: bool, text: bool) -> pd.DataFrame:
    times, streams, messages = [datetimes([])], [np.empty(0, object)], list[Any]()
    for part in parts:
        times.append(part.times)
        streams.append(part.streams)
        messages += part.messages
    columns: dict[str, Any] = {
        "stream": (np.concatenate(streams), TEXT),
        "message": (messages, TEXT if text else OBJECT),
    }
    if timestamps:
        columns = {"time": (times[0].append(times[1:]), TIME), **columns}
    return typed_table(columns, len(messages))


def _parts(records: Iterator[tuple[str, str, bytes]], timestamps: bool, text: bool) -> Iterator[_Part]:
    while block := list(islice(records, LINES)):
        times, streams, data = zip(*block, strict=True)
        yield _Part(
            datetimes(times if timestamps else []),
            np.array(streams, dtype=object),
            _decoded(b"\n".join(data)) if text else list(data),
        )


def _decoded(data: bytes) -> list[str]:
    """Decode many lines at once; bytes that aren't UTF-8 become `\\xff`."""
    return data.decode("utf-8", "backslashreplace").split("\n")


def _framed(chunks: Iterable[bytes], timestamps: bool, text: bool) -> Iterator[_Part]:
    """Read a log with frames: the fast way as far as possible, and the rest frame by frame."""
    rest, chunks = b"", iter(chunks)
    for block in _blocks(chunks):
        data = rest + block
        size, part = _read_whole_lines(data, timestamps, text)
        if part is not None:
            yield part
        rest = data[size:]
        if len(rest) > MAX_REST:
            break
    remaining: Iterator[Line] = lines(frames(chain([rest], chunks)), timestamps=timestamps)
    yield from _parts(remaining, timestamps, text)


def _blocks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Join chunks to blocks of at least BLOCK bytes."""
    block, size = [], 0
    for chunk in chunks:
        block.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


def _read_whole_lines(data: bytes, timestamps: bool, text: bool) -> tuple[int, _Part | None]:
    """Read the first frames, as long as each is one complete line. Return the number of bytes read, and the lines."""
    starts, ends = _whole_lines(data, TIMESTAMP if timestamps else 0)
    if not starts.size:
        return 0, None
    numbers = np.frombuffer(data, np.uint8)
    prefixes = starts[:, None] + np.arange(HEADER.size + (TIMESTAMP if timestamps else 0))
    is_content = np.ones(int(ends[-1]) + 1, bool)
    is_content[prefixes] = False
    is_content[-1] = False  # the line end of the last line
    content = numbers[: is_content.size][is_content].tobytes()
    if content.count(b"\n") != starts.size - 1:  # after a newline byte in a header, the end of an empty line is missed
        return 0, None
    messages: list[Any] = _decoded(content) if text else list(content.split(b"\n"))
    times = _parse_timestamps(numbers[prefixes[:, HEADER.size : -2]]) if timestamps else datetimes([])
    return is_content.size, _Part(times, STREAM_NAMES[numbers[starts]], messages)


def _whole_lines(data: bytes, prefix: int) -> tuple[Any, Any]:
    """Return the starts and ends of the frames that are one complete line each, up to the first that is not.

    Each line starts with a timestamp of `prefix` bytes, or with none if that is 0.
    """
    numbers = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(numbers == NEWLINE)
    # A header can contain a newline byte too: in its length, four to seven bytes after the last line end. A frame with
    # such a length is longer than a header, so its own line end is not mistaken for a byte of a header.
    ends = ends[np.diff(ends, prepend=-1) > HEADER.size]
    starts = np.concatenate(([0], ends[:-1] + 1))[: ends.size]
    header = numbers[np.minimum(starts[:, None] + np.arange(HEADER.size), numbers.size - 1)].astype(np.int64)
    length = ((header[:, 4] * 256 + header[:, 5]) * 256 + header[:, 6]) * 256 + header[:, 7]
    is_line = (header[:, 0] < STREAM_NAMES.size) & (header[:, 1:4] == 0).all(axis=1)
    is_line &= length == ends - starts - HEADER.size + 1
    if prefix:
        is_line &= length > prefix
        for offset, byte in SHAPE.items():
            is_line &= numbers[np.minimum(starts + HEADER.size + offset, numbers.size - 1)] == byte[0]
    count = int(is_line.argmin()) if not is_line.all() else is_line.size
    return starts[:count], ends[:count]


def _parse_timestamps(characters: Any) -> pd.DatetimeIndex:
    """Parse timestamps of one format, each a row of bytes.

    numpy's own parser is not used, because before numpy 2.4 an invalid timestamp can crash the process.
    """
    digits = characters - ord("0")  # unsigned bytes, so that any other character becomes more than 9
    numbers = [_number(digits[:, start:end]) for start, end, *_ in FIELDS]
    year, month, day, hour, minute, second, fraction = numbers
    months = ((year - 1970) * 12 + month - 1).view("M8[M]")
    days = months.astype("M8[D]") + (day - 1)
    is_valid = (days.astype("M8[M]") == months) & (digits[:, DIGITS] < len("0123456789")).all(axis=1)
    for number, (_, _, least, greatest) in zip(numbers, FIELDS, strict=True):
        is_valid &= (least <= number) & (number <= greatest)
    if not is_valid.all():  # for example, February 31st
        return datetimes([row.tobytes().decode("latin-1") + "Z" for row in characters])
    seconds = (days.astype(np.int64) * 24 + hour) * 3600 + minute * 60 + second
    return pd.DatetimeIndex((seconds * SECOND + fraction).view("M8[ns]"), tz="UTC")


def _number(digits: Any) -> Any:
    """Return the numbers that rows of digits stand for."""
    number = digits[:, 0].astype(np.int64)
    for index in range(1, digits.shape[1]):
        number = number * 10 + digits[:, index]
    return number
