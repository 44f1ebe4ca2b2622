"""Archives: the members of an uploaded tar lead to the host."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable

import pytest
from archives import Member, device, directory, link, tar_of
from attack_target import Target
from attacks import ISOLATED, attack

HARD = tarfile.LNKTYPE


# -- the doors through which a tar comes in ------------------------------------------------------------------


def put(target: Target, tar: bytes) -> str:
    """Copy a tar into a new container."""
    container = target.create("true")
    target.send("PUT", f"/containers/{container}/archive?path=/", tar)
    return container


def put_into_volume(target: Target, tar: bytes) -> str:
    """Copy a tar into a volume of a new container."""
    container = target.create("true", HostConfig={"Binds": [f"{target.volume()}:/data"]})
    target.send("PUT", f"/containers/{container}/archive?path=/data", tar)
    return container


def import_image(target: Target, tar: bytes) -> str:
    """Import a tar as an image."""
    image = target.import_image(archive=tar, may_fail=True)
    return target.create("true", image=image) if image else ""


def add(target: Target, tar: bytes) -> str:
    """Let a Dockerfile add a tar, which is unpacked."""
    name, response = target.build("FROM busybox\nADD a.tar /", ("a.tar", tar))
    return "" if response.error else target.create("true", image=name)


def load(target: Target, tar: bytes) -> str:
    """Load an image of which the tar is the only layer."""
    digest = hashlib.sha256(tar).hexdigest()
    name = f"{target.label}-loaded"
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]},
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": [f"{name}:latest"], "Layers": ["layer.tar"]}]
    members = [("config.json", config), ("manifest.json", manifest)]
    documents: list[Member] = [(path, json.dumps(document).encode()) for path, document in members]
    response = target.load(*documents, ("layer.tar", tar))
    return "" if response.error else target.create("true", image=name)


def context(target: Target, tar: bytes) -> str:
    """Send a tar as the context of a build, of which everything is copied."""
    dockerfile = tar_of(("Dockerfile", b"FROM busybox\nCOPY . /\n"))
    name = target.name_image()
    response = target.send("POST", f"/build?t={name}", dockerfile[: dockerfile.index(b"\0" * 1024)] + tar, seconds=60)
    return "" if response.error else target.create("true", image=name)


DOORS = {
    "put": put, "put into a volume": put_into_volume, "import": import_image, "add": add, "load": load,
    "context": context,
}  # fmt: skip


@pytest.fixture(params=DOORS, ids=[name.replace(" ", "-") for name in DOORS])
def unpack(request: pytest.FixtureRequest) -> Callable[..., str]:
    """Give a function that sends a tar through a door, and reads what has arrived in every way."""

    def send(target: Target, *members: Member, tar: bytes = b"", paths: tuple[str, ...] = ()) -> str:
        container = DOORS[request.param](target, tar or tar_of(*members))
        if container:
            in_volume = request.param == "put into a volume"
            target.read_everywhere(container, *([f"/data{path}" for path in ("/.", *paths)] if in_volume else paths))
        return container

    return send


Unpack = Callable[..., str]


# -- names ---------------------------------------------------------------------------------------------------


@attack()
def test_names_with_dots(target: Target, unpack: Unpack) -> None:
    """A member's name goes up to the host's root with `..`."""
    for start in ("", "/", "tmp/", "/tmp/./"):
        unpack(target, (f"{start}{'../' * 24}{target.canary}/empty/new", b"x"))
        unpack(target, (f"{start}{'../' * 24}{target.canary}/victim", b"x"))


@attack()
def test_absolute_names(target: Target, unpack: Unpack) -> None:
    """A member's name is the absolute path of a file of the host, with one slash or more."""
    members = [(f"{slashes}{target.canary}/empty/new", b"x") for slashes in ("", "/", "//", "./", "/./")]
    unpack(target, *members, (f"{target.canary}/victim", b"x"))


@attack()
def test_extended_header_has_the_real_name(target: Target, unpack: Unpack) -> None:
    """The extended header of a harmless member has another name: a path to the host."""
    for name in (f"{'../' * 24}{target.canary}/empty/new", f"{target.canary}/empty/new"):
        member = tarfile.TarInfo("harmless")
        member.pax_headers = {"path": name}
        unpack(target, member)


@attack()
def test_extended_header_has_the_real_target(target: Target, unpack: Unpack) -> None:
    """The extended header of a harmless link has another target: a file of the host."""
    soft, hard = link("soft", "harmless"), link("hard", "harmless", HARD)
    soft.pax_headers, hard.pax_headers = (
        {"linkpath": f"{target.canary}/directory"},
        {"linkpath": f"{target.canary}/secret"},
    )
    unpack(target, ("harmless", b"x"), soft, ("soft/new", b"x"), ("soft/inner", b"x"))
    unpack(target, ("harmless", b"x"), hard, paths=("/hard",))


@attack()
def test_long_names_of_gnu_tar(target: Target, unpack: Unpack) -> None:
    """A name and a link's target are so long that GNU tar writes them as members of their own."""
    long = f"{'a/../' * 30}{'../' * 24}"
    members = [(f"{long}{target.canary}/empty/new", b"x"), link("link", f"{'./' * 80}{long}{target.canary}/directory")]
    unpack(target, tar=tar_of(*members, ("link/new", b"x"), form=tarfile.GNU_FORMAT), paths=("/link", "/link/inner"))


# -- links ---------------------------------------------------------------------------------------------------


@attack()
def test_file_below_a_link(target: Target, unpack: Unpack) -> None:
    """A member is a link to the host, and the next ones are below it."""
    for to in (f"{target.canary}/directory", f"{'../' * 24}{target.canary}/directory"):
        unpack(target, link("link", to), ("link/new", b"x"), ("link/inner", b"x"), directory("link/deep"))


@attack()
def test_file_below_links_of_links(target: Target, unpack: Unpack) -> None:
    """Links that are harmless one by one lead to the host together."""
    up = [link("a", "."), link("a/b", ".."), link("a/b/c", "../.."), link("up", "a/b/../../../../../../../..")]
    unpack(target, *up, (f"up{target.canary}/empty/new", b"x"), (f"a/b/c/..{target.canary}/empty/new", b"x"))


@attack()
def test_directory_becomes_a_link(target: Target, unpack: Unpack) -> None:
    """A member is a directory, a later one of the same name is a link to the host, and the next ones are below it."""
    to = f"{target.canary}/directory"
    unpack(target, directory("d"), ("d/first", b"x"), link("d", to), ("d/new", b"x"), ("d/inner", b"x"), directory("d"))


@attack()
def test_file_takes_the_place_of_a_link(target: Target, unpack: Unpack) -> None:
    """A member is a link to a file of the host, and the next one has the same name and other content."""
    unpack(target, link("f", f"{target.canary}/victim"), ("f", b"overwritten"))
    unpack(target, link("f", f"{target.canary}/empty/new"), ("f", b"created"))


@attack()
def test_metadata_of_a_link(target: Target, unpack: Unpack) -> None:
    """Members with another mode, owner and time are links to the host, or directories in place of such links."""
    for to in ("victim", "directory", "program"):
        soft, folder = link("link", f"{target.canary}/{to}"), directory("link", 0o7777)
        for member in (soft, folder):
            member.mode, member.uid, member.gid, member.mtime = 0o7777, 12345, 12345, 1_000_000_000
        unpack(target, soft)
        unpack(target, soft, folder)


@attack()
def test_attributes_of_a_link(target: Target, unpack: Unpack) -> None:
    """A link to a file of the host has extended attributes in its header."""
    soft = link("link", f"{target.canary}/victim")
    soft.pax_headers = {"SCHILY.xattr.user.attack": "x", "LIBARCHIVE.xattr.user.attack": "eA=="}
    unpack(target, soft)


@attack()
def test_hard_link_to_a_file_of_the_host(target: Target, unpack: Unpack) -> None:
    """A member is a hard link to a file of the host, by an absolute path or with `..`."""
    for to in (
        f"{target.canary}/secret",
        f"{'../' * 24}{target.canary}/secret",
        f"tmp/{'../' * 24}{target.canary}/secret",
    ):
        unpack(target, link("hard", to, HARD), paths=("/hard",))


@attack()
def test_hard_link_through_a_link(target: Target, unpack: Unpack) -> None:
    """A member is a hard link to a file below a link to the host."""
    to = link("link", f"{target.canary}/directory")
    unpack(target, to, link("hard", "link/secret", HARD), link("other", "/link/inner", HARD), paths=("/hard", "/other"))


@attack()
def test_hard_link_to_a_link(target: Target, unpack: Unpack) -> None:
    """A member is a hard link to a link to a file of the host, and the next one writes to it."""
    to = link("link", f"{target.canary}/victim")
    unpack(target, to, link("hard", "link", HARD), ("hard", b"overwritten"), ("link", b"overwritten"), paths=("/hard",))


@attack()
def test_write_to_a_hard_link(target: Target, unpack: Unpack) -> None:
    """A member is a hard link to a file of the host, and the next one of the same name has content."""
    for to in (f"{target.canary}/victim", f"{'../' * 24}{target.canary}/victim"):
        unpack(target, link("hard", to, HARD), ("hard", b"overwritten"))


@attack()
def test_hard_link_to_the_directory_above(target: Target, unpack: Unpack) -> None:
    """Members are hard links to `..`, `.` and `/`, and others are below them."""
    for to in ("..", ".", "/", "../.."):
        unpack(target, link("hard", to, HARD), ("hard/new", b"x"))


# -- whiteouts, which remove files of lower layers -----------------------------------------------------------


@attack()
def test_whiteout_of_the_directory_above(target: Target, unpack: Unpack) -> None:
    """Whiteouts name `..` and `.`, which would remove what is above the root directory."""
    for name in (".wh...", ".wh..", "tmp/.wh...", "../.wh.", ".wh.", "tmp/.wh..", ".wh..wh..."):
        unpack(target, (name, b""))


@attack()
def test_whiteout_of_a_file_of_the_host(target: Target, unpack: Unpack) -> None:
    """Whiteouts are below a link to the host, or reach it with `..`, and one is opaque."""
    to = link("link", f"{target.canary}/directory")
    unpack(target, to, ("link/.wh.inner", b""), ("link/.wh.inside", b""))
    unpack(target, to, ("link/.wh..wh..opq", b""))
    unpack(target, (f"{'../' * 24}{target.canary}/.wh.victim", b""), (f"{target.canary}/directory/.wh..wh..opq", b""))


@attack()
def test_whiteout_of_a_link(target: Target, unpack: Unpack) -> None:
    """A whiteout removes a link to a directory of the host, whose files must stay."""
    unpack(target, link("link", f"{target.canary}/directory"), (".wh.link", b""))


# -- kinds of members ----------------------------------------------------------------------------------------


@attack(ISOLATED)
def test_device_can_be_read(target: Target, unpack: Unpack) -> None:
    """A member is the device of the host's disk, which a program in the container then reads."""
    number = target.canary.path.stat().st_dev
    nodes = [device("disk", os.major(number), os.minor(number), tarfile.BLKTYPE), device("memory", 1, 1)]
    container = unpack(target, *nodes, device("messages", 1, 11))
    if not container:
        return
    image = target.name_image()
    target.ask("POST", f"/commit?container={container}&repo={image}", {})
    script = "for file in /disk /memory /messages /data/disk; do head -c 9 $file && echo OPEN; done"
    volumes = {"VolumesFrom": [container]}
    if "OPEN" in target.run("/bin/busybox", "sh", "-c", script, image="busybox", HostConfig=volumes):
        target.reached("a device was read in a volume")
    if "OPEN" in target.run("sh", "-c", script, image=image):
        target.reached("a device was read")


@attack(exception="Docker 20.10 and 28.5 write all zeros of a sparse file to the disk")
def test_sparse_file(target: Target) -> None:
    """A sparse file of an archive has 2 GB without a single block: its zeros must not fill the disk."""
    member = tarfile.TarInfo("sparse")
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2 << 30)}
    content = b"1\n0\n512\n".ljust(512, b"\0") + b"x" * 512
    member.size = len(content)
    header = member.tobuf(tarfile.PAX_FORMAT)
    before = shutil.disk_usage(target.canary.path).used
    container = target.create("true")
    target.send("PUT", f"/containers/{container}/archive?path=/", header + content + bytes(1024))
    if shutil.disk_usage(target.canary.path).used - before > 1 << 30:
        target.reached("a gigabyte was written")


def pipe(name: str) -> tarfile.TarInfo:
    """Return a member that is a pipe. Opening it blocks until another program opens the other end."""
    member = tarfile.TarInfo(name)
    member.type = tarfile.FIFOTYPE
    return member


@attack()
def test_pipe_in_place_of_a_file(target: Target, unpack: Unpack) -> None:
    """Pipes are where the engine writes files: it must not wait for another end."""
    members = map(pipe, ("etc/hosts", "etc/hostname", "etc/resolv.conf", "pipe"))
    if container := unpack(target, *members, paths=("/pipe", "/etc/hosts")):
        target.start(container)


@pytest.mark.parametrize("name", ["passwd", "group"])
@attack(exception="Docker 20.10 and 28.5 wait, and then can remove neither the container nor its image")
def test_pipe_in_place_of_the_users(target: Target, unpack: Unpack, name: str) -> None:
    """A pipe is where the engine reads the users or groups of an image: it must not wait for another end."""
    if container := unpack(target, pipe(f"etc/{name}"), paths=(f"/etc/{name}",)):
        target.start(container)


@attack()
def test_compressed_archives(target: Target) -> None:
    """A traversing archive is compressed twice, so that it is seen only after unpacking."""
    tar = tar_of((f"{'../' * 24}{target.canary}/empty/new", b"x"), link("l", str(target.canary)), ("l/empty/x", b"x"))
    for packed in (gzip.compress(tar), gzip.compress(gzip.compress(tar))):
        for door in DOORS.values():
            door(target, packed)
