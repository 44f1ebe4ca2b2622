"""Progress is stored on this machine, and a broken or unwritable file never stops a lesson."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.course import progress


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKERLAB_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_nothing_is_passed_at_first() -> None:
    assert progress.passed() == {}
    assert int(progress.table()["passed"].sum()) == 0
    assert int(progress.table()["exercises"].sum()) == 22


def test_a_pass_is_stored_once(state: Path) -> None:
    for name in ("ended", "by-state", "ended"):
        progress.record_pass("01", name)
    assert progress.passed() == {"01": ["by-state", "ended"]}
    assert progress.table().set_index("lesson").loc["01", "passed"] == 2
    assert [path.name for path in state.iterdir()] == ["progress.json"]
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", '{"01": 3}', "\x00"])
def test_a_broken_file_counts_as_empty(state: Path, text: str) -> None:
    state.mkdir()
    (state / "progress.json").write_text(text)
    assert progress.passed() == {}
    progress.record_pass("02", "spare")
    assert progress.passed() == {"02": ["spare"]}


def test_without_a_writable_folder_nothing_is_stored(state: Path) -> None:
    state.write_text("a file where the directory should be")
    progress.record_pass("01", "ended")
    assert progress.passed() == {}


def test_an_unknown_exercise_does_not_count() -> None:
    progress.record_pass("01", "no-such-exercise")
    assert int(progress.table()["passed"].sum()) == 0


def test_the_file_is_in_the_state_directory(tmp_path: Path) -> None:
    assert progress.progress_file({"DOCKERLAB_STATE": "/a"}) == Path("/a/progress.json")
    assert progress.progress_file({"XDG_STATE_HOME": "/b"}) == Path("/b/dockerlab/progress.json")
    assert progress.progress_file({}) == Path.home() / ".local/state/dockerlab/progress.json"
