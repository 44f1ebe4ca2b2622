"""Unpacks layers and archives, which may come from anywhere, into a file tree: no member can write outside of it.

Nothing else writes into the tree meanwhile. A file is replaced and never written into, because a tree shares files
with its parent's tree by hard links.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dockerlab.engine.common.cancellable_threads import check_cancelled
from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import user_namespace

__all__ = ["LayerFault", "apply_layer", "extract", "iterate_members", "open_untrusted"]

BLOCK = 1 << 16
#: Names of whiteouts: a prefix for one deleted file, a marker that empties a directory, and those of other tools.
WHITEOUT, OPAQUE, RESERVED = ".wh.", ".wh..wh..opq", ".wh..wh."
#: The header of a member, even with a long name or attributes, is never longer than this.
HEADER_BYTES = 1 << 20
MAX_LINKS = 40
XATTR = "SCHILY.xattr."


class LayerFault(Fault):
    """A layer or an archive can't be unpacked."""


class _HeaderLimit:
    """A file for `tarfile`, which would otherwise read a header of any size into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        check_cancelled()
        if not 0 <= size <= HEADER_BYTES:
            raise tarfile.ReadError("a header is too long")
        return self._file.read(size)


def open_untrusted(file: IO[bytes]) -> tarfile.TarFile:
    """Open an uncompressed tar from a client or a registry. Raises LayerFault if it is not a tar."""
    try:
        return tarfile.open(fileobj=_HeaderLimit(file), mode="r:")  # type: ignore[call-overload, no-any-return]
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise LayerFault(f"archive/tar: invalid tar header: {error}") from None


def iterate_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members one by one, and keep none of them in memory."""
    while (member := tar.next()) is not None:
        yield member
        tar.members.clear()  # type: ignore[attr-defined]


def apply_layer(layer: IO[bytes], root: Path) -> None:
    """Unpack a layer over a tree, and delete what its whiteouts name. Raises LayerFault."""
    layer.seek(0)
    _unpack(layer, root, has_whiteouts=True)


def extract(archive: IO[bytes], root: Path) -> None:
    """Unpack an archive into a directory; an empty file counts as an empty archive. Raises LayerFault."""
    if archive.read(1):
        archive.seek(0)
        _unpack(archive, root, has_whiteouts=False)


def _unpack(file: IO[bytes], root: Path, has_whiteouts: bool) -> None:
    can_chown = user_namespace.can_change_owner()
    directory_times: dict[str, float] = {}
    new_paths: set[str] = set()
    free_bytes = shutil.disk_usage(root).free
    with open_untrusted(file) as tar:
        try:
            for member in iterate_members(tar):
                free_bytes -= member.size
                if free_bytes < 0:
                    raise LayerFault("no space left on device")
                path = _path(root, member.name)
                if path == str(root):
                    continue
                if not (has_whiteouts and _apply_whiteout(path, new_paths)):
                    _create(tar, member, root, path, can_chown)
                    new_paths.add(path)
                if member.isdir():
                    directory_times[path] = member.mtime
        except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError) as error:
            raise LayerFault(f"failed to register layer: {error}") from None
    # Unpacking into a directory changes its time, so times of directories are set at the end, the innermost first.
    for path, mtime in sorted(directory_times.items(), reverse=True):
        with contextlib.suppress(OSError):
            os.utime(path, (mtime, mtime))


def _path(root: Path, name: str) -> str:
    """Return the path of a member. Symbolic links on the way are followed as if `root` were `/`. Raises LayerFault.

    The last part is not followed, because the member replaces it.
    """
    plain = posixpath.normpath(name.lstrip("/") or ".")
    parts = [] if plain == "." else plain.split("/")
    if ".." in parts or "\0" in plain:
        raise LayerFault(f'invalid tar: "{name}" is outside of the root')
    if not parts:
        return str(root)
    remaining, links = parts[:-1], 0
    resolved: list[str] = []
    while remaining:
        part = remaining.pop(0)
        if part == "..":
            resolved = resolved[:-1]
            continue
        path = f"{root}/{'/'.join([*resolved, part])}"
        with contextlib.suppress(OSError):
            target = os.readlink(path)  # noqa: PTH115  (runs for every member, and os is faster than pathlib)
            links += 1
            if links > MAX_LINKS:
                raise LayerFault(f"{name}: too many levels of symbolic links")
            resolved = [] if target.startswith("/") else resolved
            remaining = [step for step in target.split("/") if step not in ("", ".")] + remaining
            continue
        resolved.append(part)
    directory = "/".join([str(root), *resolved])
    if not os.path.isdir(directory):  # noqa: PTH112
        _make_directories(str(root), resolved)
    return f"{directory}/{parts[-1]}"


def _make_directories(path: str, parts: list[str]) -> None:
    for part in parts:
        path = f"{path}/{part}"
        try:
            os.mkdir(path, 0o755)  # noqa: PTH102
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise LayerFault(f"mkdir {path}: not a directory") from None


def _apply_whiteout(path: str, new_paths: set[str]) -> bool:
    """Delete what a whiteout names, but not what this same layer has brought. Return False if it is no whiteout."""
    directory, _, name = path.rpartition("/")
    if not name.startswith(WHITEOUT):
        return False
    if name == OPAQUE:
        for entry in os.listdir(directory):  # noqa: PTH208
            if f"{directory}/{entry}" not in new_paths:
                _remove(f"{directory}/{entry}")
    elif not name.startswith(RESERVED):
        target = name.removeprefix(WHITEOUT)
        if target in ("", ".", ".."):
            raise LayerFault(f"invalid whiteout: {name}")
        _remove(f"{directory}/{target}")
    return True


def _remove(path: str) -> None:
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(info.st_mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)  # noqa: PTH108


def _create(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path, path: str, can_chown: bool) -> None:
    """Create the file of one member. Devices are left out: the layer keeps them, and each container gets its own."""
    is_directory = os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114
    if not (member.isdir() and is_directory):
        _remove(path)
    if member.isdir():
        if not is_directory:
            os.mkdir(path)  # noqa: PTH102
    elif member.isreg():
        _write(tar, member, path)
    elif member.issym():
        os.symlink(member.linkname, path)  # noqa: PTH211
    elif member.islnk():
        os.link(_path(root, member.linkname), path, follow_symlinks=False)
        return  # it shares mode and owner with the file that it links to, which may belong to the parent's tree
    elif member.isfifo():
        os.mkfifo(path)
    else:
        return
    _set_attributes(member, path, can_chown)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    content = tar.extractfile(member)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        if content is not None:
            shutil.copyfileobj(content, file, BLOCK)
        if file.tell() != member.size:
            raise LayerFault("unexpected EOF")


def _set_attributes(member: tarfile.TarInfo, path: str, can_chown: bool) -> None:
    """Set owner, mode, extended attributes and time. Without root's rights the engine keeps its access."""
    if can_chown:
        os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        mode = stat.S_IMODE(member.mode)
        if not can_chown:
            mode |= 0o700 if member.isdir() else 0o400
        os.chmod(path, mode)  # noqa: PTH101
        for name, value in member.pax_headers.items():
            if name.startswith(XATTR):
                with contextlib.suppress(OSError):
                    os.setxattr(path, name.removeprefix(XATTR), value.encode("utf-8", "surrogateescape"))
    os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)
