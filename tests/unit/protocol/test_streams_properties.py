"""Properties of streams: any bytes, cut anywhere, are records or an error with advice, and memory stays bounded."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.errors import StreamBroken
from dockerlab.protocol import streams
from dockerlab.protocol.streams import Line, Member, documents, frames, json_lines, lines, tar_members, unframed

CUTS = st.lists(st.integers(1, 700), max_size=30)
MIB = 1 << 20
MOMENT = b"2026-11-24T03:22:02.123456789Z "


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        if data:
            yield data[:size]
        data = data[size:]
    if data:
        yield data


def outcome(read: Callable[[], Any]) -> Any:
    """Return the result, or the error's message, which must end with a full stop or a question mark."""
    try:
        return read()
    except StreamBroken as error:
        assert str(error).endswith((".", "?"))
        return f"broken: {error}"


# -- frames and lines


@given(st.binary(max_size=300), CUTS)
def test_any_bytes_give_the_same_frames_wherever_they_are_cut(data: bytes, sizes: list[int]) -> None:
    assert outcome(lambda: list(frames(cut(data, sizes)))) == outcome(lambda: list(frames([data])))


@given(st.binary(max_size=300), CUTS, st.booleans(), st.booleans())
def test_no_byte_of_a_line_is_lost(data: bytes, sizes: list[int], timestamps: bool, tty: bool) -> None:
    result = list(lines(unframed(cut(data, sizes)), timestamps=timestamps, tty=tty))
    assert all(isinstance(line, Line) and line.stream == "stdout" for line in result)
    if not timestamps and not tty:
        expected = data if not data or data.endswith(b"\n") else data + b"\n"
        assert b"".join(line.data + b"\n" for line in result) == expected


TEXT = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"").rstrip(b"\r"))


@given(st.lists(TEXT, max_size=10), CUTS, st.booleans())
def test_lines_with_timestamps_are_read_wherever_they_are_cut(texts: list[bytes], sizes: list[int], tty: bool) -> None:
    data = b"".join(MOMENT + text + (b"\r\n" if tty else b"\n") for text in texts)
    chunks = cut(data, sizes) if tty else [MOMENT + text + b"\n" for text in texts]
    result = list(lines(unframed(chunks), timestamps=True, tty=tty))
    assert [(line.time, line.data) for line in result] == [(MOMENT.decode().strip(), text) for text in texts]


def peak(read: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def read_to_error(records: Iterator[Any]) -> None:
    with pytest.raises(StreamBroken) as error:
        for _ in records:
            pass
    assert str(error.value).endswith(".")


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Set a smaller limit, so that the tests are fast. The memory in use is a multiple of it."""
    assert streams.LONGEST == 64 * MIB
    monkeypatch.setattr(streams, "LONGEST", 4 * MIB)
    return 4 * MIB


@pytest.mark.parametrize("timestamps", [False, True])
def test_reading_an_endless_line_stops_at_the_limit(timestamps: bool, small_limit: int) -> None:
    pieces = 0

    def endless() -> Iterator[tuple[str, bytes]]:
        nonlocal pieces
        for _ in range(1024):
            pieces += 1
            yield "stdout", b"x" * MIB

    assert peak(lambda: read_to_error(lines(endless(), timestamps=timestamps))) < 3 * small_limit
    assert pieces <= (small_limit >> 20) + 1


def test_a_line_at_the_limit_is_read(small_limit: int) -> None:
    (line, after) = lines([("stdout", b"x" * MIB)] * (small_limit >> 20) + [("stdout", b"\nshort\n")])
    assert (len(line.data), after.data) == (small_limit, b"short")


def test_a_frame_above_the_limit_is_an_error() -> None:
    head = bytes([1, 0, 0, 0]) + (streams.LARGEST_FRAME + 1).to_bytes(4, "big")
    with pytest.raises(StreamBroken, match="not frames"):
        list(frames([head]))


# -- JSON

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
DOCUMENT = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(DOCUMENT, max_size=8), st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans(), st.booleans(), CUTS)
def test_a_whole_body_and_its_pieces_give_the_same_documents(
    values: list[Any], separator: str, ends: bool, ascii_only: bool, sizes: list[int]
) -> None:
    data = separator.join(json.dumps(value, ensure_ascii=ascii_only) for value in values).encode(
        "utf-8", "surrogatepass"
    )
    data += separator.encode() if ends else b""
    assert documents(data) == list(json_lines(cut(data, sizes))) == values


@given(st.lists(DOCUMENT, min_size=1, max_size=4), st.integers(1, 3), CUTS)
def test_documents_over_many_lines_are_read(values: list[Any], indent: int, sizes: list[int]) -> None:
    data = "\n".join(json.dumps(value, indent=indent) for value in values).encode()
    assert documents(data) == list(json_lines(cut(data, sizes))) == values


@given(st.binary(max_size=60) | st.text('[]{}",:\n 019ae.-', max_size=40).map(str.encode), CUTS)
def test_any_bytes_give_the_same_documents_wherever_they_are_cut(data: bytes, sizes: list[int]) -> None:
    whole = outcome(lambda: list(json_lines([data])))
    pieces = outcome(lambda: list(json_lines(cut(data, sizes))))
    assert repr(pieces) == repr(whole)
    assert repr(outcome(lambda: documents(data))) == repr(whole)


@pytest.mark.parametrize("start", [b'{"a": "', b'{"a": [' + b"1,\n" * 100])
def test_reading_an_endless_document_stops_at_the_limit(start: bytes, small_limit: int) -> None:
    rest = b"1,\n" * 350_000 if b"\n" in start else b"x" * MIB
    chunks = (chunk for number in range(1024) for chunk in ([start] if number == 0 else [rest]))
    assert (
        peak(lambda: read_to_error(json_lines(chunks))) < 50 * small_limit
    )  # parsed numbers need more memory than their text


@pytest.mark.parametrize("data", [b"[" * 1_000_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_deeply_nested_json_is_an_error(data: bytes) -> None:
    for read in (lambda: list(json_lines([data])), lambda: documents(data)):
        with pytest.raises(StreamBroken, match="within a JSON document"):
            read()


# -- tar

KINDS = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
NAMES = st.text("ab/é\u4e2d .", min_size=1, max_size=200).filter(lambda text: bool(text.strip("/. ")))


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    buffer = io.BytesIO()
    format_ = draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    with tarfile.open(fileobj=buffer, mode="w", format=format_, encoding="utf-8") as archive:
        for _ in range(draw(st.integers(0, 4))):
            is_ustar = format_ == tarfile.USTAR_FORMAT
            info = tarfile.TarInfo(draw(NAMES)[: 30 if is_ustar else 200].strip("/. ") or "a")
            info.type = draw(st.sampled_from(KINDS))
            info.linkname = draw(NAMES)[:30] if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            info.mode, info.uid = draw(st.integers(0, 0o7777)), draw(st.integers(0, 0o7777777))
            info.mtime = draw(st.integers(0, 0o77777777777))
            info.size = draw(st.integers(0, 1500)) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(b"y" * info.size))
    return buffer.getvalue()


def members(data: bytes, sizes: list[int]) -> list[Member]:
    return list(tar_members(cut(data, sizes)))


@given(tars(), CUTS)
def test_members_of_any_tar_are_the_same_as_those_of_tarfile(data: bytes, sizes: list[int]) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as archive:
        expected = [(info.name.removeprefix("./"), info.uid, info.linkname) for info in archive]
    assert [(member.path, member.uid, member.target) for member in members(data, sizes)] == expected


@given(tars(), st.data(), CUTS)
def test_a_tar_cut_anywhere_is_complete_or_an_error(data: bytes, choice: st.DataObject, sizes: list[int]) -> None:
    whole = members(data, [])
    length = choice.draw(st.integers(0, len(data)))
    result = outcome(lambda: members(data[:length], sizes))
    assert result == whole or str(result).startswith("broken: The tar is broken or ended too early")


@given(tars(), st.data())
def test_a_tar_with_changed_bytes_gives_members_or_an_error(data: bytes, choice: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(choice.draw(st.integers(1, 20))):
        changed[choice.draw(st.integers(0, min(len(data), 4096) - 1))] = choice.draw(st.integers(0, 255))
    result = outcome(lambda: members(bytes(changed), []))
    assert isinstance(result, (list, str))


def test_a_header_that_announces_gigabytes_is_an_error() -> None:
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4 << 30
    head = info.tobuf(tarfile.GNU_FORMAT)

    def endless() -> Iterator[bytes]:
        yield head
        for _ in range(4096):
            yield b"x" * MIB

    assert peak(lambda: read_to_error(tar_members(endless()))) < 8 * MIB
