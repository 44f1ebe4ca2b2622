"""Applies a layer, a tar from anywhere, to a file tree: nothing that is in it can lead out of the tree.

Nobody else writes into the tree meanwhile. Files are replaced and never written into, since a tree shares them with
its parent's by hard links.
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

from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import user_namespace

__all__ = ["LayerFault", "apply", "guarded", "members"]

BLOCK = 1 << 16
WHITEOUT, OPAQUE, OTHER = ".wh.", ".wh..wh..opq", ".wh..wh."
#: The header of a member, with a long name or attributes, is never longer than this.
HEADER_BYTES = 1 << 20
LINKS = 40
XATTR = "SCHILY.xattr."


class LayerFault(Fault):
    """A layer can't be applied as it is."""


class _Guarded:
    """A file for `tarfile`, which would otherwise read a header of any size into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER_BYTES:
            raise tarfile.ReadError("a header is too long")
        return self._file.read(size)


def guarded(file: IO[bytes]) -> tarfile.TarFile:
    """Open an uncompressed tar that somebody sent. Raises LayerFault if it is none."""
    try:
        return tarfile.open(fileobj=_Guarded(file), mode="r:")  # type: ignore[call-overload, no-any-return]
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise LayerFault(f"archive/tar: invalid tar header: {error}") from None


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the members one by one, and keep none of them in memory."""
    while (member := tar.next()) is not None:
        yield member
        tar.members.clear()  # type: ignore[attr-defined]


def apply(layer: IO[bytes], root: Path, *, whiteouts: bool = True) -> None:
    """Unpack a layer over a tree, or, without `whiteouts`, an archive with just files. Raises LayerFault."""
    if not whiteouts and not layer.read(1):
        return  # nothing was sent
    layer.seek(0)
    mine, directories = user_namespace.many(), {}
    fresh: set[str] = set()
    left = shutil.disk_usage(root).free
    with guarded(layer) as tar:
        try:
            for member in members(tar):
                left -= member.size
                if left < 0:
                    raise LayerFault("no space left on device")
                path = _path(root, member.name)
                if path == str(root):
                    continue
                if not (whiteouts and _whiteout(path, fresh)):
                    _put(tar, member, root, path, mine)
                    fresh.add(path)
                if member.isdir():
                    directories[path] = member.mtime
        except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError) as error:
            raise LayerFault(f"failed to register layer: {error}") from None
    for path, moment in sorted(directories.items(), reverse=True):
        with contextlib.suppress(OSError):
            os.utime(path, (moment, moment))


def _path(root: Path, name: str) -> str:
    """Give the path of a member; links on its way are followed as if `root` were /. Raises LayerFault.

    The last part isn't followed: it is what the member is put over.
    """
    plain = posixpath.normpath(name.lstrip("/") or ".")
    parts = [] if plain == "." else plain.split("/")
    if ".." in parts or "\0" in plain:
        raise LayerFault(f'invalid tar: "{name}" is outside of the root')
    if not parts:
        return str(root)
    todo, links = parts[:-1], 0
    place: list[str] = []
    while todo:
        part = todo.pop(0)
        if part == "..":
            place = place[:-1]
            continue
        here = f"{root}/{'/'.join([*place, part])}"
        with contextlib.suppress(OSError):
            target = os.readlink(here)  # noqa: PTH115  (as fast as can be: this runs for every member)
            links += 1
            if links > LINKS:
                raise LayerFault(f"{name}: too many levels of symbolic links")
            place = [] if target.startswith("/") else place
            todo = [step for step in target.split("/") if step not in ("", ".")] + todo
            continue
        place.append(part)
    directory = "/".join([str(root), *place])
    if not os.path.isdir(directory):  # noqa: PTH112
        _make_directories(str(root), place)
    return f"{directory}/{parts[-1]}"


def _make_directories(root: str, parts: list[str]) -> None:
    for part in parts:
        root = f"{root}/{part}"
        try:
            os.mkdir(root, 0o755)  # noqa: PTH102
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(root).st_mode):
                raise LayerFault(f"mkdir {root}: not a directory") from None


def _whiteout(path: str, fresh: set[str]) -> bool:
    """Remove what a whiteout stands for; what this same layer brought stays."""
    directory, _, name = path.rpartition("/")
    if not name.startswith(WHITEOUT):
        return False
    if name == OPAQUE:
        for entry in os.listdir(directory):  # noqa: PTH208
            if f"{directory}/{entry}" not in fresh:
                _remove(f"{directory}/{entry}")
    elif not name.startswith(OTHER):
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


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path, path: str, mine: bool) -> None:
    """Make one member. Devices are left out: the layer keeps them, and a container has its own."""
    there = os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114
    if not (member.isdir() and there):
        _remove(path)
    if member.isdir():
        if not there:
            os.mkdir(path)  # noqa: PTH102
    elif member.isreg():
        _write(tar, member, path)
    elif member.issym():
        os.symlink(member.linkname, path)  # noqa: PTH211
    elif member.islnk():
        os.link(_path(root, member.linkname), path, follow_symlinks=False)
        return  # its mode is that of what it is a name of, which may be the parent's
    elif member.isfifo():
        os.mkfifo(path)
    else:
        return
    _dress(member, path, mine)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    content = tar.extractfile(member)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        if content is not None:
            shutil.copyfileobj(content, file, BLOCK)
        if file.tell() != member.size:
            raise LayerFault("unexpected EOF")


def _dress(member: tarfile.TarInfo, path: str, mine: bool) -> None:
    """Give a path its owner, mode, attributes and time. Without root's rights it stays ours, and readable to us."""
    if mine:
        os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        mode = stat.S_IMODE(member.mode)
        if not mine:
            mode |= 0o700 if member.isdir() else 0o400
        os.chmod(path, mode)  # noqa: PTH101
        for name, value in member.pax_headers.items():
            if name.startswith(XATTR):
                with contextlib.suppress(OSError):
                    os.setxattr(path, name.removeprefix(XATTR), value.encode("utf-8", "surrogateescape"))
    os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)
