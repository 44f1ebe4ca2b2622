"""The files that a shim writes: the log and its results, also when the disk is full."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dockerlab.engine.processes.shim.log import Log
from dockerlab.engine.processes.shim.reserved_file import ReservedFile


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let every write beyond so many bytes of a file fail, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def records(path: Path) -> list[tuple[str, str]]:
    return [(each["stream"], each["log"]) for each in map(json.loads, path.read_text("utf-8").splitlines())]


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_lines_that_cannot_be_written_are_counted(tmp_path: Path, size: int) -> None:
    path = tmp_path / "log"
    log = Log(str(path), size)
    log.write("stdout", b"first\n")
    with largest_file(path.stat().st_size + 20):  # there is room for a part of the next record
        log.write("stdout", b"second\nthird\n")
        log.write("stderr", b"fourth\n")
    log.write("stdout", b"fifth\n")
    log.write("stdout", b"sixth\n")
    notice = "[3 log lines before this one were lost: the log could not be written]\n"
    assert records(path) == [
        ("stdout", "first\n"), ("stderr", notice), ("stdout", "fifth\n"), ("stdout", "sixth\n")
    ]  # fmt: skip


def test_a_log_that_cannot_be_created_begins_later(tmp_path: Path) -> None:
    path = tmp_path / "directory/log"
    log = Log(str(path))
    log.write("stdout", b"first\n")
    path.parent.mkdir()
    log.write("stdout", b"second\n")
    assert [text for _, text in records(path)][1:] == ["second\n"]


def test_a_log_whose_rotation_fails_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(str(path), 1, 2)
    log.write("stdout", b"first\n")
    (tmp_path / "log.1").mkdir()
    log.write("stdout", b"second\n")
    (tmp_path / "log.1").rmdir()
    log.write("stdout", b"third\n")
    assert [text for _, text in records(tmp_path / "log.1")] == ["first\n"]
    assert [text for _, text in records(path)][1:] == ["third\n"]


def test_a_reserved_file_is_written_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "exit.json"
    file = ReservedFile(str(path))
    assert not path.exists()
    with largest_file(file_size := next(tmp_path.glob(".exit*")).stat().st_size):
        file.write({"code": 3, "finished": "now"})
    assert json.loads(path.read_text("utf-8")) == {"code": 3, "finished": "now"}
    assert path.stat().st_size == file_size
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_a_reserved_file_whose_place_was_removed_is_written_anyway(tmp_path: Path) -> None:
    file = ReservedFile(str(tmp_path / "exit.json"))
    file.release()
    file.write([1])
    assert json.loads((tmp_path / "exit.json").read_text("utf-8")) == [1]


def test_a_result_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    directory = tmp_path / "gone"
    directory.mkdir()
    file = ReservedFile(str(directory / "exit.json"))
    file.release()
    directory.rmdir()
    file.write([1])
    assert not directory.exists()
