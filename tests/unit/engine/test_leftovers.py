"""What a killed engine has begun is removed at the next start, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dockerlab.engine.storage import leftovers
from dockerlab.engine.storage.leftovers import remove_leftovers, remove_tracer_directories

#: A pid that no process has: the kernel gives out none above 4 millions.
NOBODY = 1 << 30
LEFT = [
    "build-abc/Dockerfile",
    "tmp1234",
    f".engine.json.{NOBODY}.new",
    "images/tmp99",
    f"images/.{'a' * 64}.json.{NOBODY}.new",
    f"images/{'b' * 64}.config",
    "images/layers/xyz.new",
    "images/trees/new.abc/etc/passwd",
    f"networks/.{'c' * 64}.json.{NOBODY}.new",
    f"volumes/v1/.volume.json.{NOBODY}.new",
    f"containers/{'d' * 64}/.container.json.{NOBODY}.new",
]
KEPT = [
    "engine.log",
    "identity.json",
    f"images/{'a' * 64}.json",
    f"images/{'a' * 64}.config",
    "images/layers/abc.tar",
    "images/trees/abc/build-x/file",
    "volumes/v1/volume.json",
    "volumes/v1/_data/.state.json.7.new",
    f"containers/{'d' * 64}/container.json",
    f"containers/{'d' * 64}/.exit.json.{os.getpid()}.new",
]


def create(state: Path, names: list[str]) -> None:
    for name in names:
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).touch()


def test_only_what_is_unfinished_is_removed(tmp_path: Path) -> None:
    create(tmp_path, LEFT + KEPT)
    remove_leftovers(tmp_path)
    assert [name for name in LEFT if (tmp_path / name).exists()] == []
    assert [name for name in KEPT if not (tmp_path / name).exists()] == []
    assert not (tmp_path / "build-abc").exists()


def test_an_empty_directory_is_no_problem(tmp_path: Path) -> None:
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_removed_is_logged_and_the_rest_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    create(tmp_path, ["build-a/x", "build-b/x", "tmp1"])

    def refuse(path: Path) -> None:
        raise OSError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(leftovers.rootfs, "remove", refuse)
    remove_leftovers(tmp_path)
    assert {record.getMessage() for record in caplog.records} == {
        f"could not remove {tmp_path}/{name}: operation not permitted" for name in ("build-a", "build-b")
    }
    assert not (tmp_path / "tmp1").exists()


def test_the_empty_directories_of_killed_tracers_are_removed(tmp_path: Path) -> None:
    for name in (f"proot-{NOBODY}-aB3", f"proot-{os.getpid()}-aB3", f"proot-{NOBODY}-full/x", "proot-mine-1"):
        (tmp_path / name).mkdir(parents=True)
    remove_tracer_directories(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"proot-{os.getpid()}-aB3",
        f"proot-{NOBODY}-full",
        "proot-mine-1",
    }
