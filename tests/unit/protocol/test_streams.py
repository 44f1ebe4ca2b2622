"""Streams turn bytes into records, whatever the bytes are and wherever they are cut."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.errors import StreamBroken
from dockerlab.protocol.streams import frames, json_lines, lines, tar_members, unframed

MOMENT = b"2026-11-24T03:22:02.123456789Z "
KINDS = {"stdin": 0, "stdout": 1, "stderr": 2}
CUTS = st.lists(st.integers(1, 40), max_size=30)
FRAMES = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=60)), max_size=20)


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        if not data:
            return
        yield data[:size]
        data = data[size:]
    if data:
        yield data


def frames_of(pieces: list[tuple[str, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxI", KINDS[stream], len(data)) + data for stream, data in pieces)


# -- frames


@given(FRAMES, CUTS)
def test_frames_are_read_wherever_they_are_cut(pieces: list[tuple[str, bytes]], sizes: list[int]) -> None:
    assert list(frames(cut(frames_of(pieces), sizes))) == pieces


@given(FRAMES.filter(bool), st.data())
def test_a_stream_that_ends_within_a_frame_is_an_error(pieces: list[tuple[str, bytes]], data: st.DataObject) -> None:
    whole = frames_of(pieces)
    last = len(whole) - 8 - len(pieces[-1][1])
    short = whole[: data.draw(st.integers(last + 1, len(whole) - 1))]
    complete: list[tuple[str, bytes]] = []
    with pytest.raises(StreamBroken, match="ended within a frame"):
        for pair in frames([short]):
            complete.append(pair)
    assert complete == pieces[:-1]


@given(st.binary(min_size=8, max_size=200))
def test_any_bytes_are_frames_or_an_error(data: bytes) -> None:
    try:
        pieces = list(frames([data]))
    except StreamBroken as error:
        assert "frame" in str(error)
    else:
        assert sum(len(content) + 8 for _, content in pieces) == len(data)


def test_bytes_of_a_terminal_are_not_frames() -> None:
    with pytest.raises(StreamBroken, match="has a TTY"):
        list(frames([b"hello, world\r\n"]))
    assert list(unframed([b"hello", b"\r\n"])) == [("stdout", b"hello"), ("stdout", b"\r\n")]


# -- lines


@given(st.lists(st.binary(max_size=50).filter(lambda data: b"\n" not in data), max_size=15), CUTS)
def test_lines_are_read_wherever_they_are_cut(texts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(text + b"\n" for text in texts)
    assert [line.data for line in lines(unframed(cut(data, sizes)))] == texts


def test_each_stream_has_its_own_lines_in_the_order_of_their_ends() -> None:
    pieces = [("stdout", b"on"), ("stderr", b"bad\n"), ("stdout", b"e\ntw"), ("stdout", b"o"), ("stderr", b"last")]
    result = [(line.stream, line.data) for line in lines(pieces)]
    assert result == [("stderr", b"bad"), ("stdout", b"one"), ("stdout", b"two"), ("stderr", b"last")]


def test_a_character_that_is_cut_in_two_survives_and_invalid_bytes_are_escaped() -> None:
    (line,) = lines([("stdout", "é".encode()[:1]), ("stdout", "é".encode()[1:] + b"\xff\n")])
    assert line.message == "é\\xff"


@given(st.integers(0, 70_000))
def test_a_long_line_is_one_line_even_if_the_engine_stores_it_in_parts(length: int) -> None:
    text = bytes(97 + index % 26 for index in range(length))
    parts = [text[start : start + 16384] for start in range(0, length, 16384)] or [b""]
    parts[-1] += b"\n"
    pieces = [("stdout", MOMENT + part) for part in parts]
    (line,) = lines(pieces, timestamps=True)
    assert (line.time, line.data) == (MOMENT.decode().strip(), text)
    (line,) = lines([("stdout", part) for part in parts])
    assert line.data == text


def test_a_long_line_of_a_terminal_is_one_line() -> None:
    text = b"x" * 40_000
    parts = [text[start : start + 16384] for start in range(0, len(text), 16384)]
    whole = b"".join(MOMENT + part for part in parts) + b"\r\n" + MOMENT + b"next\r\n"
    result = list(lines(unframed(cut(whole, [7] * 100)), timestamps=True, tty=True))
    assert [(line.time, line.data) for line in result] == [
        (MOMENT.decode().strip(), text),
        (MOMENT.decode().strip(), b"next"),
    ]


# -- JSON

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(DOCUMENTS, max_size=8), st.sampled_from(["\n", "\r\n", " ", "\x1e", "\n\n"]), CUTS)
def test_json_documents_are_read_wherever_they_are_cut(documents: list[Any], separator: str, sizes: list[int]) -> None:
    data = separator.join(json.dumps(document, ensure_ascii=False) for document in documents).encode()
    assert list(json_lines(cut(data, sizes))) == documents


@given(st.lists(st.dictionaries(st.text(max_size=4), DOCUMENTS, max_size=3), max_size=6), CUTS)
def test_objects_need_no_separator(documents: list[Any], sizes: list[int]) -> None:
    assert list(json_lines(cut(b"".join(json.dumps(document).encode() for document in documents), sizes))) == documents


def test_a_stream_that_ends_within_a_document_is_an_error() -> None:
    complete: list[Any] = []
    with pytest.raises(StreamBroken, match="ended within a JSON document"):
        for document in json_lines([b'{"status": "Pulling"}\n{"sta']):
            complete.append(document)
    assert complete == [{"status": "Pulling"}]


def test_a_large_document_in_small_pieces_is_read_quickly() -> None:
    document = {"a": "x" * 1_000_000}
    data = json.dumps(document).encode()
    assert list(json_lines(data[start : start + 100] for start in range(0, len(data), 100))) == [document]


# -- tar


def tar(*names: str, size: int = 10, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.mtime, info.mode = kind, size, 1_700_000_000, 0o644
            archive.addfile(info, io.BytesIO(b"y" * size))
    return buffer.getvalue()


@given(st.lists(st.text("abc/é. ", min_size=1, max_size=120).filter(lambda text: text.strip("/. ")), max_size=5), CUTS)
def test_members_are_the_same_as_those_of_tarfile(names: list[str], sizes: list[int]) -> None:
    data = tar(*names)
    paths = [member.path for member in tar_members(cut(data, sizes))]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert paths == [info.name.removeprefix("./") for info in archive]


def test_a_member_has_the_fields_of_its_header() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("bin/sh")
        info.type, info.linkname, info.mode, info.uid, info.gid = tarfile.SYMTYPE, "busybox", 0o777, 3, 4
        info.uname, info.gname, info.mtime = "who", "them", 1_700_000_000
        archive.addfile(info)
    (member,) = tar_members([buffer.getvalue()])
    assert member[:10] == ("bin/sh", "symlink", "0777", "who", "them", 3, 4, 0, member.mtime, "busybox")
    assert member.mtime is not None
    assert member.mtime.isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize("keep", [100, 512, 700, 1024, 1500])
def test_a_tar_that_ends_too_early_is_an_error(keep: int) -> None:
    with pytest.raises(StreamBroken, match="broken or ended too early"):
        list(tar_members([tar("a", "b", size=2000)[:keep]]))


@pytest.mark.parametrize("data", [b"", b"no tar", b"x" * 5000, b"\0" * 100])
def test_bytes_that_are_no_tar_are_an_error(data: bytes) -> None:
    with pytest.raises(StreamBroken, match="broken or ended too early"):
        list(tar_members([data]))


def test_reading_a_large_tar_needs_little_memory() -> None:
    header, ending = tar("a" * 50, size=0)[:512], bytes(1024)

    def many() -> Iterator[bytes]:
        for _ in range(20_000):
            yield header
        yield ending

    tracemalloc.start()
    count = sum(1 for _ in tar_members(many()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 4 << 20
