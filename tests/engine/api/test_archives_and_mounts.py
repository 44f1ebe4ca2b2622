"""Archives for a container with mounts, which are other file systems for it. Docker 28.5 sends the same messages."""

from __future__ import annotations

import os
import stat
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archives import Member, directory, link, tar_of
from plain_http import ask, send_raw


class Mounted:
    """A container with two volumes, a directory and a file of the host."""

    def __init__(self, host: str, labels: dict[str, str], bound: Path) -> None:
        self.host, self.bound = host, bound
        self.volumes = [f"v-{uuid.uuid4().hex[:10]}" for _ in range(2)]
        binds = [f"{self.volumes[0]}:/va", f"{self.volumes[1]}:/va/deep/vb", f"{bound}:/bound"]
        binds += [f"{bound}/file:/one", f"{bound}:/read:ro"]
        document = {"Image": "busybox", "Cmd": ["true"], "Labels": labels, "HostConfig": {"Binds": binds}}
        status, container = ask(host, "POST", "/containers/create", document)
        assert status == 201, container
        self.id = str(container["Id"])

    def put(self, *members: Member) -> str:
        """Copy an archive to the container's root; return the error."""
        status, data, _ = send_raw(self.host, "PUT", f"/containers/{self.id}/archive?path=/", tar_of(*members))
        return "" if status == 200 else data.decode()

    def remove(self) -> None:
        assert ask(self.host, "DELETE", f"/containers/{self.id}?force=1")[0] == 204
        for volume in self.volumes:
            assert ask(self.host, "DELETE", f"/volumes/{volume}")[0] == 204


@pytest.fixture
def mounted(practice_host: str, labels: dict[str, str], tmp_path: Path) -> Iterator[Mounted]:
    """Give a container with mounts, which is removed afterwards."""
    (tmp_path / "file").write_text("of the host\n")
    container = Mounted(practice_host, labels, tmp_path)
    yield container
    container.remove()


def hard_link(name: str, target: str) -> Member:
    return link(name, target, tarfile.LNKTYPE)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "va/b"),
        ("va/a", "b"),
        ("va/a", "va/deep/vb/b"),
        ("va/deep/vb/a", "va/deep/b"),
        ("bound/file", "b"),
        ("one", "b"),
        ("a", "bound/b"),
        ("a", "to-va/b"),
    ],
)
def test_no_hard_link_leads_from_one_mount_to_another(mounted: Mounted, first: str, second: str) -> None:
    first_member: list[Member] = [] if first in ("one", "bound/file") else [(first, b"x")]
    error = mounted.put(directory("va/deep"), link("to-va", "va"), *first_member, hard_link(second, first))
    assert f'"linkat {first} {second}: invalid cross-device link"' in error
    assert (mounted.bound / "file").stat().st_nlink == 1


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("va/a", "va/deep/b"), ("bound/a", "bound/b")])
def test_hard_links_within_one_mount(mounted: Mounted, first: str, second: str) -> None:
    assert mounted.put(directory("va/deep"), (first, b"x"), hard_link(second, first)) == ""


@pytest.mark.parametrize("name", ["va", "va/deep/vb", "bound", "one", "read", "to-va/deep/vb"])
def test_nothing_takes_the_place_of_a_mount(mounted: Mounted, name: str) -> None:
    members: list[Any] = [(name, b"x"), link(name, "etc"), *([directory(name)] if name == "one" else [])]
    for member in members:
        error = mounted.put(link("to-va", "va"), member)
        assert f'"RemoveAll {name}: device or resource busy"' in error
    assert (mounted.bound / "file").read_text() == "of the host\n"


def test_a_directory_sets_the_mode_of_a_mount_that_is_writable(mounted: Mounted) -> None:
    member = tarfile.TarInfo("bound")
    member.type, member.mode = tarfile.DIRTYPE, 0o751
    member.uid, member.gid = os.getuid(), os.getgid()
    assert mounted.put(member) == ""
    assert stat.S_IMODE(mounted.bound.stat().st_mode) == 0o751
    member.name, member.mode = "read", 0o700
    assert "read-only file system" in mounted.put(member)
    assert stat.S_IMODE(mounted.bound.stat().st_mode) == 0o751
