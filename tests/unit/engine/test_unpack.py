"""Archives are unpacked within their tree, whatever they contain."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archives import link, tar_of

from dockerlab.engine.common.tree import OpenTree
from dockerlab.engine.storage import rootfs, unpack
from dockerlab.engine.storage.compression import decompressed
from dockerlab.engine.storage.unpack import LayerFault


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "root"
    root.mkdir()
    yield root
    rootfs.remove(root)  # it may be too deep for pytest, which removes directories by recursion


def extract(root: Path, data: bytes) -> None:
    with OpenTree(root) as tree:
        unpack.extract(decompressed(io.BytesIO(data)), tree)


def special(name: str, kind: bytes, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for field, value in fields.items():
        setattr(member, field, value)
    return member


@pytest.mark.parametrize("target", ["../outside", "../../outside", "{outside}"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
def test_nothing_outside_is_reached(root: Path, outside: Path, target: str, kind: bytes) -> None:
    target = target.format(outside=outside)
    try:
        extract(root, tar_of(link("way", target, kind), ("way/new", b"x"), ("way/file", b"x")))
        extract(root, tar_of(link("file", f"{target}/file", kind), ("file", b"x")))
    except LayerFault:
        pass
    assert sorted(path.name for path in outside.iterdir()) == ["file", "inner"]
    assert (outside / "file").read_text() == "secret"
    assert (outside / "file").stat().st_nlink == 1


@pytest.mark.parametrize("name", ["../escaped", "a/../../escaped", "/../escaped"])
def test_dots_are_refused(root: Path, name: str) -> None:
    with pytest.raises(LayerFault, match="outside of the root"):
        extract(root, tar_of((name, b"x")))


def test_deep_directories_take_no_longer_than_flat_ones(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    walk = OpenTree._walk

    def counting_walk(self: OpenTree, path: str, *arguments: Any, **options: Any) -> tuple[int, list[str]]:
        nonlocal steps
        steps += path.count("/") + 1
        return walk(self, path, *arguments, **options)

    monkeypatch.setattr(OpenTree, "_walk", counting_walk)
    members = [special("/".join(["d"] * depth), tarfile.DIRTYPE, mode=0o755, mtime=depth) for depth in range(1, 2000)]
    extract(root, tar_of(*members))
    assert steps < 10_000
    assert (root / "d/d/d").stat().st_mtime == 3


def test_a_directory_that_becomes_a_link_is_looked_up_again(root: Path) -> None:
    (root / "other").mkdir()
    extract(root, tar_of(("way/first", b"1"), link("way", "/other"), ("way/second", b"2")))
    assert (root / "way").readlink() == Path("/other")
    assert (root / "other/second").read_text() == "2"


def test_links_of_the_tree_are_followed_from_its_top(root: Path) -> None:
    (root / "tmp").mkdir()
    extract(root, tar_of(link("tmp/way", "/etc"), ("tmp/way/new", b"x")))
    assert (root / "etc/new").read_text() == "x"


def test_whiteouts_delete_what_was_there_before(root: Path) -> None:
    for name in ("gone/inner", "emptied/old"):
        (root / name).mkdir(parents=True)
    (root / "emptied/file").write_text("old")
    layer = tar_of((".wh.gone", b""), ("emptied/new", b"x"), ("emptied/.wh..wh..opq", b""), ("emptied/last", b"y"))
    unpack.apply_layer(io.BytesIO(layer), root)
    assert not (root / "gone").exists()
    assert sorted(path.name for path in (root / "emptied").iterdir()) == ["last", "new"]
    with pytest.raises(LayerFault, match="invalid whiteout"):
        unpack.apply_layer(io.BytesIO(tar_of((".wh...", b""))), root)


def test_a_whiteout_does_not_follow_links(root: Path, outside: Path) -> None:
    (root / "way").symlink_to("../outside")
    unpack.apply_layer(io.BytesIO(tar_of(("way/.wh.file", b""), ("way/.wh..wh..opq", b""))), root)
    assert (outside / "file").read_text() == "secret"


def test_modes_times_and_hard_links_are_kept(root: Path) -> None:
    data = tar_of(
        special("d", tarfile.DIRTYPE, mode=0o1711, mtime=1000),
        special("d/program", tarfile.REGTYPE, mode=0o6755, mtime=2000),
        special("d/pipe", tarfile.FIFOTYPE, mode=0o640, mtime=3000),
        link("d/link", "program"),
        link("hard", "d/program", tarfile.LNKTYPE),
        link("hard link to a link", "d/link", tarfile.LNKTYPE),
    )
    extract(root, data)
    program = (root / "d/program").stat()
    assert (stat.S_IMODE(program.st_mode), program.st_mtime) == (0o6755, 2000)
    assert (stat.S_IMODE((root / "d").stat().st_mode), (root / "d").stat().st_mtime) == (0o1711, 1000)
    assert stat.S_IMODE((root / "d/pipe").stat().st_mode) == 0o640
    assert (root / "hard").samefile(root / "d/program")
    assert (root / "hard link to a link").readlink() == Path("program")


def test_a_shared_file_is_replaced(root: Path) -> None:
    (root / "a").write_text("shared")
    (root / "b").hardlink_to(root / "a")
    extract(root, tar_of(("b", b"new")))
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("shared", "new")


@pytest.mark.parametrize("name", ["d/" * 2100 + "x", "n" * 256])
def test_long_names_are_refused(root: Path, name: str) -> None:
    with pytest.raises(LayerFault, match="file name too long"):
        extract(root, tar_of((name, b"x")))


def test_blocks_of_zeros_become_holes(root: Path) -> None:
    size = 64 << 20
    extract(root, gzip.compress(tar_of(("zeros", bytes(size)), ("ends", bytes(1 << 20) + b"x" + bytes(100_000)))))
    zeros, ends = (root / "zeros").stat(), (root / "ends").stat()
    assert (zeros.st_size, ends.st_size) == (size, (1 << 20) + 100_001)
    assert zeros.st_blocks * 512 < 1 << 20
    assert (root / "ends").read_bytes() == bytes(1 << 20) + b"x" + bytes(100_000)


def sparse(size: int, areas: list[tuple[int, int]], content: bytes) -> bytes:
    """Return a tar with a sparse file in GNU's old format."""
    member = tarfile.TarInfo("sparse")
    member.type, member.size = tarfile.GNUTYPE_SPARSE, len(content)
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    for number, area in enumerate(areas):
        for place, value in enumerate(area):
            start = 386 + 24 * number + 12 * place
            header[start : start + 12] = tarfile.itn(value, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    header[483:495] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header) + content + bytes(-len(content) % 512) + bytes(1024)


def test_sparse_files_stay_sparse(root: Path) -> None:
    size = 1 << 40
    extract(root, sparse(size, [(5, 3), (size - 10, 4)], b"abcdefg"))
    info = (root / "sparse").stat()
    assert info.st_size == size
    assert info.st_blocks * 512 < 1 << 20
    with (root / "sparse").open("rb") as file:
        assert file.read(10) == b"\0\0\0\0\0abc\0\0"
        file.seek(size - 12)
        assert file.read() == b"\0\0defg\0\0\0\0\0\0"


@pytest.mark.parametrize("areas", [[(5, 3), (2, 4)], [(0, 100)], [(90, 4), (99, 3)], [(-5, 7)]])
def test_an_invalid_map_of_a_sparse_file_is_refused(root: Path, areas: list[tuple[int, int]]) -> None:
    with pytest.raises(LayerFault, match="sparse"):
        extract(root, sparse(50, areas, b"abcdefg"))


def test_headers_that_repeat_for_ever_are_refused(root: Path) -> None:
    with pytest.raises(LayerFault, match="size in a header"):
        extract(root, negative() + tar_of(("a", b"x")))
    extended = tarfile.TarInfo("././@LongLink")
    extended.type = tarfile.GNUTYPE_LONGNAME
    with pytest.raises(LayerFault, match="too many extended headers"):
        extract(root, extended.tobuf(tarfile.GNU_FORMAT) * 5000 + tar_of(("a", b"x")))


def negative() -> bytes:
    """Return a member of a negative size, which would lead back to its own beginning."""
    member = tarfile.TarInfo("negative")
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = tarfile.itn(-512, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header)


def test_a_damaged_archive_is_a_fault(root: Path) -> None:
    data = gzip.compress(tar_of(("a", os.urandom(1000))))
    for damaged in (data[:30], data[:200], data[:30] + b"damaged" + data[37:]):
        with pytest.raises(LayerFault, match="compressed data is damaged"):
            extract(root, damaged)


def test_capabilities_survive(root: Path) -> None:
    member = tarfile.TarInfo("program")
    member.pax_headers = {"SCHILY.xattr.user.note": "kept"}
    extract(root, member.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
    try:
        os.setxattr(root, "user.note", b"probe")
    except OSError:
        assert os.listxattr(root / "program") == []  # this file system has no extended attributes
    else:
        assert os.getxattr(root / "program", "user.note") == b"kept"


def test_a_header_of_many_digits_is_refused(root: Path) -> None:
    digits = b"1" * (1 << 20)
    header = special("header", tarfile.XHDTYPE, size=len(digits)).tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(LayerFault, match="a header has a number that is too long"):
        extract(root, header + digits + tar_of(("file", b"x")))
    extract(root, tar_of(("file", b"1" * (1 << 20))))
    assert (root / "file").stat().st_size == 1 << 20


def test_whiteouts_of_one_directory_cost_no_more_than_the_first(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d/old").touch()
    files = [(f"d/{number}", b"") for number in range(6000)]
    unpack.apply_layer(io.BytesIO(tar_of(*files, *[("d/.wh..wh..opq", b"")] * 6000)), root)
    assert len(list((root / "d").iterdir())) == 6000
    assert not (root / "d/old").exists()


def test_streams_of_xz_are_read_at_any_place() -> None:
    content = bytes(range(256)) * 20_000
    file = decompressed(io.BytesIO(lzma.compress(content[:1_000_000]) + b"\0" * 8 + lzma.compress(content[1_000_000:])))
    assert file.read(7) == content[:7]
    for place in (999_990, 5, 4_000_000, 0):
        file.seek(place)
        assert file.read(20) == content[place : place + 20]
    file.seek(0)
    assert file.read() == content


def test_a_file_in_the_format_of_xz_can_t_demand_any_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}]
    file = decompressed(io.BytesIO(lzma.compress(b"x", filters=filters)))
    with pytest.raises(OSError, match="the compressed data is damaged"):
        file.read()
