"""The directory of an engine is its user's alone, or it is refused with a sentence that says what to do."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dockerlab.engine.common.private_directory import PrivateDirectoryError, make_private

VARIABLE = "DOCKERLAB_STATE=DIR"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("old_mode", [0o755, 0o777, 0o770, 0o701, 0o700])
def test_an_own_directory_becomes_private(tmp_path: Path, old_mode: int) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    directory.chmod(old_mode)
    (directory / "identity.json").touch()
    make_private(directory, VARIABLE)
    assert mode(directory) == 0o700


def test_a_missing_directory_is_created_with_private_parents(tmp_path: Path) -> None:
    directory = tmp_path / "share/state/dockerlab"
    old_mask = os.umask(0)
    try:
        make_private(directory, VARIABLE)
    finally:
        os.umask(old_mask)
    assert [mode(path) for path in (directory, directory.parent, directory.parent.parent)] == [0o700] * 3


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o755)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 4711)
    with pytest.raises(PrivateDirectoryError, match=r"belongs to another user.*export DOCKERLAB_STATE=DIR"):
        make_private(directory, VARIABLE)
    assert mode(directory) == 0o755


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "state").symlink_to(tmp_path / target)
    with pytest.raises(PrivateDirectoryError, match="state is a symbolic link; choose another directory"):
        make_private(tmp_path / "state", VARIABLE)
    assert mode(tmp_path / "elsewhere") == 0o755


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(PrivateDirectoryError, match="not a directory"):
        make_private(tmp_path / "state", VARIABLE)


def test_a_directory_in_which_others_may_have_put_something_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    directory.chmod(0o777)
    (directory / "engine.log").symlink_to("/etc/passwd")
    with pytest.raises(PrivateDirectoryError, match=r"engine\.log in it may be theirs.*chmod 700"):
        make_private(directory, VARIABLE)
    assert mode(directory) == 0o777


@pytest.mark.parametrize(("parent_mode", "allowed"), [(0o777, False), (0o757, False), (0o1777, True), (0o755, True)])
def test_others_must_not_be_able_to_exchange_the_directory(tmp_path: Path, parent_mode: int, allowed: bool) -> None:
    parent = tmp_path / "parent"
    parent.mkdir()
    parent.chmod(parent_mode)
    if allowed:
        make_private(parent / "state", VARIABLE)
        assert mode(parent / "state") == 0o700
    else:
        with pytest.raises(PrivateDirectoryError, match=f"Other users can write to {parent},.*chmod go-w {parent}"):
            make_private(parent / "state", VARIABLE)


def test_a_link_above_the_directory_is_looked_through(tmp_path: Path) -> None:
    open_directory = tmp_path / "open"
    open_directory.mkdir()
    open_directory.chmod(0o777)
    (open_directory / "real").mkdir()
    (tmp_path / "link").symlink_to(open_directory / "real")
    with pytest.raises(PrivateDirectoryError, match=f"Other users can write to {open_directory},"):
        make_private(tmp_path / "link/state", VARIABLE)


def test_a_directory_that_cannot_be_created_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(PrivateDirectoryError) as caught:
        make_private(tmp_path / "home/state", VARIABLE)
    assert str(caught.value) == (
        f"{tmp_path}/home/state can't be used (not a directory); choose another directory: export DOCKERLAB_STATE=DIR"
    )


def test_a_home_that_cannot_be_read_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(PrivateDirectoryError) as caught:
        make_private(tmp_path / "state", VARIABLE)
    assert str(caught.value) == (
        f"{tmp_path}/state can't be used (permission denied); choose another directory: export DOCKERLAB_STATE=DIR"
    )
