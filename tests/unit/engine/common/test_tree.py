"""Files of a tree are opened within the tree, whatever its links say and whatever changes meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.engine.common import tree
from dockerlab.engine.common.tree import DirectoryStack, OpenTree


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a tree with links, beside a file that no path of the tree may reach."""
    (tmp_path / "outside").write_text("secret")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root")
    (root / "way").symlink_to("/etc")
    (root / "up").symlink_to("../../../../etc")
    (root / "round").symlink_to("round")
    (root / "out").symlink_to("../outside")
    (root / "absolute").symlink_to(tmp_path / "outside")
    (root / "dangling").symlink_to("etc/new")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture
def tree_of_root(root: Path) -> Iterator[OpenTree]:
    before = open_descriptors()
    with OpenTree(root) as tree_of_root:
        yield tree_of_root
    assert open_descriptors() == before, "descriptors were left open"


@pytest.mark.parametrize("path", ["/etc/passwd", "etc/./passwd", "/way/passwd", "/up/passwd", "/../../etc/passwd"])
def test_links_are_followed_within_the_tree(tree_of_root: OpenTree, path: str) -> None:
    assert tree_of_root.read(path, 100) == b"root"


@pytest.mark.parametrize("path", ["/out", "/absolute", "/../outside", "/way/../../outside", "/etc/passwd/x", "/etc/x"])
def test_nothing_outside_is_found(tree_of_root: OpenTree, path: str) -> None:
    assert not tree_of_root.exists(path)
    with pytest.raises(OSError, match="directory"):
        tree_of_root.read(path, 100)


def test_circles_are_errors(tree_of_root: OpenTree) -> None:
    for path in ("/round", "/round/x"):
        with pytest.raises(OSError, match="too many levels"):
            tree_of_root.open(path)
    assert stat.S_ISLNK(tree_of_root.mode("/round", follow=False))


def test_only_regular_files_are_read(tree_of_root: OpenTree) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        tree_of_root.read("/pipe", 100)
    with pytest.raises(OSError, match="not a regular file"):
        tree.open_file("pipe", tree_of_root.root)
    with pytest.raises(OSError, match="not a regular file"):
        tree.open_file("way", tree_of_root.root)


def test_a_path_without_links_is_shown(tree_of_root: OpenTree) -> None:
    assert tree_of_root.resolve("/way/passwd") == "/etc/passwd"
    assert tree_of_root.resolve("/way", follow=False) == "/way"
    assert tree_of_root.resolve("/way/new/../other/x") == "/etc/other/x"
    assert tree_of_root.resolve("/etc/passwd/x") == "/etc/passwd/x"
    assert tree_of_root.resolve("/../..") == "/"


def test_the_parent_of_something_new_is_found(tree_of_root: OpenTree, root: Path) -> None:
    for path, follow, parent, expected in (
        ("/way/new", False, "etc", "new"),
        ("/dangling", False, ".", "dangling"),
        ("/dangling", True, "etc", "new"),
        ("/", False, ".", "."),
    ):
        directory, name = tree_of_root.open_parent(path, follow=follow)
        try:
            assert (os.fstat(directory).st_ino, name) == ((root / parent).stat().st_ino, expected)
        finally:
            os.close(directory)
    with pytest.raises(FileNotFoundError):
        tree_of_root.open_parent("/missing/new")
    with pytest.raises(NotADirectoryError):
        tree_of_root.open_parent("/etc/passwd/new")


def test_directories_are_created_within_the_tree(tree_of_root: OpenTree, root: Path, tmp_path: Path) -> None:
    os.close(tree_of_root.make_directories("/up/a/b"))
    assert (root / "etc/a/b").is_dir()
    os.close(tree_of_root.make_directories("/out/c"))
    assert (root / "outside/c").is_dir()
    assert (tmp_path / "outside").read_text() == "secret"


def test_mounts_are_part_of_the_tree(root: Path, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/file").write_text("mounted")
    (tmp_path / "volume/link").symlink_to("/etc/passwd")
    (tmp_path / "volume/up").symlink_to("../passwd")
    (root / "etc/data").mkdir()
    with OpenTree(root, {"/way/data": str(tmp_path / "volume")}) as tree_of_root:
        assert tree_of_root.read("/etc/data/file", 100) == b"mounted"
        assert tree_of_root.read("/way/data/../data/file", 100) == b"mounted"
        assert tree_of_root.read("/etc/data/link", 100) == b"root"
        assert tree_of_root.read("/etc/data/up", 100) == b"root"
        directory, name = tree_of_root.open_parent("/way/data/new")
        assert (os.fstat(directory).st_ino, name) == ((tmp_path / "volume").stat().st_ino, "new")
        os.close(directory)


def test_a_walk_may_be_deeper_than_descriptors_and_paths(tmp_path: Path) -> None:
    top = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    stack, before = DirectoryStack(top), open_descriptors()
    for _ in range(3000):
        os.mkdir("d", dir_fd=stack.current)
        stack.enter("d")
    assert open_descriptors() <= before + tree.MAX_OPEN
    assert stack.depth == 3000
    while stack.depth:
        stack.leave()
        os.rmdir("d", dir_fd=stack.current)
    assert stack.current == top
    os.close(top)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_was_moved_is_not_left_into_another_place(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["top", *["d"] * (tree.MAX_OPEN + 5)])
    deep.mkdir(parents=True)
    top = os.open(tmp_path / "top", os.O_RDONLY | os.O_DIRECTORY)
    stack = DirectoryStack(top)
    for _ in range(tree.MAX_OPEN + 5):
        stack.enter("d")
    (tmp_path / "top/d/d/d/d").rename(tmp_path / "moved")
    with pytest.raises(OSError, match="moved meanwhile"):
        while stack.depth:
            stack.leave()
    stack.close()
    os.close(top)


def test_a_link_is_no_directory_to_enter(tree_of_root: OpenTree, root: Path) -> None:
    top = tree.reopen(tree_of_root.root, os.O_RDONLY)
    stack = DirectoryStack(top)
    with pytest.raises(NotADirectoryError):
        stack.enter("way")
    assert [name for name, _ in tree.entries(top)] == sorted(path.name for path in root.iterdir())
    os.close(top)


def test_a_subtree_has_its_own_top(root: Path, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/file").write_text("mounted")
    (root / "etc/inner").mkdir()
    (root / "etc/inner/up").symlink_to("../passwd")
    (root / "etc/data").mkdir()
    with OpenTree(root, {"/etc/data": str(tmp_path / "volume")}, {"/", "/etc/data"}) as whole:
        assert whole.read_only_mount("/way/data") == "/etc/data"
        with whole.subtree("/way") as below:
            assert below.read("/passwd", 100) == below.read("/../passwd", 100) == below.read("inner/up", 100) == b"root"
            assert below.read("data/file", 100) == b"mounted"
            assert not below.exists("/etc/passwd")
            assert (below.read_only_mount("/inner"), below.read_only_mount("/data")) == ("/", "/data")
        with pytest.raises(NotADirectoryError):
            whole.subtree("/etc/passwd")


def test_read_only_mounts_are_not_for_writing(root: Path, tmp_path: Path) -> None:
    for name in ("closed", "closed/open"):
        (tmp_path / name).mkdir()
    mounts = {"/closed": str(tmp_path / "closed"), "/closed/open": str(tmp_path / "closed/open")}
    with OpenTree(root, mounts, {"/closed"}) as tree_of_root:
        for path in ("/closed", "/closed/new", "/etc/../closed/new"):
            with pytest.raises(OSError, match="Read-only file system"):
                tree_of_root.make_directories(path)
        with pytest.raises(OSError, match="Read-only file system"):
            tree_of_root.open_parent("/closed/new")
        os.close(tree_of_root.make_directories("/closed/open/new"))
        os.close(tree_of_root.make_directories("/etc/new"))
    assert [path.name for path in (tmp_path / "closed").iterdir()] == ["open"]
    assert (tmp_path / "closed/open/new").is_dir()


def test_the_last_directory_stays_open(root: Path) -> None:
    before = open_descriptors()
    with OpenTree(root) as tree_of_root:
        directories = tree.LastDirectory(tree_of_root)
        place = directories.open("etc")
        assert directories.open("etc") == place
        assert os.fstat(directories.open("new/deep", make=True)).st_ino == (root / "new/deep").stat().st_ino
        with pytest.raises(FileNotFoundError):
            directories.open("missing")
        directories.close()
        directories.close()
    assert open_descriptors() == before
