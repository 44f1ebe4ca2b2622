"""Trees of images share their files by hard links, up to the file system's limit of links."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.engine.images import trees
from dockerlab.engine.images.layers import Layers
from dockerlab.engine.storage import tree_copy


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a tree in which a program has two names."""
    root = tmp_path / "source"
    (root / "bin").mkdir(parents=True)
    (root / "bin/one").write_text("program")
    (root / "bin/one").chmod(0o4755)
    (root / "bin/two").hardlink_to(root / "bin/one")
    (root / "bin/link").symlink_to("one")
    (root / "alone").write_text("a file")
    return root


def clone(source: Path) -> Path:
    target = source.with_name("target")
    target.mkdir()
    trees._clone(source, target)
    return target


def test_a_clone_has_the_same_files(source: Path) -> None:
    target = clone(source)
    for name in ("bin/one", "bin/two", "alone"):
        assert (target / name).samefile(source / name)
    assert (target / "bin/link").readlink() == Path("one")


def test_a_file_with_too_many_names_is_copied_once(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_copy, "MAX_LINKS", 1)
    target = clone(source)
    assert not (target / "bin/one").samefile(source / "bin/one")
    assert (target / "bin/one").samefile(target / "bin/two")
    assert (target / "bin/one").read_text() == "program"
    assert (target / "bin/one").stat().st_mode & 0o7777 == 0o4755
    assert (target / "alone").samefile(source / "alone")


def test_a_tree_that_cannot_be_removed_does_not_keep_the_engine_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = "a" * 64
    for name in ("new.half", "unused", used):
        (tmp_path / "trees" / name).mkdir(parents=True)

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(trees.rootfs, "remove", refuse)
    store = trees.Trees(tmp_path / "trees", Layers(tmp_path / "layers"))
    store.keep_only({f"sha256:{used}"})
    assert {path.name for path in (tmp_path / "trees").iterdir()} == {"new.half", "new.unused", used}
    store.keep_only({f"sha256:{used}"})
    assert (tmp_path / "trees/new.unused").is_dir()
