"""The table of a log, and how a long one is read: many lines at once.

Nearly every frame of a log is one whole line. Of a block of bytes numpy finds the lines' ends, and the frames' headers
say whether they are where they should be; then the whole block becomes text in one go. From the first frame that is
another one, `streams` reads the rest frame by frame, with the same result.
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
    Column("message", "message", TEXT, "the line, without its end; bytes that aren't UTF-8 as \\xff"),
)
#: So many lines of a log are read at once: fewer than Python makes tuples before it looks for rings of them, which
#: takes longer than the reading.
LINES = 512
#: So many bytes are taken apart at once: fewer cost numpy more than they save, more cost memory. What is left of a
#: block is longer than a frame if that is none which can be read at once.
BLOCK, LONGEST_PART = 1 << 20, 1 << 15
NEWLINE = 10
NAMES = np.array([STREAMS.get(number, "") for number in range(max(STREAMS) + 1)], dtype=object)
#: How Docker writes a moment before a line: `2026-11-24T03:22:02.123456789Z `, always as long. Years of another
#: century, some of which nanoseconds don't reach, are left to `moments`.
MOMENT = len("2026-11-24T03:22:02.123456789Z ")
#: Where year, month, day, hour, minute, second and nanoseconds begin and end in it; their least and most.
FIELDS = (
    (0, 4, 2000, 2099), (5, 7, 1, 12), (8, 10, 1, 31), (11, 13, 0, 23), (14, 16, 0, 59), (17, 19, 0, 59),
    (20, 29, 0, SECOND - 1),
)  # fmt: skip
FIGURES = [place for first, end, *_ in FIELDS for place in range(first, end)]
SHAPE = {0: b"2", 1: b"0", 4: b"-", 7: b"-", 10: b"T", 13: b":", 16: b":", 19: b".", MOMENT - 2: b"Z", MOMENT - 1: b" "}


class _Part(NamedTuple):
    """Some lines: their moments, the names of their streams, their messages."""

    times: pd.DatetimeIndex
    streams: Any
    messages: list[Any]


def read_log_table(chunks: Iterable[bytes], *, tty: bool, timestamps: bool, text: bool = True) -> pd.DataFrame:
    """Make the table of a ContainerLogs that is still to be read. A terminal's log has no frames.

    Raises StreamBroken if the bytes end within a frame, or are not frames at all.
    """
    if tty:
        return log_table(lines(unframed(chunks), timestamps=timestamps, tty=True), timestamps=timestamps, text=text)
    return _joined(_framed(chunks, timestamps, text), timestamps, text)


def log_table(found: Iterable[tuple[str, str, bytes]], *, timestamps: bool, text: bool = True) -> pd.DataFrame:
    """Make the table of lines; without `text` the messages are bytes."""
    return _joined(_parts(iter(found), timestamps, text), timestamps, text)


def _joined(parts: Iterable[_Part], timestamps: bool, text: bool) -> pd.DataFrame:
    """Make one table of its parts."""
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


def _parts(found: Iterator[tuple[str, str, bytes]], timestamps: bool, text: bool) -> Iterator[_Part]:
    """Give lines that were read one by one."""
    while block := list(islice(found, LINES)):
        times, streams, data = zip(*block, strict=True)
        yield _Part(
            datetimes(times if timestamps else []),
            np.array(streams, dtype=object),
            _decoded(b"\n".join(data)) if text else list(data),
        )


def _decoded(data: bytes) -> list[str]:
    """Read lines as text, all at once; bytes that aren't UTF-8 are written as `\\xff`."""
    return data.decode("utf-8", "backslashreplace").split("\n")


def _framed(chunks: Iterable[bytes], timestamps: bool, text: bool) -> Iterator[_Part]:
    """Give the lines of frames."""
    rest, more = b"", iter(chunks)
    for block in _blocks(more):
        data = rest + block
        used, part = _whole_lines(data, timestamps, text)
        if part is not None:
            yield part
        rest = data[used:]
        if len(rest) > LONGEST_PART:
            break
    slowly: Iterator[Line] = lines(frames(chain([rest], more)), timestamps=timestamps)
    yield from _parts(slowly, timestamps, text)


def _blocks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Join chunks to blocks that are worth it."""
    kept, have = [], 0
    for chunk in chunks:
        kept.append(chunk)
        have += len(chunk)
        if have >= BLOCK:
            yield b"".join(kept)
            kept, have = [], 0
    yield b"".join(kept)


def _whole_lines(data: bytes, timestamps: bool, text: bool) -> tuple[int, _Part | None]:
    """Read the frames at the beginning each of which is one whole line; give how many bytes that were, too."""
    starts, ends = _lines(data, MOMENT if timestamps else 0)
    if not starts.size:
        return 0, None
    seen = np.frombuffer(data, np.uint8)
    cut = starts[:, None] + np.arange(HEADER.size + (MOMENT if timestamps else 0))
    keep = np.ones(int(ends[-1]) + 1, bool)
    keep[cut] = False
    keep[-1] = False  # the last line's end
    content = seen[: keep.size][keep].tobytes()
    if content.count(b"\n") != starts.size - 1:  # behind such a byte in a header, the end of an empty line is not seen
        return 0, None
    messages: list[Any] = _decoded(content) if text else list(content.split(b"\n"))
    times = _moments(seen[cut[:, HEADER.size : -2]]) if timestamps else datetimes([])
    return keep.size, _Part(times, NAMES[seen[starts]], messages)


def _lines(data: bytes, front: int) -> tuple[Any, Any]:
    """Find where the frames begin that are one whole line each, and where these end, up to the first that isn't."""
    seen = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(seen == NEWLINE)
    # a header may have such a byte in it, too: in its length, four to seven bytes after the last line's end. A frame
    # whose length has one is longer than that, so that the end of its line is not taken for one in a header.
    ends = ends[np.diff(ends, prepend=-1) > HEADER.size]
    starts = np.concatenate(([0], ends[:-1] + 1))[: ends.size]
    header = seen[np.minimum(starts[:, None] + np.arange(HEADER.size), seen.size - 1)].astype(np.int64)
    told = ((header[:, 4] * 256 + header[:, 5]) * 256 + header[:, 6]) * 256 + header[:, 7]
    good = (header[:, 0] < NAMES.size) & (header[:, 1:4] == 0).all(axis=1) & (told == ends - starts - HEADER.size + 1)
    if front:
        good &= told > front
        for place, byte in SHAPE.items():
            good &= seen[np.minimum(starts + HEADER.size + place, seen.size - 1)] == byte[0]
    count = int(good.argmin()) if not good.all() else good.size
    return starts[:count], ends[:count]


def _moments(digits: Any) -> pd.DatetimeIndex:
    """Read moments of one shape, each a row of bytes.

    Not by numpy's own reading of texts: before numpy 2.4 it ends the process at one that is no moment.
    """
    figures = digits - ord("0")  # of bytes: what is no figure is more than 9
    numbers = [_number(figures[:, first:end]) for first, end, *_ in FIELDS]
    year, month, day, hour, minute, second, fraction = numbers
    months = ((year - 1970) * 12 + month - 1).view("M8[M]")
    days = months.astype("M8[D]") + (day - 1)
    right = (days.astype("M8[M]") == months) & (figures[:, FIGURES] < len("0123456789")).all(axis=1)
    for number, (_, _, least, most) in zip(numbers, FIELDS, strict=True):
        right &= (least <= number) & (number <= most)
    if not right.all():  # there is no 31st of February
        return datetimes([row.tobytes().decode("latin-1") + "Z" for row in digits])
    seconds = (days.astype(np.int64) * 24 + hour) * 3600 + minute * 60 + second
    return pd.DatetimeIndex((seconds * SECOND + fraction).view("M8[ns]"), tz="UTC")


def _number(figures: Any) -> Any:
    """Read rows of figures as numbers."""
    number = figures[:, 0].astype(np.int64)
    for place in range(1, figures.shape[1]):
        number = number * 10 + figures[:, place]
    return number
