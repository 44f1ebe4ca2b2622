"""The log's two ways of reading give the same; files that are put aside are read in their order."""

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
WRITTEN = some.lists(some.tuples(some.sampled_from(["stdout", "stderr"]), TEXTS), max_size=12)


def record(stream: str, text: str, number: int) -> str:
    """Write a record as the shim does."""
    moment = f"2026-01-02T03:04:05.{number:09d}Z"
    return f'{{"log":{json.dumps(text, ensure_ascii=False)},"stream":"{stream}","time":"{moment}"}}\n'


def read(path: Path, query: logs.LogQuery) -> bytes:
    """Read all of a log."""

    async def gather() -> bytes:
        return b"".join([block async for block in logs.read(path, query, lambda: True)])

    return asyncio.run(gather())


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("timestamps", [True, False])
@given(written=WRITTEN, streams=some.sets(some.sampled_from(["stdout", "stderr"])))
def test_all_that_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[tuple[str, str]],
    streams: set[str],
    timestamps: bool,
    frames: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"read-{timestamps}-{frames}.log"
    path.write_text("".join(record(*one, number) for number, one in enumerate(written)), "utf-8")
    expected = b""
    for number, (stream, text) in enumerate(written):
        if stream in streams:
            moment = f"2026-01-02T03:04:05.{number:09d}Z " if timestamps else ""
            data = (moment + text).encode()
            expected += struct.pack(">BxxxI", 1 + (stream == "stderr"), len(data)) * frames + data
    assert (
        read(path, logs.LogQuery("stdout" in streams, "stderr" in streams, timestamps=timestamps, frames=frames))
        == expected
    )


def test_plain_lines_take_the_quick_way_and_others_do_not() -> None:
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
def test_files_that_are_put_aside_are_read_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, files: int, sizes: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("aside")
    log, words = Log(str(directory / "log"), 500, files, {"a": "b"}), []
    for number, size in enumerate(sizes):
        words.append(f"{number} {'x' * size}\n")
        log.write("stdout", words[-1].encode())
    os.close(log.file)
    kept = read(directory / "log", logs.LogQuery(frames=False)).decode()
    assert kept
    assert "".join(words).endswith(kept)
    assert len([*directory.iterdir()]) <= files
    last = words[-3:] if kept.count("\n") > 2 else kept.splitlines(keepends=True)
    assert read(directory / "log", logs.LogQuery(frames=False, tail=3)).decode() == "".join(last)
    detailed = read(directory / "log", logs.LogQuery(frames=False, tail=1, details=True)).decode()
    assert detailed == f"a=b {words[-1]}"


def test_a_reader_that_follows_misses_nothing_of_what_is_put_aside(tmp_path: Path) -> None:
    log, query = Log(str(tmp_path / "log"), 300, 2), logs.LogQuery(frames=False, follow=True)

    log.write("stderr", b"begin\n")

    async def all_of_it() -> list[str]:
        found, written = [], [0]
        async for block in logs.read(tmp_path / "log", query, lambda: written[0] == 40):
            found += block.decode().splitlines()
            if len(found) - 1 == written[0] < 40:
                log.write("stdout", f"{written[0]}\n{written[0] + 1}\n".encode())
                written[0] += 2
        return found

    assert asyncio.run(asyncio.wait_for(all_of_it(), 30)) == ["begin", *map(str, range(40))]
