"""COPY and ADD read within the context and look up their target within the image, whatever both contain."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from archives import link, tar_of, untar

from dockerlab.engine.build.context import Context
from dockerlab.engine.build.copy import Copy, CopyFault
from dockerlab.engine.faults import Fault


@pytest.fixture
def context(tmp_path: Path, outside: Path) -> Path:
    """Return a context with links, some of which lead outside."""
    context = tmp_path / "context"
    (context / "dir/deep").mkdir(parents=True)
    (context / "dir/deep/file").write_text("own")
    (context / "dir/link").symlink_to("../../outside/file")
    (context / "inner").symlink_to("dir/deep")
    (context / "out").symlink_to("../outside")
    (context / "absolute").symlink_to(outside)
    return context


@pytest.fixture
def image(tmp_path: Path, outside: Path) -> Path:
    image = tmp_path / "image"
    (image / "real").mkdir(parents=True)
    (image / "way").symlink_to("/real")
    (image / "out").symlink_to(outside)
    return image


def layer(context: Path, image: Path, source: str, target: str, keyword: str = "COPY") -> bytes:
    copy = Copy(keyword, str(context), target, str(image))
    copy.find_sources([source], {})
    assert copy.digest() == copy.digest()
    return b"".join(copy.layer())


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def test_sources_are_found_through_links_of_the_context(context: Path, image: Path) -> None:
    assert untar(layer(context, image, "inner/file", "/x")) == {"x": b"own"}
    assert untar(layer(context, image, "inner", "/x")) == {"x/file": b"own"}
    assert untar(layer(context, image, "in*/f*", "/x")) == {"x": b"own"}
    data = layer(context, image, "dir", "/")
    assert b"secret" not in data
    assert names(data) == ["deep", "deep/file", "link"]


@pytest.mark.parametrize("source", ["out", "out/file", "absolute/file", "dir/link", "out/*", "missing"])
def test_sources_outside_are_not_found(context: Path, image: Path, source: str) -> None:
    with pytest.raises(CopyFault, match=r"file not found in build context|no source files"):
        layer(context, image, source, "/x")


def test_a_target_is_found_through_links_of_the_image(context: Path, image: Path) -> None:
    assert names(layer(context, image, "dir/deep/file", "/way/")) == ["real/file"]
    assert names(layer(context, image, "dir/deep/file", "/way/new")) == ["real/new"]
    # A directory outside of the image does not count as one of the image, so the layer creates it.
    outside = str(context.parent / "outside").strip("/")
    assert names(layer(context, image, "dir/deep/file", "/out/file"))[-2:] == [outside, f"{outside}/file"]


def test_an_archive_in_a_layer_keeps_its_content(context: Path, image: Path) -> None:
    (context / "archive.tar").write_bytes(tar_of(("a/b", b"content"), ("../up", b"x")))
    assert untar(layer(context, image, "archive.tar", "/d/", "ADD")) == {"d/a/b": b"content", "d/up": b"x"}
    (context / "archive.tar").write_bytes(tar_of(("a/b", b"content" * 1000))[:2000])
    with pytest.raises(CopyFault, match="ADD failed: unexpected EOF"):
        layer(context, image, "archive.tar", "/d/", "ADD")


def test_a_digest_depends_on_the_content(context: Path, image: Path) -> None:
    digests = set()
    for content in (b"own", b"other", b"own" + bytes(1 << 20), b"own" + bytes(2 << 20), bytes(1 << 20) + b"own"):
        (context / "dir/deep/file").write_bytes(content)
        copy = Copy("COPY", str(context), "/x", str(image))
        copy.find_sources(["inner"], {})
        digests.add(copy.digest())
    assert len(digests) == 5


def test_a_sparse_file_needs_space(context: Path, image: Path) -> None:
    with (context / "sparse").open("wb") as file:
        file.truncate(8 << 40)
    with pytest.raises(CopyFault, match="COPY failed: no space left on device"):
        layer(context, image, "sparse", "/x")


@pytest.mark.parametrize("kind", ["link", "pipe", "directory", "missing"])
def test_a_dockerfile_is_a_regular_file_of_the_context(tmp_path: Path, kind: str) -> None:
    (tmp_path / "outside").write_text("FROM secret")
    members = {
        "link": [link("Dockerfile", "../outside"), link(".dockerignore", "../outside")],
        "pipe": [link("Dockerfile", "", tarfile.FIFOTYPE), link(".dockerignore", "", tarfile.FIFOTYPE)],
        "directory": [link("Dockerfile", "", tarfile.DIRTYPE), link(".dockerignore", "", tarfile.DIRTYPE)],
        "missing": [],
    }
    context = Context(tmp_path)
    context.unpack(io.BytesIO(tar_of(*members[kind])))
    try:
        assert context.ignore_rules.rules == []
        with pytest.raises(Fault, match="Cannot locate specified Dockerfile: Dockerfile"):
            context.read_dockerfile("Dockerfile")
    finally:
        context.close()
    assert (tmp_path / "outside").read_text() == "FROM secret"


def test_a_dockerfile_may_be_linked_within_the_context(tmp_path: Path) -> None:
    files: list[tarfile.TarInfo | tuple[str, bytes]] = [
        ("a/real", b"FROM own"),
        link("Dockerfile", "/a/real"),
        link(".dockerignore", "a/rules"),
        ("a/rules", b"x"),
    ]
    context = Context(tmp_path)
    context.unpack(io.BytesIO(tar_of(*files)))
    try:
        assert context.read_dockerfile("Dockerfile") == "FROM own"
        assert context.ignore_rules.excludes("x")
    finally:
        context.close()
