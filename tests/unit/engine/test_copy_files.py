"""Files are copied in and out of a container while a program in it exchanges directories and links."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from pathlib import Path

import pytest
from archives import link, tar_of, untar
from races import exchanging

from dockerlab.engine.common.container_record import ContainerRecord
from dockerlab.engine.containers import copy_files
from dockerlab.engine.faults import Fault, NotFound
from dockerlab.engine.storage import changes, layer_diff, rootfs, tar_writer

ROUNDS = 100


@pytest.fixture
def record(tmp_path: Path, outside: Path) -> ContainerRecord:
    """Return a container with the directory `way` and the link `other`, which leads outside."""
    document = {"Id": "0" * 64, "HostConfig": {"ReadonlyRootfs": False}, "MountPoints": []}
    record = ContainerRecord(tmp_path / "container", document)
    (record.root / "way/inner").mkdir(parents=True)
    (record.root / "way/inner/file").write_text("own")
    (record.root / "other").symlink_to(outside)
    (record.root / "tmp").mkdir()
    return record


def archive(record: ContainerRecord, path: str) -> dict[str, bytes]:
    return untar(b"".join(copy_files.pack(record, path, "name")))


def put(record: ContainerRecord, path: str, data: bytes, no_overwrite: bool = False) -> None:
    copy_files.extract(record, path, "name", io.BytesIO(data), no_overwrite)


def stat_of(record: ContainerRecord, path: str) -> dict[str, object]:
    return dict(json.loads(base64.b64decode(copy_files.path_stat(record, path, "name"))))


def test_nothing_outside_is_read_in_a_race(record: ContainerRecord) -> None:
    seen = set()
    with exchanging(record.root / "way", record.root / "other"):
        for _ in range(ROUNDS):
            for path in ("/way/inner/file", "/other/inner/file", "/way/.", "/way/inner"):
                try:
                    seen |= set(archive(record, path).values())
                    stat_of(record, path)
                except NotFound:
                    continue
    assert seen == {b"own"}


def test_nothing_outside_is_written_in_a_race(record: ContainerRecord, outside: Path) -> None:
    written = 0
    with exchanging(record.root / "way", record.root / "other"):
        for number in range(ROUNDS):
            for no_overwrite in (True, False):
                try:
                    put(record, "/way", tar_of((f"inner/new-{number}", b"x"), ("inner/file", b"y")), no_overwrite)
                    put(record, "/", tar_of((f"way/inner/new-{number}", b"x")), no_overwrite)
                    written += 1
                except Fault:
                    continue
    assert written
    assert [path.name for path in (outside / "inner").iterdir()] == ["file"]
    assert (outside / "inner/file").read_text() == "secret"


def test_nothing_outside_is_listed_in_a_race(record: ContainerRecord, outside: Path, tmp_path: Path) -> None:
    (outside / "inner/large").write_bytes(bytes(1 << 20))
    image = tmp_path / "image"
    image.mkdir()
    with exchanging(record.root / "way", record.root / "other"):
        for _ in range(ROUNDS):
            assert rootfs.sizes(image, record.root)[1] < 1 << 20
            assert "large" not in " ".join(change.path for change in changes.changes(image, record.root))
            for blocks in (tar_writer.export(record.root), layer_diff.layer_of_changes(image, record.root)):
                assert b"secret" not in b"".join(blocks)


def test_a_tree_is_removed_in_a_race(record: ContainerRecord, outside: Path, tmp_path: Path) -> None:
    decoy = tmp_path / "decoy"
    for number in range(20):
        (record.root / "tmp" / f"d{number}" / "inner").mkdir(parents=True)
        (record.root / "tmp" / f"d{number}" / "inner/file").write_text("own")
    decoy.symlink_to(outside)
    # The program may prevent it; then the next start of the engine removes the rest.
    with exchanging(record.root / "tmp/d10", decoy), contextlib.suppress(OSError):
        rootfs.remove(record.root / "tmp")
    assert (outside / "inner/file").read_text() == "secret"


def test_read_only_mounts_are_judged_by_where_a_path_leads(record: ContainerRecord, tmp_path: Path) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (record.root / name).mkdir()
    record.document["MountPoints"] = [
        {"Type": "bind", "Source": str(tmp_path / "closed"), "Destination": "/closed", "RW": False},
        {"Type": "bind", "Source": str(tmp_path / "open"), "Destination": "/closed/open", "RW": True},
    ]
    (tmp_path / "closed/open").mkdir()
    (record.root / "way/link").symlink_to("/closed")
    for path in ("/closed", "/way/link", "/way/../closed", "/way/link/."):
        with pytest.raises(Fault, match="mounted volume is marked read-only"):
            put(record, path, tar_of(("new", b"x")))
    for name in ("closed/new", "way/link/new", "closed/open/../new"):
        with pytest.raises(Fault, match="read-only file system"):
            put(record, "/", tar_of((name, b"x")))
    put(record, "/", tar_of(("closed/open/below", b"y")))
    assert (tmp_path / "open/below").read_text() == "y"
    assert [path.name for path in (tmp_path / "closed").iterdir()] == ["open"]
    put(record, "/way/link/open", tar_of(("new", b"x")))
    assert (tmp_path / "open/new").read_text() == "x"
    assert archive(record, "/closed/open/new") == {"new": b"x"}


def test_a_read_only_root_is_not_written_through_a_volume(record: ContainerRecord, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    record.document["HostConfig"]["ReadonlyRootfs"] = True
    record.document["MountPoints"] = [
        {"Type": "volume", "Source": str(tmp_path / "volume"), "Destination": "/tmp", "RW": True},
    ]
    put(record, "/tmp", tar_of(("new", b"x")))
    assert (tmp_path / "volume/new").read_text() == "x"
    (tmp_path / "volume/up").symlink_to("/way")
    put(record, "/tmp", tar_of(("up/new", b"x")))  # a link does not lead out of the directory
    assert (tmp_path / "volume/way/new").read_text() == "x"
    with pytest.raises(Fault, match="container rootfs is marked read-only"):
        put(record, "/way", tar_of(("new", b"x")))


@pytest.mark.parametrize("path", ["/missing", "/way/inner/file/x", "/way/inner/file/", "/nul\0", "/\ud800", "/other/x"])
def test_what_does_not_exist_is_not_found(record: ContainerRecord, path: str) -> None:
    for call in (archive, stat_of):
        with pytest.raises(NotFound, match="Could not find the file"):
            call(record, path)


def test_circles_and_long_paths_are_faults(record: ContainerRecord) -> None:
    (record.root / "round").symlink_to("round")
    with pytest.raises(Fault, match="too many levels of symbolic links"):
        archive(record, "/round/x")
    assert stat_of(record, "/round")["linkTarget"] == ""
    with pytest.raises(Fault, match="file name too long"):
        archive(record, "/" + "n" * 300)


def test_links_do_not_lead_out_of_the_directory(record: ContainerRecord) -> None:
    put(record, "/tmp", tar_of(link("absolute", "/way"), link("relative", "../way"), ("absolute/a", b"1")))
    put(record, "/tmp", tar_of(("relative/b", b"2")))
    assert sorted(path.name for path in (record.root / "tmp/way").iterdir()) == ["a", "b"]
    assert sorted(path.name for path in (record.root / "way").iterdir()) == ["inner"]


def test_types_are_compared_within_the_tree(record: ContainerRecord) -> None:
    put(record, "/", tar_of(("other/inner/file/x", b"x")), no_overwrite=True)
    with pytest.raises(Fault, match='cannot overwrite directory "inner" with non-directory'):
        put(record, "/", tar_of(("way/inner", b"x")), no_overwrite=True)
    assert (record.root / "other").readlink() == record.root.parent.parent / "outside"
