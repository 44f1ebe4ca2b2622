"""Copies in and out of a container: what GET, PUT and HEAD /archive do. Paths are as the container sees them."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dockerlab.engine.common import timestamps
from dockerlab.engine.common.paths import inside
from dockerlab.engine.faults import BadParameter, Fault, NotFound
from dockerlab.engine.storage import tar_writer, unpack

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["decompressed", "pack", "path_stat", "unpack_into"]

#: The first bytes of each compression that Docker takes.
MAGIC = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
#: Go's bits of a mode: directory, link, named pipe, socket, device, character device, setuid, setgid, sticky.
DIRECTORY, LINK, DEVICE, PIPE, SOCKET = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24
SETUID, SETGID, CHARACTER, STICKY = 1 << 23, 1 << 22, 1 << 21, 1 << 20
KINDS = {
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: LINK,
    stat.S_IFBLK: DEVICE,
    stat.S_IFCHR: DEVICE | CHARACTER,
    stat.S_IFIFO: PIPE,
    stat.S_IFSOCK: SOCKET,
}
Record = dict[str, Any]


def _place(container: ContainerRecord, path: str, asked: str) -> str:
    """Find a path; a link at its end is meant itself, unless a slash follows. Raises BadParameter, NotFound."""
    if not path:
        raise BadParameter("bad parameter: pathcannot be empty")
    mounts = {point["Destination"]: point["Source"] for point in _mounted(container)}
    follow = path.endswith(("/", "/."))
    place = inside(str(container.root), path, follow, mounts)
    if not os.path.lexists(place) or (follow and not os.path.isdir(place)):  # noqa: PTH112
        raise NotFound(f"Could not find the file {path} in container {asked}")
    return place


def _mounted(container: ContainerRecord) -> list[Record]:
    return [point for point in container.mount_points if point["Type"] != "tmpfs"]


def path_stat(container: ContainerRecord, path: str, asked: str) -> str:
    """Give the header that tells of a path: JSON in base64."""
    place = _place(container, path, asked)
    info = os.lstat(place)
    target = ""
    if stat.S_ISLNK(info.st_mode):
        whole = inside(str(container.root), path)
        target = whole.removeprefix(str(container.root)) or "/"
    told = {
        "name": path.rstrip("/").rpartition("/")[2] or "/",
        "size": info.st_size,
        "mode": _go_mode(info.st_mode),
        "mtime": timestamps.written(info.st_mtime_ns),
        "linkTarget": target,
    }
    return base64.b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()


def _go_mode(mode: int) -> int:
    """Write a mode with Go's bits, of which only the permissions are the system's."""
    made = stat.S_IMODE(mode) & 0o777 | KINDS.get(stat.S_IFMT(mode), 0)
    for ours, theirs in ((stat.S_ISUID, SETUID), (stat.S_ISGID, SETGID), (stat.S_ISVTX, STICKY)):
        made |= theirs if mode & ours else 0
    return made


def pack(container: ContainerRecord, path: str, asked: str) -> Iterator[bytes]:
    """Give a path as a tar whose first member has the path's last name; `/.` at its end means the content."""
    place = _place(container, path, asked)
    name = path.rstrip("/").rpartition("/")[2] or "."
    if name == "." and path.rstrip("/").endswith("/."):
        name = "."
    return tar_writer.pack(place, name)


def unpack_into(container: ContainerRecord, path: str, asked: str, archive: IO[bytes], no_overwrite: bool) -> None:
    """Unpack a tar, compressed or not, into a directory. Raises BadParameter, NotFound, Fault."""
    place = inside(str(container.root), path, True, {p["Destination"]: p["Source"] for p in _mounted(container)})
    if not path:
        raise BadParameter("bad parameter: pathcannot be empty")
    if not os.path.lexists(place):
        raise NotFound(f"Could not find the file {path} in container {asked}")
    if not os.path.isdir(place):  # noqa: PTH112
        raise BadParameter("extraction point is not a directory")
    if container.host_config["ReadonlyRootfs"] or _read_only(container, path):
        raise Fault("container rootfs is marked read-only")
    opened = decompressed(archive)
    if no_overwrite:
        _check_kinds(opened, Path(place))
    unpack.extract(opened, Path(place))


def _read_only(container: ContainerRecord, path: str) -> bool:
    plain = "/" + path.strip("/")
    return any(
        not point["RW"] and (plain == point["Destination"] or plain.startswith(point["Destination"] + "/"))
        for point in _mounted(container)
    )


def _check_kinds(archive: IO[bytes], place: Path) -> None:
    """Refuse to put a file where a directory is, or a directory where a file is."""
    with unpack.open_untrusted(archive) as tar:
        for member in unpack.iterate_members(tar):
            there = place / member.name.lstrip("/")
            if there.is_symlink() or not there.exists() or there == place:
                continue
            if there.is_dir() != member.isdir():
                words = ("directory", "non-directory") if there.is_dir() else ("non-directory", "directory")
                raise BadParameter(f"cannot overwrite {words[0]} {there.name!r} with {words[1]}".replace("'", '"'))
    archive.seek(0)


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """Give the file as it is, or what is read out of it if it is compressed."""
    begin = file.read(6)
    file.seek(0)
    for magic, opener in MAGIC:
        if begin.startswith(magic):
            return opener(file, "rb")  # type: ignore[return-value]
    return file
