"""An empty volume gets the files that its image has at the mount point."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from races import exchanging

from dockerlab.engine.common.tree import DIRECTORY
from dockerlab.engine.storage import mount_points
from dockerlab.engine.storage.tree_copy import copy_tree


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    """Return a container's tree with files below a link, and a link that leads outside."""
    root = tmp_path / "root"
    (root / "real/data").mkdir(parents=True)
    (root / "real/data/file").write_text("own")
    (root / "real/data/link").symlink_to("/etc/passwd")
    (root / "way").symlink_to("/real")
    (root / "out").symlink_to("../outside")
    (tmp_path / "volume").mkdir()
    return root


def fill(root: Path, target: str, **more: Any) -> list[str]:
    volume = root.parent / "volume"
    point = {"Type": "volume", "Source": str(volume), "Destination": target, **more}
    mount_points.fill_volumes(root, [point])
    return sorted(path.name for path in volume.iterdir())


def test_files_are_found_through_links_of_the_image(root: Path) -> None:
    (root / "real/data").chmod(0o1750)
    assert fill(root, "/way/data") == ["file", "link"]
    volume = root.parent / "volume"
    assert (volume / "file").read_text() == "own"
    assert (volume / "link").readlink() == Path("/etc/passwd")
    assert volume.stat().st_mode & 0o7777 == 0o1750


@pytest.mark.parametrize("target", ["/out", "/missing", "/real/data/file", "/real/data/link"])
def test_nothing_else_is_copied(root: Path, target: str) -> None:
    assert fill(root, target) == []


def test_a_volume_with_files_stays_as_it_is(root: Path) -> None:
    (root.parent / "volume/own").write_text("mine")
    assert fill(root, "/real/data") == ["own"]
    assert fill(root, "/real/data", NoCopy=True) == ["own"]


def test_a_container_with_the_same_volume_can_not_lead_the_copy_elsewhere(root: Path, outside: Path) -> None:
    source, volume = root / "real/data", root.parent / "volume"
    (source / "inner").mkdir()
    (volume / "inner").mkdir()
    (volume / "other").symlink_to(outside)
    copies, original = os.open(volume, DIRECTORY), os.open(source, DIRECTORY)
    with exchanging(volume / "inner", volume / "other"):
        for number in range(200):
            (source / f"inner/one{number}").write_text("own")
            (source / f"inner/two{number}").hardlink_to(source / f"inner/one{number}")
            copy_tree(original, copies)
    for place in (copies, original):
        os.close(place)
    assert sorted(path.name for path in outside.iterdir()) == ["file", "inner"]
    directory = volume / "inner" if (volume / "other").is_symlink() else volume / "other"
    assert {path.read_text() for path in directory.iterdir()} == {"own"}
