"""A learner's notebooks are never overwritten, and a lesson is found by its number, name or file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockerlab.cli.jupyterlab import FIRST, RECORD, copy_course, course_files, prepare_folder
from dockerlab.cli.run_lesson import find_number, run, show_contents
from dockerlab.course.catalog import ANALYSES, LESSONS
from dockerlab.errors import ArgumentError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "data").mkdir(parents=True)
    (folder / FIRST).write_text("first")
    (folder / "01.ipynb").write_text("one")
    (folder / "data/a.csv").write_text("a")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints/01.ipynb").write_text("checkpoint")
    return folder


def test_a_course_is_copied_without_checkpoints(source: Path, tmp_path: Path) -> None:
    report = copy_course(tmp_path / "mine/deep", source)
    assert report.new == [FIRST, "01.ipynb", "data/a.csv"] == course_files(source)
    assert sorted(course_files(tmp_path / "mine/deep")) == sorted(report.new)
    assert copy_course(tmp_path / "mine/deep", source).unchanged == report.new


def test_changed_notebooks_are_kept_and_the_others_updated(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    copy_course(mine, source)
    (mine / "01.ipynb").write_text("my answer")
    for name in (FIRST, "01.ipynb"):
        (source / name).write_text("a new edition")
    report = copy_course(mine, source)
    assert (report.preserved, report.updated, report.unchanged) == (["01.ipynb"], [FIRST], ["data/a.csv"])
    assert (mine / "01.ipynb").read_text() == "my answer"
    assert (mine / FIRST).read_text() == "a new edition"
    assert any("so they stay: 01.ipynb" in sentence for sentence in report.sentences(mine))


def test_fresh_copies_save_the_old_ones(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    copy_course(mine, source)
    (mine / "01.ipynb").write_text("my answer")
    report = copy_course(mine, source, fresh=True)
    assert (mine / "01.ipynb").read_text() == "one"
    assert report.backup is not None
    assert (report.backup / "01.ipynb").read_text() == "my answer"


def test_files_from_before_the_course_are_kept(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "01.ipynb").write_text("not yours")
    assert copy_course(mine, source).preserved == ["01.ipynb"]
    (mine / RECORD).write_text("{broken")
    assert copy_course(mine, source).preserved == ["01.ipynb"]
    assert (mine / "01.ipynb").read_text() == "not yours"


def test_a_folder_that_cannot_be_written_is_named(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match=r"can't be copied to .*that you may write to: dockerlab lab DIR"):
        copy_course(tmp_path / "file/below", source)


def test_here_needs_a_course_and_finds_it_in_a_checkout(source: Path, tmp_path: Path) -> None:
    messages: list[str] = []
    assert prepare_folder(source, here=True, fresh=False, say=messages.append) == source
    source.rename(tmp_path / "notebooks")
    assert prepare_folder(tmp_path, here=True, fresh=False, say=messages.append) == tmp_path / "notebooks"
    assert len(messages) == 2
    with pytest.raises(ArgumentError, match="To copy the course there, leave --here out"):
        prepare_folder(tmp_path / "none", here=True, fresh=False, say=messages.append)
    with pytest.raises(ArgumentError, match="give one of them"):
        prepare_folder(tmp_path, here=True, fresh=True, say=messages.append)


@pytest.mark.parametrize(
    ("word", "number"),
    [
        *[("1", "01"), ("05", "05"), ("logs", "05"), ("LOGS", "05"), ("notebooks/05-logs.ipynb", "05")],
        *[("A1", "A1"), ("a1", "A1"), (" a5 ", "A5"), ("A4-a-fleet.ipynb", "A4"), ("fleet", "A4"), ("SECURITY", "A5")],
    ],
)
def test_a_lesson_is_found_by_number_or_name(word: str, number: str) -> None:
    assert find_number(word) == number


@pytest.mark.parametrize("word", ["", "99", "st", "swarm", "A9", "a", "0a1"])
def test_the_error_for_a_wrong_lesson_lists_the_lessons(word: str) -> None:
    with pytest.raises(ArgumentError, match=r"There is no lesson or analysis .*: .*0\d-|could be any of these: 0\d-"):
        find_number(word)


def test_the_error_for_a_wrong_analysis_lists_what_there_is() -> None:
    with pytest.raises(ArgumentError, match=r"There are: 00-start-here, .*, A1-log-.*, A5-a-security-look\."):
        find_number("A6")
    with pytest.raises(ArgumentError, match=r"'log' could be any of these: 05-logs, A1-log-investigation\."):
        find_number("log")


def test_lessons_and_analyses_are_listed_with_titles(capsys: pytest.CaptureFixture[str]) -> None:
    show_contents()
    lines = capsys.readouterr().out.splitlines()
    assert [line[:2] for line in lines if re.match(r"\w\d  ", line)] == [*LESSONS, *ANALYSES]
    assert [line.index(" min") for line in lines if " min" in line] == [lines[0].index(" min")] * 16, (
        "columns are aligned"
    )
    assert next(line for line in lines if line.startswith("A5")).split("  ")[1:] == [
        "A security look at one container", "10 min", "after lesson 03",
    ]  # fmt: skip


def test_an_analysis_needs_no_engine() -> None:
    with pytest.raises(ArgumentError, match=r"A1 reads recorded data and uses no engine: leave --engine out\."):
        run("a1", waits=False, engine="docker")
