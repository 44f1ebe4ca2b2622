"""Properties of streams: what comes, cut anywhere, is records or an error with its mend, and memory stays bounded."""

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
    """Give what is read, or the words of the error, which end with a sentence."""
    try:
        return read()
    except StreamBroken as error:
        assert str(error).endswith((".", "?"))
        return f"broken: {error}"


# -- frames and lines


@given(st.binary(max_size=300), CUTS)
def test_any_bytes_are_the_same_frames_wherever_they_are_cut(data: bytes, sizes: list[int]) -> None:
    assert outcome(lambda: list(frames(cut(data, sizes)))) == outcome(lambda: list(frames([data])))


@given(st.binary(max_size=300), CUTS, st.booleans(), st.booleans())
def test_no_byte_of_a_line_is_lost_whatever_they_are(
    data: bytes, sizes: list[int], timestamps: bool, tty: bool
) -> None:
    found = list(lines(unframed(cut(data, sizes)), timestamps=timestamps, tty=tty))
    assert all(isinstance(line, Line) and line.stream == "stdout" for line in found)
    if not timestamps and not tty:
        ended = data if not data or data.endswith(b"\n") else data + b"\n"
        assert b"".join(line.data + b"\n" for line in found) == ended


TEXT = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"").rstrip(b"\r"))


@given(st.lists(TEXT, max_size=10), CUTS, st.booleans())
def test_stamped_lines_come_back_wherever_they_are_cut(texts: list[bytes], sizes: list[int], tty: bool) -> None:
    data = b"".join(MOMENT + text + (b"\r\n" if tty else b"\n") for text in texts)
    chunks = cut(data, sizes) if tty else [MOMENT + text + b"\n" for text in texts]
    found = list(lines(unframed(chunks), timestamps=True, tty=tty))
    assert [(line.time, line.data) for line in found] == [(MOMENT.decode().strip(), text) for text in texts]


def peak(read: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def drained(records: Iterator[Any]) -> None:
    with pytest.raises(StreamBroken) as caught:
        for _ in records:
            pass
    assert str(caught.value).endswith(".")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the limit be smaller, so that the tests are fast: what is held is a multiple of it."""
    assert streams.LONGEST == 64 * MIB
    monkeypatch.setattr(streams, "LONGEST", 4 * MIB)
    return 4 * MIB


@pytest.mark.parametrize("timestamps", [False, True])
def test_a_line_without_an_end_is_not_read_to_it(timestamps: bool, small: int) -> None:
    given_out = 0

    def endless() -> Iterator[tuple[str, bytes]]:
        nonlocal given_out
        for _ in range(1024):
            given_out += 1
            yield "stdout", b"x" * MIB

    assert peak(lambda: drained(lines(endless(), timestamps=timestamps))) < 3 * small
    assert given_out <= (small >> 20) + 1


def test_a_line_as_long_as_may_be_is_read(small: int) -> None:
    (line, after) = lines([("stdout", b"x" * MIB)] * (small >> 20) + [("stdout", b"\nshort\n")])
    assert (len(line.data), after.data) == (small, b"short")


def test_a_frame_of_more_than_the_limit_is_none() -> None:
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
def test_a_whole_body_and_its_pieces_are_the_same_documents(
    said: list[Any], between: str, ends: bool, ascii_only: bool, sizes: list[int]
) -> None:
    data = between.join(json.dumps(one, ensure_ascii=ascii_only) for one in said).encode("utf-8", "surrogatepass")
    data += between.encode() if ends else b""
    assert documents(data) == list(json_lines(cut(data, sizes))) == said


@given(st.lists(DOCUMENT, min_size=1, max_size=4), st.integers(1, 3), CUTS)
def test_documents_over_many_lines_come_back(said: list[Any], indent: int, sizes: list[int]) -> None:
    data = "\n".join(json.dumps(one, indent=indent) for one in said).encode()
    assert documents(data) == list(json_lines(cut(data, sizes))) == said


@given(st.binary(max_size=60) | st.text('[]{}",:\n 019ae.-', max_size=40).map(str.encode), CUTS)
def test_any_bytes_are_the_same_documents_wherever_they_are_cut(data: bytes, sizes: list[int]) -> None:
    whole = outcome(lambda: list(json_lines([data])))
    pieces = outcome(lambda: list(json_lines(cut(data, sizes))))
    assert repr(pieces) == repr(whole)
    assert repr(outcome(lambda: documents(data))) == repr(whole)


@pytest.mark.parametrize("start", [b'{"a": "', b'{"a": [' + b"1,\n" * 100])
def test_a_document_without_an_end_is_not_read_to_it(start: bytes, small: int) -> None:
    rest = b"1,\n" * 350_000 if b"\n" in start else b"x" * MIB
    chunks = (chunk for number in range(1024) for chunk in ([start] if number == 0 else [rest]))
    assert peak(lambda: drained(json_lines(chunks))) < 50 * small  # numbers are Python's while they are read


@pytest.mark.parametrize("data", [b"[" * 1_000_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_json_that_is_nested_without_end_is_an_error(data: bytes) -> None:
    for read in (lambda: list(json_lines([data])), lambda: documents(data)):
        with pytest.raises(StreamBroken, match="within a JSON document"):
            read()


# -- tar

KINDS = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
NAMES = st.text("ab/é\u4e2d .", min_size=1, max_size=200).filter(lambda text: bool(text.strip("/. ")))


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    into = io.BytesIO()
    form = draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    with tarfile.open(fileobj=into, mode="w", format=form, encoding="utf-8") as archive:
        for _ in range(draw(st.integers(0, 4))):
            short = form == tarfile.USTAR_FORMAT
            info = tarfile.TarInfo(draw(NAMES)[: 30 if short else 200].strip("/. ") or "a")
            info.type = draw(st.sampled_from(KINDS))
            info.linkname = draw(NAMES)[:30] if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            info.mode, info.uid = draw(st.integers(0, 0o7777)), draw(st.integers(0, 0o7777777))
            info.mtime = draw(st.integers(0, 0o77777777777))
            info.size = draw(st.integers(0, 1500)) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(b"y" * info.size))
    return into.getvalue()


def members(data: bytes, sizes: list[int]) -> list[Member]:
    return list(tar_members(cut(data, sizes)))


@given(tars(), CUTS)
def test_members_of_any_tar_are_those_that_tarfile_finds(data: bytes, sizes: list[int]) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as archive:
        known = [(info.name.removeprefix("./"), info.uid, info.linkname) for info in archive]
    assert [(one.path, one.uid, one.target) for one in members(data, sizes)] == known


@given(tars(), st.data(), CUTS)
def test_a_tar_cut_anywhere_is_whole_or_broken_and_never_short(
    data: bytes, choice: st.DataObject, sizes: list[int]
) -> None:
    whole = members(data, [])
    keep = choice.draw(st.integers(0, len(data)))
    found = outcome(lambda: members(data[:keep], sizes))
    assert found == whole or str(found).startswith("broken: The tar is broken or ended too early")


@given(tars(), st.data())
def test_a_tar_with_any_byte_changed_is_members_or_broken(data: bytes, choice: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(choice.draw(st.integers(1, 20))):
        changed[choice.draw(st.integers(0, min(len(data), 4096) - 1))] = choice.draw(st.integers(0, 255))
    found = outcome(lambda: members(bytes(changed), []))
    assert isinstance(found, (list, str))


def test_a_header_that_asks_for_gigabytes_is_refused() -> None:
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4 << 30
    head = info.tobuf(tarfile.GNU_FORMAT)

    def endless() -> Iterator[bytes]:
        yield head
        for _ in range(4096):
            yield b"x" * MIB

    assert peak(lambda: drained(tar_members(endless()))) < 8 * MIB
