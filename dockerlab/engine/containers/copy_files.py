"""Copies files into and out of a container, as GET, PUT and HEAD /archive do. Paths are as the container sees them."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dockerlab.engine.common import timestamps
from dockerlab.engine.common.paths import resolve_in_root
from dockerlab.engine.faults import BadParameter, Fault, NotFound
from dockerlab.engine.storage import tar_writer, unpack
from dockerlab.engine.storage.compression import decompressed

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["extract", "pack", "path_stat"]

#: Go's mode bits: directory, link, named pipe, socket, device, character device, setuid, setgid, sticky.
DIRECTORY, LINK, DEVICE, PIPE, SOCKET = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24
SETUID, SETGID, CHARACTER, STICKY = 1 << 23, 1 << 22, 1 << 21, 1 << 20
GO_TYPES = {
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: LINK,
    stat.S_IFBLK: DEVICE,
    stat.S_IFCHR: DEVICE | CHARACTER,
    stat.S_IFIFO: PIPE,
    stat.S_IFSOCK: SOCKET,
}
GO_FLAGS = ((stat.S_ISUID, SETUID), (stat.S_ISGID, SETGID), (stat.S_ISVTX, STICKY))


def path_stat(record: ContainerRecord, path: str, reference: str) -> str:
    """Return the header that describes a path: JSON in base64. `reference` is the container as the client named it.

    Raises BadParameter, NotFound.
    """
    host_path = _existing_path(record, path, reference)
    info = os.lstat(host_path)
    target = ""
    if stat.S_ISLNK(info.st_mode):
        target = resolve_in_root(str(record.root), path).removeprefix(str(record.root)) or "/"
    description = {
        "name": path.rstrip("/").rpartition("/")[2] or "/",
        "size": info.st_size,
        "mode": _go_mode(info.st_mode),
        "mtime": timestamps.rfc3339(info.st_mtime_ns),
        "linkTarget": target,
    }
    return base64.b64encode(json.dumps(description, separators=(",", ":")).encode()).decode()


def _existing_path(record: ContainerRecord, path: str, reference: str) -> str:
    """Return where a container's path is on this machine. Raises BadParameter, NotFound.

    A link at the end of the path is not followed, unless a slash comes after it.
    """
    if not path:
        raise BadParameter("bad parameter: pathcannot be empty")
    follow = path.endswith(("/", "/."))
    host_path = resolve_in_root(str(record.root), path, follow, _mount_sources(record))
    if not os.path.lexists(host_path) or (follow and not os.path.isdir(host_path)):  # noqa: PTH112
        raise NotFound(f"Could not find the file {path} in container {reference}")
    return host_path


def _host_mounts(record: ContainerRecord) -> list[dict[str, Any]]:
    """Return the mounts whose files are somewhere else on this machine."""
    return [point for point in record.mount_points if point["Type"] != "tmpfs"]


def _mount_sources(record: ContainerRecord) -> dict[str, str]:
    return {point["Destination"]: point["Source"] for point in _host_mounts(record)}


def _go_mode(mode: int) -> int:
    """Return a mode with Go's bits. Only its permissions are the same as the operating system's."""
    go_mode = stat.S_IMODE(mode) & 0o777 | GO_TYPES.get(stat.S_IFMT(mode), 0)
    for flag, go_flag in GO_FLAGS:
        go_mode |= go_flag if mode & flag else 0
    return go_mode


def pack(record: ContainerRecord, path: str, reference: str) -> Iterator[bytes]:
    """Return a path as the blocks of a tar.

    The first member has the path's last name; a path that ends with `/.` means the content of the directory. Raises
    BadParameter, NotFound.
    """
    host_path = _existing_path(record, path, reference)
    return tar_writer.pack(host_path, path.rstrip("/").rpartition("/")[2] or ".")


def extract(record: ContainerRecord, path: str, reference: str, archive: IO[bytes], no_overwrite: bool) -> None:
    """Extract a tar, compressed or not, into a directory. Raises BadParameter, NotFound, Fault."""
    directory = resolve_in_root(str(record.root), path, True, _mount_sources(record))
    if not path:
        raise BadParameter("bad parameter: pathcannot be empty")
    if not os.path.lexists(directory):
        raise NotFound(f"Could not find the file {path} in container {reference}")
    if not os.path.isdir(directory):  # noqa: PTH112
        raise BadParameter("extraction point is not a directory")
    if record.host_config["ReadonlyRootfs"] or _is_read_only(record, path):
        raise Fault("container rootfs is marked read-only")
    tar_file = decompressed(archive)
    if no_overwrite:
        _check_types(tar_file, Path(directory))
    unpack.extract(tar_file, Path(directory))


def _is_read_only(record: ContainerRecord, path: str) -> bool:
    plain = "/" + path.strip("/")
    return any(
        not point["RW"] and (plain == point["Destination"] or plain.startswith(point["Destination"] + "/"))
        for point in _host_mounts(record)
    )


def _check_types(archive: IO[bytes], directory: Path) -> None:
    """Raise BadParameter if a file would replace a directory, or a directory a file."""
    with unpack.open_untrusted(archive) as tar:
        for member in unpack.iterate_members(tar):
            existing = directory / member.name.lstrip("/")
            if existing.is_symlink() or not existing.exists() or existing == directory:
                continue
            if existing.is_dir() != member.isdir():
                old, new = ("directory", "non-directory") if existing.is_dir() else ("non-directory", "directory")
                raise BadParameter(f"cannot overwrite {old} {existing.name!r} with {new}".replace("'", '"'))
    archive.seek(0)
