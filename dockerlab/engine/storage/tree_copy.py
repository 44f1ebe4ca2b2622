"""Copies trees, however deep, with owners, modes, times, extended attributes, holes, and hard links among the files."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from dockerlab.engine.common.tree import PATH_ONLY, DirectoryStack, entries
from dockerlab.engine.processes import user_namespace
from dockerlab.engine.storage.file_content import copy_attributes, copy_content, set_mode

__all__ = ["copy_tree"]

#: A file system allows about 65,000 hard links per file, and one tree may add hundreds.
MAX_LINKS = 60_000
#: So many files with several names are open at a time. Deeper ones are forgotten when they are closed.
MAX_OPEN, MAX_DEPTH = 8, 1000
#: Opening a named pipe for reading waits for a writer, except with O_NONBLOCK.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
FileKey = tuple[int, int]


def copy_tree(source: int, target: int, *, share_files: bool = False) -> None:
    """Copy what is in an open directory into another one, and the attributes of the directory itself.

    With `share_files`, the copy gets hard links to the files; only a file that has too many already is copied. What
    the target contains already stays as it is. Raise OSError.
    """
    copy = _TreeCopy(source, target, share_files)
    try:
        copy.run()
    finally:
        copy.close()


@dataclass(slots=True)
class _Level:
    """One directory of the walk."""

    info: os.stat_result
    entries: Iterator[tuple[str, os.stat_result]]


class _TreeCopy:
    def __init__(self, source: int, target: int, share_files: bool) -> None:
        self.source, self.target = DirectoryStack(source), DirectoryStack(target)
        self.share_files = share_files
        self.keeps_owner = user_namespace.can_change_owner()
        self.names = _Names(target)
        self.path: list[str] = []  # of the current directory

    def close(self) -> None:
        self.source.close()
        self.target.close()
        self.names.close()

    def run(self) -> None:
        levels = [self._level()]
        while levels:
            entry = next(levels[-1].entries, None)
            if entry is None:
                copy_attributes(self.source.current, self.target.current, levels.pop().info, self.keeps_owner)
                if levels:
                    self.source.leave()
                    self.target.leave()
                    self.path.pop()
                continue
            name, info = entry
            if not stat.S_ISDIR(info.st_mode):
                with contextlib.suppress(FileExistsError):
                    self._copy(name, info)
                continue
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self.target.current)
            try:
                self.target.enter(name)
            except NotADirectoryError:
                continue  # something else has this name in the target
            self.source.enter(name)
            self.path.append(name)
            levels.append(self._level())

    def _level(self) -> _Level:
        return _Level(os.fstat(self.source.current), iter(entries(self.source.current)))

    def _copy(self, name: str, info: os.stat_result) -> None:
        """Copy one entry that is no directory. Sockets and devices are left out."""
        source, target = self.source.current, self.target.current
        if self.share_files and info.st_nlink <= MAX_LINKS:
            os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        elif stat.S_ISREG(info.st_mode):
            if info.st_nlink == 1 or not self.names.add((info.st_dev, info.st_ino), target, name):
                self._copy_file(name)
        elif stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            self._copy_owner_and_times(name, info)
        elif stat.S_ISFIFO(info.st_mode):
            os.mkfifo(name, dir_fd=target)
            self._copy_owner_and_times(name, info)
            set_mode(target, name, stat.S_IMODE(info.st_mode))

    def _copy_owner_and_times(self, name: str, info: os.stat_result) -> None:
        if self.keeps_owner and (info.st_uid, info.st_gid) != (0, 0):
            os.chown(name, info.st_uid, info.st_gid, dir_fd=self.target.current, follow_symlinks=False)
        times = info.st_atime_ns, info.st_mtime_ns
        os.utime(name, ns=times, dir_fd=self.target.current, follow_symlinks=False)

    def _copy_file(self, name: str) -> None:
        original = os.open(name, READ, dir_fd=self.source.current)
        try:
            info = os.fstat(original)
            if not stat.S_ISREG(info.st_mode):
                return  # it was replaced a moment ago
            copy = os.open(name, CREATE, 0o600, dir_fd=self.target.current)
            try:
                copy_content(original, copy, info)
                copy_attributes(original, copy, info, self.keeps_owner)
                if info.st_nlink > 1:
                    self.names.start((info.st_dev, info.st_ino), [*self.path, name], copy)
            finally:
                os.close(copy)
        finally:
            os.close(original)


class _Names:
    """The copies of files with several names, which get their other names as hard links.

    The target may be a volume that a running container changes meanwhile. So a copy is linked by its descriptor, and
    a path is only trusted if it leads to the same file as before.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self._paths: dict[FileKey, tuple[list[str], FileKey]] = {}  # of the originals: path and key of the copy
        self._open: dict[FileKey, int] = {}  # those that were used last

    def start(self, original: FileKey, path: list[str], copy: int) -> None:
        """Remember the first copy of a file."""
        info = os.fstat(copy)
        if len(path) <= MAX_DEPTH:
            self._paths[original] = path, (info.st_dev, info.st_ino)
        self._keep(original, os.open(f"/proc/self/fd/{copy}", os.O_PATH | os.O_CLOEXEC))

    def add(self, original: FileKey, directory: int, name: str) -> bool:
        """Give a copy one more name. Return False if there is no copy yet."""
        place = self._open.get(original, -1)
        if place < 0:
            if original not in self._paths or (place := self._find(*self._paths[original])) < 0:
                return False
            self._keep(original, place)
        os.link(f"/proc/self/fd/{place}", name, dst_dir_fd=directory, follow_symlinks=True)
        return True

    def _keep(self, original: FileKey, place: int) -> None:
        if (previous := self._open.pop(original, -1)) >= 0:
            os.close(previous)
        if len(self._open) >= MAX_OPEN:
            os.close(self._open.pop(next(iter(self._open))))
        self._open[original] = place

    def _find(self, path: list[str], copy: FileKey) -> int:
        """Open a copy again; return -1 if something else has taken its place."""
        stack = DirectoryStack(self._top)
        try:
            for name in path[:-1]:
                stack.enter(name)
            place = os.open(path[-1], PATH_ONLY, dir_fd=stack.current)
        except OSError:
            return -1
        finally:
            stack.close()
        info = os.fstat(place)
        if (info.st_dev, info.st_ino) == copy and stat.S_ISREG(info.st_mode):
            return place
        os.close(place)
        return -1

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])
