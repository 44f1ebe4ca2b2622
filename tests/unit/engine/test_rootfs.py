"""A container's tree is a faithful copy of its image's, and nothing outside is touched, whatever the image contains."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import threading
from pathlib import Path

import pytest

from dockerlab.engine.storage import changes, layer_diff, rootfs, tar_writer

#: Deeper than any path can be, with names of one letter.
DEPTH = 2100


@pytest.fixture
def image(tmp_path: Path) -> Path:
    image = tmp_path / "image"
    (image / "etc").mkdir(parents=True)
    (image / "etc/passwd").write_text("root:x:0:0")
    return image


def create(image: Path) -> Path:
    root = image.with_name("root")
    rootfs.create(image, root, "name")
    return root


def make_deep(directory: Path, depth: int = DEPTH) -> None:
    """Create directories below each other, deeper than any path can be, and a file in the innermost."""
    place = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    with os.fdopen(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=place), "w") as file:
        file.write("12345")
    os.close(place)


@pytest.mark.parametrize("name", ["etc", "proc", "sys", "dev"])
@pytest.mark.parametrize("kind", ["link", "relative link", "dangling link", "file"])
def test_directories_of_the_engine_replace_what_the_image_has(image: Path, outside: Path, name: str, kind: str) -> None:
    (image / "etc").rename(image / "other")
    if kind == "file":
        (image / name).write_text("a file")
    else:
        target = {"link": outside, "relative link": Path("../outside"), "dangling link": outside / "new"}[kind]
        (image / name).symlink_to(target)
    root = create(image)
    assert stat.S_ISDIR((root / name).lstat().st_mode)
    assert sorted(path.name for path in outside.iterdir()) == ["file", "inner"]
    assert (outside / "file").read_text() == "secret"
    assert changes.changes(image, root) == []
    assert b"".join(layer_diff.layer_of_changes(image, root)) == tar_writer.END


@pytest.mark.parametrize("name", sorted(rootfs.ENGINE_FILES))
@pytest.mark.parametrize("kind", ["link", "relative link", "dangling link", "directory", "pipe"])
def test_files_of_the_engine_replace_what_the_image_has(image: Path, outside: Path, name: str, kind: str) -> None:
    if kind == "directory":
        (image / name / "inner").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(image / name)
    else:
        depth = "../" * (name.count("/") + 1)
        relative = Path(f"{depth}outside/file")
        targets = {"link": outside / "file", "relative link": relative, "dangling link": outside / "x"}
        (image / name).symlink_to(targets[kind])
    root = create(image)
    assert stat.S_ISREG((root / name).lstat().st_mode)
    assert sorted(path.name for path in outside.iterdir()) == ["file", "inner"]
    assert (outside / "file").read_text() == "secret"
    assert changes.changes(image, root) == []


def test_a_hard_link_of_the_image_is_not_written_into(image: Path) -> None:
    (image / "etc/hosts").hardlink_to(image / "etc/passwd")
    root = create(image)
    assert (root / "etc/passwd").read_text() == "root:x:0:0"
    assert "localhost" in (root / "etc/hosts").read_text()


def test_a_new_file_in_a_directory_of_the_engine_is_a_change(image: Path) -> None:
    (image / "etc/passwd").unlink()
    (image / "etc").rmdir()
    (image / "etc").symlink_to("/elsewhere")
    root = create(image)
    (root / "etc/new").write_text("x")
    assert changes.changes(image, root) == [
        changes.Change("/etc", changes.MODIFIED),
        changes.Change("/etc/new", changes.ADDED),
    ]


def test_a_copy_keeps_links_holes_modes_and_times(image: Path) -> None:
    (image / "bin").mkdir()
    (image / "bin/one").write_text("program")
    (image / "bin/one").chmod(0o6711)
    (image / "second").hardlink_to(image / "bin/one")
    for number in range(30):  # more files with several names than are open at a time
        (image / f"file-{number}").write_text(str(number))
        (image / "bin" / f"name-{number}").hardlink_to(image / f"file-{number}")
    (image / "link").symlink_to("/etc/passwd")
    os.mkfifo(image / "pipe")
    with (image / "sparse").open("wb") as file:
        file.seek(50 << 20)
        file.write(b"end")
        file.truncate(100 << 20)
    for name in ("bin/one", "link", "bin"):
        os.utime(image / name, ns=(10**18, 1_234_567_890_123_456_789), follow_symlinks=False)
    (image / "bin").chmod(0o1755)
    root = create(image)
    assert (root / "bin/one").samefile(root / "second")
    assert not (root / "bin/one").samefile(image / "bin/one")
    for number in range(30):
        assert (root / f"file-{number}").samefile(root / "bin" / f"name-{number}")
        assert (root / f"file-{number}").read_text() == str(number)
    assert stat.S_IMODE((root / "bin/one").stat().st_mode) == 0o6711
    assert stat.S_IMODE((root / "bin").stat().st_mode) == 0o1755
    assert (root / "link").readlink() == Path("/etc/passwd")
    assert stat.S_ISFIFO((root / "pipe").lstat().st_mode)
    for name in ("bin/one", "link", "bin"):
        assert (root / name).lstat().st_mtime_ns == 1_234_567_890_123_456_789
    copy = (root / "sparse").stat()
    assert copy.st_size == 100 << 20
    assert copy.st_blocks * 512 < 1 << 20
    with (root / "sparse").open("rb") as file:
        file.seek(50 << 20)
        assert file.read(4) == b"end\0"
    assert changes.changes(image, root) == []


def test_sizes_count_each_file_once(image: Path) -> None:
    (image / "program").write_text("123456")
    (image / "link").hardlink_to(image / "program")
    root = create(image)
    (root / "etc/passwd").write_text("longer than before")
    (root / "new").write_text("123")
    assert rootfs.sizes(image, root) == (18 + 3, 6 + 18 + 3)


def test_trees_may_be_deeper_than_paths(image: Path) -> None:
    make_deep(image)
    root = create(image)
    assert changes.changes(image, root) == []
    assert rootfs.sizes(image, root) == (0, len("root:x:0:0") + 5)
    make_deep(root / "etc")
    assert [change.path for change in changes.changes(image, root)][:2] == ["/etc", "/etc/d"]
    assert rootfs.sizes(image, root) == (5, len("root:x:0:0") + 10)
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_writer.export(root)))) as tar:
        assert max(map(len, tar.getnames())) == 4093
    for tree in (image, root):
        rootfs.remove(tree)
        assert not tree.exists()


def test_modes_do_not_prevent_removal(image: Path) -> None:
    (image / "closed/inner").mkdir(parents=True)
    (image / "closed/inner/file").write_text("x")
    for path in ("closed/inner", "closed"):
        (image / path).chmod(0)
    rootfs.remove(image)
    assert not image.exists()
    rootfs.remove(image)  # once more is no error


def test_a_removal_that_takes_long_goes_on_in_a_thread(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, may_begin, has_ended = create(image), threading.Event(), threading.Event()

    def slow_discard(path: Path) -> None:
        may_begin.wait()
        rootfs.remove(path)
        has_ended.set()

    monkeypatch.setattr(rootfs, "discard", slow_discard)
    rootfs.discard_soon(root)
    assert root.is_dir()
    may_begin.set()
    assert has_ended.wait(10)
    assert not root.exists()
