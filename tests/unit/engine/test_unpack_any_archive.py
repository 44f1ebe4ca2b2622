"""Archives of random members, and archives with random damage, are unpacked within their tree or refused."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from archives import tar_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerlab.engine.common.tree import OpenTree
from dockerlab.engine.storage import rootfs, tar_writer, unpack
from dockerlab.engine.storage.compression import decompressed
from dockerlab.engine.storage.unpack import LayerFault

TYPES = (
    *(tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE),
    *(tarfile.BLKTYPE, tarfile.CONTTYPE, b"?"),
)
names = st.lists(st.sampled_from(["a", "b", "c", "..", ".", "", "outside", ".wh.a", ".wh..wh..opq", "é"]), max_size=5)
paths = names.map("/".join)


@st.composite
def members(draw: st.DrawFn) -> tarfile.TarInfo | tuple[str, bytes]:
    member = tarfile.TarInfo(draw(paths) or "a")
    member.type, member.linkname = draw(st.sampled_from(TYPES)), draw(paths)
    if member.type == tarfile.REGTYPE:
        return member.name, draw(st.binary(max_size=600))
    member.mode = draw(st.integers(0, 0o7777))
    member.uid, member.mtime = draw(st.integers(0, 2**31)), draw(st.integers(0, 2**40))
    return member


def unpack_beside_a_secret(data: bytes, has_whiteouts: bool) -> None:
    """Unpack an archive, and check that what is beside the tree stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        root, outside = Path(folder, "root"), Path(folder, "outside")
        (root / "c").mkdir(parents=True)
        (root / "b").symlink_to("../outside")
        outside.mkdir()
        (outside / "a").write_text("precious")
        try:
            if has_whiteouts:
                unpack.apply_layer(io.BytesIO(data), root)
            else:
                with OpenTree(root) as tree:
                    unpack.extract(decompressed(io.BytesIO(data)), tree)
        except LayerFault as fault:
            assert folder not in str(fault)
        assert [path.name for path in outside.iterdir()] == ["a"]
        assert ((outside / "a").read_text(), (outside / "a").stat().st_nlink) == ("precious", 1)
        assert sorted(path.name for path in Path(folder).iterdir()) == ["outside", "root"]
        assert b"".join(tar_writer.export(root)).endswith(tar_writer.END)
        rootfs.remove(root)
        assert not root.exists()


@settings(max_examples=150, deadline=None)
@given(st.lists(members(), max_size=8), st.booleans())
def test_any_members(entries: list[tarfile.TarInfo | tuple[str, bytes]], has_whiteouts: bool) -> None:
    unpack_beside_a_secret(tar_of(*entries), has_whiteouts)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(members(), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 511), st.binary(min_size=1, max_size=12)), max_size=4),
    st.integers(0, 5000),
)
def test_any_damage(
    entries: list[tarfile.TarInfo | tuple[str, bytes]], damage: list[tuple[int, bytes]], length: int
) -> None:
    data = bytearray(tar_of(*entries))
    for place, text in damage:
        data[place : place + len(text)] = text
    header = data[:512]
    header[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(header)  # a header with a wrong checksum would never be looked at
    unpack_beside_a_secret(bytes(data[:length] if length > 512 else data), has_whiteouts=False)
