"""The fast and the slow way of reading a log give the same bytes, and rotated files are read in their order."""

from __future__ import annotations

import asyncio
import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dockerlab.engine.containers import log_blocks, logs
from dockerlab.engine.processes.shim.log import Log

TEXTS = some.one_of(
    some.text(some.characters(codec="utf-8"), max_size=30).map(lambda text: text.replace("\n", "") + "\n"),
    some.sampled_from(["\n", "x", 'quoted "words"\n', "back\\slash\n", '\\n","stream":"stderr","time":"\n', "{}\n"]),
)
RECORDS = some.lists(some.tuples(some.sampled_from(["stdout", "stderr"]), TEXTS), max_size=12)


def record(stream: str, text: str, number: int) -> str:
    """Return a record as the shim writes it."""
    moment = f"2026-01-02T03:04:05.{number:09d}Z"
    return f'{{"log":{json.dumps(text, ensure_ascii=False)},"stream":"{stream}","time":"{moment}"}}\n'


def read(path: Path, query: logs.LogQuery) -> bytes:
    """Return all bytes of a log."""

    async def gather() -> bytes:
        return b"".join([block async for block in logs.read(path, query, lambda: True)])

    return asyncio.run(gather())


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("timestamps", [True, False])
@given(records=RECORDS, streams=some.sets(some.sampled_from(["stdout", "stderr"])))
def test_all_records_are_read(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[str, str]],
    streams: set[str],
    timestamps: bool,
    frames: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"read-{timestamps}-{frames}.log"
    path.write_text("".join(record(*values, number) for number, values in enumerate(records)), "utf-8")
    expected = b""
    for number, (stream, text) in enumerate(records):
        if stream in streams:
            moment = f"2026-01-02T03:04:05.{number:09d}Z " if timestamps else ""
            data = (moment + text).encode()
            expected += struct.pack(">BxxxI", 1 + (stream == "stderr"), len(data)) * frames + data
    assert (
        read(path, logs.LogQuery("stdout" in streams, "stderr" in streams, timestamps=timestamps, frames=frames))
        == expected
    )


def test_only_plain_lines_are_read_in_the_fast_way() -> None:
    plain = "".join(record("stdout", f"line {number}\n", number) for number in range(3)).encode()[:-1]
    assert (
        log_blocks.convert_plain_block(plain, ("stdout",), timestamps=False, frames=False)
        == b"line 0\nline 1\nline 2\n"
    )
    assert log_blocks.convert_plain_block(plain, ("stderr",), timestamps=False, frames=True) == b""
    for text in ('"', "\t\n", "no end", "\\n\n"):
        odd = record("stdout", text, 1).encode()
        assert log_blocks.convert_plain_block(odd + plain, ("stdout",), timestamps=False, frames=True) is None
    assert log_blocks.convert_plain_block(record("stderr", "x\n", 1).encode() + plain, ("stdout",), False, True) is None


@pytest.mark.parametrize("files", [1, 2, 4])
@given(sizes=some.lists(some.integers(1, 60), min_size=1, max_size=40))
def test_rotated_files_are_read_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, files: int, sizes: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("rotated")
    log, texts = Log(str(directory / "log"), 500, files, {"a": "b"}), []
    for number, size in enumerate(sizes):
        texts.append(f"{number} {'x' * size}\n")
        log.write("stdout", texts[-1].encode())
    os.close(log.file)
    text = read(directory / "log", logs.LogQuery(frames=False)).decode()
    assert text
    assert "".join(texts).endswith(text)
    assert len([*directory.iterdir()]) <= files
    last = texts[-3:] if text.count("\n") > 2 else text.splitlines(keepends=True)
    assert read(directory / "log", logs.LogQuery(frames=False, tail=3)).decode() == "".join(last)
    detailed = read(directory / "log", logs.LogQuery(frames=False, tail=1, details=True)).decode()
    assert detailed == f"a=b {texts[-1]}"


def test_a_following_reader_misses_nothing_of_rotated_files(tmp_path: Path) -> None:
    log, query = Log(str(tmp_path / "log"), 300, 2), logs.LogQuery(frames=False, follow=True)

    log.write("stderr", b"begin\n")

    async def read_all() -> list[str]:
        result, count = [], [0]
        async for block in logs.read(tmp_path / "log", query, lambda: count[0] == 40):
            result += block.decode().splitlines()
            if len(result) - 1 == count[0] < 40:
                log.write("stdout", f"{count[0]}\n{count[0] + 1}\n".encode())
                count[0] += 2
        return result

    assert asyncio.run(asyncio.wait_for(read_all(), 30)) == ["begin", *map(str, range(40))]


def test_a_log_may_have_a_billion_files(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "x.log"), size=1, files=10**9)
    for number in range(4):
        log.write("stdout", f"{number}\n".encode())
    files = {path.name: json.loads(path.read_text())["log"] for path in tmp_path.iterdir()}
    assert files == {"x.log": "3\n", "x.log.1": "2\n", "x.log.2": "1\n", "x.log.3": "0\n"}
