"""Unpacks layers and archives, which may come from anywhere, into a file tree: no member can write outside of it.

A program in a running container may change the tree meanwhile, so everything happens on open directories. A file is
replaced and never written into, because a tree shares files with its parent's tree by hard links.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
import tarfile
from pathlib import Path
from typing import IO, cast

from dockerlab.engine.common.tree import MAX_PATH, PATH_ONLY, LastDirectory, OpenTree, open_directory
from dockerlab.engine.processes import user_namespace
from dockerlab.engine.storage import tree_removal
from dockerlab.engine.storage.file_content import write_sparse
from dockerlab.engine.storage.tar_reader import (
    LayerFault,
    area_blocks,
    data_areas,
    iterate_members,
    open_untrusted,
)
from dockerlab.engine.storage.tree_copy import CREATE

__all__ = ["LayerFault", "apply_layer", "extract", "iterate_members", "open_untrusted"]

#: Names of whiteouts: a prefix for one deleted file, a marker that empties a directory, and those of other tools.
WHITEOUT, OPAQUE, RESERVED = ".wh.", ".wh..wh..opq", ".wh..wh."
XATTR = "SCHILY.xattr."


def apply_layer(layer: IO[bytes], root: Path) -> None:
    """Unpack a layer over a tree, and delete what its whiteouts name. Raises LayerFault."""
    layer.seek(0)
    with OpenTree(root) as tree:
        _unpack(layer, tree, has_whiteouts=True)


def extract(archive: IO[bytes], tree: OpenTree) -> None:
    """Unpack an archive into a tree; an empty file counts as an empty archive. Raises LayerFault."""
    try:
        is_empty = not archive.read(1)
        archive.seek(0)
    except OSError as error:
        raise LayerFault(f"archive/tar: {error.strerror or error}") from None
    if not is_empty:
        _unpack(archive, tree, has_whiteouts=False)


def _unpack(file: IO[bytes], tree: OpenTree, has_whiteouts: bool) -> None:
    with contextlib.closing(_Unpacking(tree, has_whiteouts)) as unpacking, open_untrusted(file) as tar:
        name = ""
        try:
            for member in iterate_members(tar):
                name = member.name
                unpacking.add(tar, member)
            unpacking.set_directory_times()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise LayerFault(f"failed to register layer: {name[:MAX_PATH]}: {reason}") from None
        except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
            raise LayerFault(f"failed to register layer: {error}") from None


class _Unpacking:
    """One archive on its way into a tree."""

    def __init__(self, tree: OpenTree, has_whiteouts: bool) -> None:
        self.tree, self.has_whiteouts = tree, has_whiteouts
        self.directories = LastDirectory(tree)
        self.can_chown = user_namespace.can_change_owner()
        self.directory_times: dict[str, float] = {}
        #: What this layer has created, by directory and name.
        self.new_entries: set[tuple[int, int, str]] = set()
        self.opaque: set[tuple[int, int]] = set()  #: the directories that have only entries of this layer
        space = os.fstatvfs(tree.root)
        self.free_bytes = space.f_bavail * space.f_frsize
        self.is_stale = False  #: whether the path of the open directory may lead to another one now

    def close(self) -> None:
        self.directories.close()

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Create, replace or delete what a member stands for."""
        path = _plain_path(member.name)
        if not path:
            return
        directory, name = self._parent(path), path.rpartition("/")[2]
        if self.tree.mounts and self.tree.resolve(path, follow=False) in self.tree.mounts:
            self._update_mount(member, path)
            return
        if self.has_whiteouts:
            if self._apply_whiteout(directory, name):
                return
            self.new_entries.add(self._key(directory, name))
        self._make_room(member, directory, name)
        self._create(tar, member, directory, path)
        if self.is_stale:
            self.directories.close()
            self.is_stale = False
        if member.isdir():
            self.directory_times[path] = member.mtime

    def _parent(self, path: str) -> int:
        """Open the directory of a member, whose links are followed within the tree. Create it if necessary."""
        parent = path.rpartition("/")[0]
        try:
            return self.directories.open(parent, make=True)
        except NotADirectoryError:
            raise LayerFault(f"mkdir /{parent}: not a directory") from None

    def _key(self, directory: int, name: str) -> tuple[int, int, str]:
        info = os.fstat(directory)
        return info.st_dev, info.st_ino, name

    def _apply_whiteout(self, directory: int, name: str) -> bool:
        """Delete what a whiteout names, but not what this layer has brought. Return False if it is no whiteout."""
        if not name.startswith(WHITEOUT):
            return False
        if name == OPAQUE:
            self._make_opaque(directory)
        elif not name.startswith(RESERVED):
            target = name.removeprefix(WHITEOUT)
            if target in ("", ".", ".."):
                raise LayerFault(f"invalid whiteout: {name}")
            tree_removal.remove(directory, target)
        self.directories.close()  # its path may lead to something else now
        return True

    def _make_opaque(self, directory: int) -> None:
        """Delete what a directory has from the layers below. Once is enough, however often an archive demands it."""
        info = os.fstat(directory)
        identity = info.st_dev, info.st_ino
        if identity in self.opaque:
            return
        self.opaque.add(identity)
        place = open_directory(".", directory)
        try:
            for entry in os.listdir(place):  # noqa: PTH208
                if (*identity, entry) not in self.new_entries:
                    tree_removal.remove(place, entry)
        finally:
            os.close(place)

    def _make_room(self, member: tarfile.TarInfo, directory: int, name: str) -> None:
        """Remove what has the member's name already, except a directory that stays one."""
        try:
            mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if not (member.isdir() and stat.S_ISDIR(mode)):
            tree_removal.remove(directory, name)
            self.is_stale = not stat.S_ISREG(mode)

    def _update_mount(self, member: tarfile.TarInfo, path: str) -> None:
        """Set the attributes of a directory that is a mount. Nothing else can take the place of a mount."""
        place = self.tree.open(path, follow=False)
        try:
            if not (member.isdir() and stat.S_ISDIR(os.fstat(place).st_mode)):
                raise LayerFault(f"RemoveAll {path}: {os.strerror(errno.EBUSY).lower()}")
            if self.tree.read_only_mount(path):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            self._set_attributes(member, f"/proc/self/fd/{place}")
        finally:
            os.close(place)

    def _create(self, tar: tarfile.TarFile, member: tarfile.TarInfo, directory: int, path: str) -> None:
        """Create the file of one member. Devices are left out: the layer keeps them, and a container gets its own."""
        name = path.rpartition("/")[2]
        if member.isreg():
            self._write(tar, member, directory, name)
        elif member.isdir():
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=directory)
            self._set_attributes_of_entry(member, directory, name)
        elif member.issym():
            os.symlink(member.linkname, name, dir_fd=directory)
            if self.can_chown:
                os.chown(name, member.uid, member.gid, dir_fd=directory, follow_symlinks=False)
            os.utime(name, (member.mtime, member.mtime), dir_fd=directory, follow_symlinks=False)
        elif member.islnk():
            # It shares mode and owner with the file that it links to, which may belong to the parent's tree.
            self._link(member, directory, path)
        elif member.isfifo():
            os.mkfifo(name, 0o600, dir_fd=directory)
            self._set_attributes_of_entry(member, directory, name)

    def _link(self, member: tarfile.TarInfo, directory: int, path: str) -> None:
        """Create a hard link. As for a program in the container, a mount is another file system than what is above."""
        target_path = _plain_path(member.linkname)
        place, target = self.tree.open_parent(target_path)
        try:
            if _mount(self.tree, path) != _mount(self.tree, target_path):
                raise OSError(errno.EXDEV, "invalid cross-device link")
            os.link(target, path.rpartition("/")[2], src_dir_fd=place, dst_dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LayerFault(f"linkat {target_path} {path}: {(error.strerror or str(error)).lower()}") from None
        finally:
            os.close(place)

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, directory: int, name: str) -> None:
        """Write a file. What is not in the archive, and blocks of zeros, take up no space."""
        file = os.open(name, CREATE, 0o600, dir_fd=directory)
        try:
            cast("IO[bytes]", tar.fileobj).seek(member.offset_data)
            for start, length in data_areas(member):
                os.lseek(file, start, os.SEEK_SET)
                for block in area_blocks(tar, length):
                    self.free_bytes -= write_sparse(file, block)
                    if self.free_bytes < 0:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.ftruncate(file, member.size)
            self._set_attributes(member, file)
        finally:
            os.close(file)

    def _set_attributes_of_entry(self, member: tarfile.TarInfo, directory: int, name: str) -> None:
        place = os.open(name, PATH_ONLY, dir_fd=directory)
        try:
            if not stat.S_ISLNK(os.fstat(place).st_mode):  # a program may have exchanged it a moment ago
                self._set_attributes(member, f"/proc/self/fd/{place}")
        finally:
            os.close(place)

    def _set_attributes(self, member: tarfile.TarInfo, file: int | str) -> None:
        """Set owner, mode, extended attributes and time. Without root's rights the engine keeps its access.

        A new owner clears the set-user-ID bit and the capabilities of a file, so the owner comes first.
        """
        if self.can_chown:
            os.chown(file, member.uid, member.gid)
        mode = stat.S_IMODE(member.mode)
        if not self.can_chown:
            mode |= 0o700 if member.isdir() else 0o400
        os.chmod(file, mode)  # noqa: PTH101
        for name, value in member.pax_headers.items():
            if name.startswith(XATTR):
                with contextlib.suppress(OSError, ValueError):  # the latter for a name with a null byte
                    os.setxattr(file, name.removeprefix(XATTR), value.encode("utf-8", "surrogateescape"))
        os.utime(file, (member.mtime, member.mtime))

    def set_directory_times(self) -> None:
        """Set the times of the directories, now that nothing more is created in them."""
        for path, mtime in sorted(self.directory_times.items()):
            parent, _, name = path.rpartition("/")
            with contextlib.suppress(OSError):
                directory = self.directories.open(
                    parent, make=True
                )  # it exists, and make=True refuses read-only mounts
                os.utime(name, (mtime, mtime), dir_fd=directory, follow_symlinks=False)


def _mount(tree: OpenTree, path: str) -> str:
    """Return the path of the mount that is at a path, or above it; an empty text for the rest of the tree.

    A link at the end of the path is not followed. Raises OSError for a circle of links.
    """
    place = tree.resolve(path, follow=False) if tree.mounts else ""
    while place and place not in tree.mounts:
        place = place.rpartition("/")[0]
    return place


def _plain_path(name: str) -> str:
    """Return the path of a member without dots and a slash in front; empty for the top. Raises LayerFault, OSError."""
    plain = posixpath.normpath(name.lstrip("/") or ".")
    if ".." in plain.split("/") or "\0" in plain:
        raise LayerFault(f'invalid tar: "{name}" is outside of the root')
    if len(os.fsencode(plain)) > MAX_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    return "" if plain == "." else plain
