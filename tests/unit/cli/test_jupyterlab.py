"""A learner's own notebooks are never overwritten; a lesson is found by whatever it is called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockerlab.cli.jupyterlab import FIRST, RECORD, course, prepare, put
from dockerlab.cli.run_lesson import contents, find, run
from dockerlab.course.outline import ANALYSES, NOTEBOOKS
from dockerlab.errors import ArgumentError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "data").mkdir(parents=True)
    (made / FIRST).write_text("first")
    (made / "01.ipynb").write_text("one")
    (made / "data/a.csv").write_text("a")
    (made / ".ipynb_checkpoints").mkdir()
    (made / ".ipynb_checkpoints/01.ipynb").write_text("left")
    return made


def test_a_course_is_copied_without_what_editors_leave(source: Path, tmp_path: Path) -> None:
    done = put(tmp_path / "mine/deep", source)
    assert done.new == [FIRST, "01.ipynb", "data/a.csv"] == course(source)
    assert sorted(course(tmp_path / "mine/deep")) == sorted(done.new)
    assert put(tmp_path / "mine/deep", source).same == done.new


def test_what_a_learner_changed_is_kept_and_the_rest_brought_up_to_date(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    put(mine, source)
    (mine / "01.ipynb").write_text("my answer")
    for name in (FIRST, "01.ipynb"):
        (source / name).write_text("a new edition")
    done = put(mine, source)
    assert (done.kept, done.updated, done.same) == (["01.ipynb"], [FIRST], ["data/a.csv"])
    assert (mine / "01.ipynb").read_text() == "my answer"
    assert (mine / FIRST).read_text() == "a new edition"
    assert any("yours, so kept as they are: 01.ipynb" in said for said in done.sentences(mine))


def test_fresh_copies_lose_nothing(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    put(mine, source)
    (mine / "01.ipynb").write_text("my answer")
    done = put(mine, source, fresh=True)
    assert (mine / "01.ipynb").read_text() == "one"
    assert done.saved is not None
    assert (done.saved / "01.ipynb").read_text() == "my answer"


def test_files_that_were_there_before_the_course_are_a_learners_own(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "01.ipynb").write_text("not yours")
    assert put(mine, source).kept == ["01.ipynb"]
    (mine / RECORD).write_text("{broken")
    assert put(mine, source).kept == ["01.ipynb"]
    assert (mine / "01.ipynb").read_text() == "not yours"


def test_a_place_that_can_not_be_written_is_named(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match=r"can't be put into .*Name a directory of yours: dockerlab lab DIR"):
        put(tmp_path / "file/below", source)


def test_here_wants_a_course_and_finds_it_in_a_checkout(source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert prepare(source, here=True, fresh=False, say=said.append) == source
    source.rename(tmp_path / "notebooks")
    assert prepare(tmp_path, here=True, fresh=False, say=said.append) == tmp_path / "notebooks"
    assert len(said) == 2
    with pytest.raises(ArgumentError, match="Without --here a copy of the course is put there"):
        prepare(tmp_path / "none", here=True, fresh=False, say=said.append)
    with pytest.raises(ArgumentError, match="give one of them"):
        prepare(tmp_path, here=True, fresh=True, say=said.append)


@pytest.mark.parametrize(
    ("word", "number"),
    [
        *[("1", "01"), ("05", "05"), ("logs", "05"), ("LOGS", "05"), ("notebooks/05-logs.ipynb", "05")],
        *[("A1", "A1"), ("a1", "A1"), (" a5 ", "A5"), ("A4-a-fleet.ipynb", "A4"), ("fleet", "A4"), ("SECURITY", "A5")],
    ],
)
def test_a_lesson_is_found_by_number_or_name(word: str, number: str) -> None:
    assert find(word) == number


@pytest.mark.parametrize("word", ["", "99", "st", "swarm", "A9", "a", "0a1"])
def test_a_lesson_that_is_not_one_names_those_there_are(word: str) -> None:
    with pytest.raises(ArgumentError, match=r"There is no one lesson .*: .*0\d-"):
        find(word)


def test_an_analysis_that_is_not_one_names_those_there_are() -> None:
    with pytest.raises(ArgumentError, match=r"There are: 00-start-here, .*, A1-log-.*, A5-a-security-look\."):
        find("A6")
    with pytest.raises(ArgumentError, match=r"It could be: 05-logs, A1-log-investigation\."):
        find("log")


def test_what_can_be_run_is_listed_with_titles(capsys: pytest.CaptureFixture[str]) -> None:
    contents()
    lines = capsys.readouterr().out.splitlines()
    assert [line[:2] for line in lines if re.match(r"\w\d  ", line)] == [*NOTEBOOKS, *ANALYSES]
    assert [line.index(" min") for line in lines if " min" in line] == [lines[0].index(" min")] * 16, (
        "one under another"
    )
    assert next(line for line in lines if line.startswith("A5")).split("  ")[1:] == [
        "A security look at one container", "10 min", "after lesson 03",
    ]  # fmt: skip


def test_an_analysis_asks_no_engine() -> None:
    with pytest.raises(ArgumentError, match=r"A1 reads what was recorded, and asks no engine: leave --engine out\."):
        run("a1", waits=False, engine="docker")
