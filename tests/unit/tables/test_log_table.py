"""Reading a log many lines at once gives the same table as reading it line by line, whatever its content."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dockerlab.errors import StreamBroken
from dockerlab.protocol.streams import frames, lines
from dockerlab.tables import log
from dockerlab.tables.build import datetimes
from dockerlab.tables.log import log_table, read_log_table

MOMENT = b"2026-11-24T03:22:02.%09dZ "
WORDS = [b"\n", b"", b"a", b"long " * 9, b"\r\n", b"\xff\xfe", "\N{SNOWMAN}".encode(), b"\x01\0\0\0\0\0\0\n", b"\0"]
#: Lines as programs write them: some are empty, some contain a line end, some have none.
TEXTS = some.lists(some.sampled_from(WORDS), max_size=5).map(b"".join)
#: Texts whose length, written as bytes, contains a line end: 10, 2560 and more.
ODD = some.sampled_from([9, 10, 2560, 2570, 2815]).map(lambda size: b"x" * (size - 1) + b"\n")
PAYLOADS = TEXTS.map(lambda text: text + b"\n") | TEXTS | ODD | some.binary(max_size=12).map(lambda text: text + b"\n")
FRAMES = some.lists(some.tuples(some.sampled_from([1, 1, 1, 2, 0, 3]), PAYLOADS), max_size=30)
SIZES = some.integers(1, 400)


def frames_of(records: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxI", kind, len(payload)) + payload for kind, payload in records)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def read_line_by_line(chunks: list[bytes], *, timestamps: bool, text: bool = True) -> pd.DataFrame:
    return log_table(lines(frames(chunks), timestamps=timestamps), timestamps=timestamps, text=text)


@pytest.fixture(params=[1, 64, 1 << 20], ids=["blocks of 1", "blocks of 64", "one block"], scope="module")
def _blocks(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "BLOCK", request.param)
        patch.setattr(log, "MAX_REST", 256)
        yield


@pytest.mark.usefixtures("_blocks")
@given(FRAMES, SIZES, some.booleans())
def test_any_lines(records: list[tuple[int, bytes]], size: int, text: bool) -> None:
    chunks = cut(frames_of(records), size)
    table = read_log_table(chunks, tty=False, timestamps=False, text=text)
    pd.testing.assert_frame_equal(table, read_line_by_line(chunks, timestamps=False, text=text))


@pytest.mark.usefixtures("_blocks")
@given(FRAMES, SIZES, some.sampled_from([b"", b"2026-02-31T00:00:00.000000000Z ", b"1900-01-01T00:00:00.000000000Z "]))
def test_any_lines_with_timestamps(records: list[tuple[int, bytes]], size: int, other: bytes) -> None:
    stamped = [
        (kind, (other if other and not place % 7 else MOMENT % place) + payload)
        for place, (kind, payload) in enumerate(records)
    ]
    chunks = cut(frames_of(stamped), size)
    table = read_log_table(chunks, tty=False, timestamps=True)
    pd.testing.assert_frame_equal(table, read_line_by_line(chunks, timestamps=True))


#: Texts in the form of a timestamp, valid and invalid ones.
VALID = some.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)).map("{:%Y-%m-%dT%H:%M:%S.%f}".format)
INVALID = [
    "2026-02-31T00:00:00.000000", "2025-02-29T00:00:00.000000", "2026-00-01T00:00:00.000000",
    "2026-13-01T00:00:00.000000", "2026-01-00T00:00:00.000000", "2026-01-32T00:00:00.000000",
    "2026-01-01T24:00:00.000000", "2026-01-01T00:60:00.000000", "2026-01-01T00:00:60.000000",
    "2026-01-01T00:00:00.00000/", "20:6-01-01T00:00:00.000000", "2026-01-01T00:00:00.0000\xff0",
]  # fmt: skip


@given(some.lists(some.tuples(VALID | some.sampled_from(INVALID), some.integers(0, 999)), min_size=1, max_size=9))
def test_timestamps_of_one_form_are_those_that_pandas_reads(stamps: list[tuple[str, int]]) -> None:
    texts = [f"{text}{rest:03}" for text, rest in stamps]
    rows = np.frombuffer("".join(texts).encode("latin-1"), np.uint8).reshape(len(texts), -1)
    times = log._parse_timestamps(rows)
    assert times.equals(datetimes([f"{text}Z" for text in texts]))
    assert [moment is pd.NaT for moment in times] == [text in INVALID for text, _ in stamps]


@given(FRAMES, some.integers(1, 21))
def test_a_log_that_ends_within_a_frame_is_an_error(records: list[tuple[int, bytes]], missing: int) -> None:
    data = frames_of([*records, (1, b"the last line\n")])
    with pytest.raises(StreamBroken):
        read_log_table([data[:-missing]], tty=False, timestamps=False)


def test_many_lines_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log as Docker sends it is not read line by line, with or without timestamps."""
    monkeypatch.setattr(log, "lines", lambda *arguments, **named: iter(()))  # the slow way would now give no lines
    plain = frames_of([(1 + number % 2, b"line %d\n" % number) for number in range(5000)])
    table = read_log_table(cut(plain, 999), tty=False, timestamps=False)
    assert table["message"].tolist() == [f"line {number}" for number in range(5000)]
    assert table["stream"].tolist() == ["stdout", "stderr"] * 2500
    stamped = frames_of([(1, MOMENT % number + b"line\n") for number in range(5000)])
    table = read_log_table(cut(stamped, 999), tty=False, timestamps=True)
    assert table["time"].iloc[4999] == pd.Timestamp("2026-11-24T03:22:02.000004999Z")


def test_a_log_of_a_terminal_has_no_frames() -> None:
    table = read_log_table([b"one\r\ntw", b"o\r\n"], tty=True, timestamps=False)
    assert table["message"].tolist() == ["one", "two"]
