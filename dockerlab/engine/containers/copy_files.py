"""Copies files into and out of a container, as GET, PUT and HEAD /archive do. Paths are as the container sees them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from dockerlab.engine.common import timestamps
from dockerlab.engine.common.tree import OpenTree
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

    Raises BadParameter, NotFound, Fault.
    """
    with _open_tree(record) as tree, _open_place(tree, path, reference) as place:
        info = os.fstat(place)
        description = {
            "name": _last_name(path) or "/",
            "size": info.st_size,
            "mode": _go_mode(info.st_mode),
            "mtime": timestamps.rfc3339(info.st_mtime_ns),
            "linkTarget": _link_target(tree, path) if stat.S_ISLNK(info.st_mode) else "",
        }
    return base64.b64encode(json.dumps(description, separators=(",", ":")).encode()).decode()


@contextlib.contextmanager
def _open_tree(record: ContainerRecord) -> Iterator[OpenTree]:
    """Open a container's tree with its mounts, as far as their files are somewhere else on this machine."""
    points = [point for point in record.mount_points if point["Type"] != "tmpfs"]
    sources = {point["Destination"]: point["Source"] for point in points}
    read_only = {point["Destination"] for point in points if not point["RW"]}
    read_only |= {"/"} if record.host_config["ReadonlyRootfs"] else set()
    try:
        tree = OpenTree(record.root, sources, read_only)
    except OSError as error:
        raise Fault(f"cannot open the files of container {record.id}: {_reason(error)}") from None
    with tree:
        yield tree


@contextlib.contextmanager
def _open_place(tree: OpenTree, path: str, reference: str, *, follow: bool | None = None) -> Iterator[int]:
    """Open what is at a container's path. Raises BadParameter, NotFound, Fault.

    By default a link at the end of the path is only followed if a slash comes after it: then it has to be a directory.
    """
    if not path:
        raise BadParameter("bad parameter: pathcannot be empty")
    ends_with_slash = path.endswith(("/", "/."))
    try:
        place = tree.open(path, follow=ends_with_slash if follow is None else follow)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"Could not find the file {path} in container {reference}") from None
    except OSError as error:
        raise Fault(f"lstat {path}: {_reason(error)}") from None
    try:
        if follow is None and ends_with_slash and not _is_directory(place):
            raise NotFound(f"Could not find the file {path} in container {reference}")
        yield place
    finally:
        os.close(place)


def _is_directory(place: int) -> bool:
    return stat.S_ISDIR(os.fstat(place).st_mode)


def _reason(error: OSError) -> str:
    return (error.strerror or "input/output error").lower()


def _last_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _link_target(tree: OpenTree, path: str) -> str:
    """Return where a link leads to; an empty text if it leads in a circle."""
    try:
        return tree.resolve(path)
    except OSError:
        return ""


def _go_mode(mode: int) -> int:
    """Return a mode with Go's bits. Only its permissions are the same as the operating system's."""
    go_mode = stat.S_IMODE(mode) & 0o777 | GO_TYPES.get(stat.S_IFMT(mode), 0)
    for flag, go_flag in GO_FLAGS:
        go_mode |= go_flag if mode & flag else 0
    return go_mode


def pack(record: ContainerRecord, path: str, reference: str) -> Iterator[bytes]:
    """Yield a path as the blocks of a tar.

    The first member has the path's last name; a path that ends with `/.` means the content of the directory. Raises
    BadParameter, NotFound, Fault.
    """
    with _open_tree(record) as tree, _open_place(tree, path, reference) as place:
        yield from tar_writer.pack(place, _last_name(path) or ".")


def extract(record: ContainerRecord, path: str, reference: str, archive: IO[bytes], no_overwrite: bool) -> None:
    """Extract a tar, compressed or not, into a directory. Raises BadParameter, NotFound, Fault.

    As on Docker, the links in the directory don't lead out of it.
    """
    with _open_tree(record) as tree, _open_directory(tree, path, reference) as directory:
        tar_file = decompressed(archive)
        if no_overwrite:
            _check_types(tar_file, directory)
        unpack.extract(tar_file, directory)


@contextlib.contextmanager
def _open_directory(tree: OpenTree, path: str, reference: str) -> Iterator[OpenTree]:
    """Open a directory to write into. Raises BadParameter, NotFound, Fault."""
    with _open_place(tree, path, reference, follow=True) as place:
        if not _is_directory(place):
            raise BadParameter("extraction point is not a directory")
    try:
        mount, directory = tree.read_only_mount(path), tree.subtree(path)
    except OSError as error:
        raise Fault(f"lstat {path}: {_reason(error)}") from None
    with directory:
        if mount:
            what = "container rootfs" if mount == "/" else "mounted volume"
            raise BadParameter(f"{what} is marked read-only")
        yield directory


def _check_types(archive: IO[bytes], directory: OpenTree) -> None:
    """Raise BadParameter if a file would replace a directory, or a directory a file."""
    try:
        with unpack.open_untrusted(archive) as tar:
            for member in unpack.iterate_members(tar):
                _check_type(member, directory)
        archive.seek(0)
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise unpack.LayerFault(f"archive/tar: {error}") from None


def _check_type(member: tarfile.TarInfo, directory: OpenTree) -> None:
    path = posixpath.normpath(member.name.lstrip("/") or ".")
    mode = directory.mode(path, follow=False)
    if path != "." and mode and not stat.S_ISLNK(mode) and stat.S_ISDIR(mode) != member.isdir():
        old, new = ("directory", "non-directory") if stat.S_ISDIR(mode) else ("non-directory", "directory")
        raise BadParameter(f'cannot overwrite {old} "{path.rpartition("/")[2]}" with {new}')
