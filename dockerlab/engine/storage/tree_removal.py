"""Removes trees, however deep, even if their modes forbid it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from dockerlab.engine.common.tree import PATH_ONLY, DirectoryStack

__all__ = ["remove"]

OWNER_ONLY = 0o700


def remove(directory: int, name: str) -> None:
    """Remove what has a name in an open directory, with everything in it; nothing need exist there.

    A file that can't be removed does not keep the others. Raise OSError for the first such file.
    """
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except OSError:
        pass  # it is a directory, or the permission is missing
    else:
        return
    removal = _Removal(directory)
    try:
        removal.run(name)
    finally:
        removal.stack.close()
    if removal.error is not None:
        raise removal.error


class _Removal:
    def __init__(self, top: int) -> None:
        self.stack = DirectoryStack(top)
        self.error: OSError | None = None

    def run(self, name: str) -> None:
        levels = [self._remove_files([name])]  # per directory on the way down: the directories that it still contains
        while levels:
            if levels[-1]:
                if self._try(self.stack.enter, levels[-1][-1]):
                    levels.append(self._remove_files(os.listdir(self.stack.current)))  # noqa: PTH208
                else:
                    levels[-1].pop()
                continue
            levels.pop()
            if levels:
                self.stack.leave()
                self._try(self._remove_directory, levels[-1].pop())

    def _remove_files(self, names: list[str]) -> list[str]:
        """Remove what is no directory from the current directory; return the names of the directories in it."""
        directories: list[str] = []
        for name in names:
            try:
                os.unlink(name, dir_fd=self.stack.current)
            except IsADirectoryError:
                directories.append(name)
            except OSError as error:
                if isinstance(error, PermissionError):
                    self._allow_current()
                if self._is_directory(name):
                    directories.append(name)
                else:
                    self._try(self._remove_file, name)
        return directories

    def _is_directory(self, name: str) -> bool:
        try:
            return stat.S_ISDIR(os.stat(name, dir_fd=self.stack.current, follow_symlinks=False).st_mode)
        except OSError:
            return False

    def _try(self, step: Callable[[str], None], name: str) -> bool:
        """Carry out a step, if necessary with the permissions that it needs. Remember the first error."""
        try:
            try:
                step(name)
            except PermissionError:
                self._allow(name)
                step(name)
        except FileNotFoundError:
            return False  # something else has removed it meanwhile
        except OSError as error:
            self.error = self.error or error
            return False
        return True

    def _allow(self, name: str) -> None:
        """Take the permissions of the current directory and of a directory in it. A file may belong to others, too."""
        self._allow_current()
        if self._is_directory(name):
            place = os.open(name, PATH_ONLY | os.O_DIRECTORY, dir_fd=self.stack.current)
            try:
                os.chmod(f"/proc/self/fd/{place}", OWNER_ONLY)  # noqa: PTH101
            finally:
                os.close(place)

    def _allow_current(self) -> None:
        if self.stack.depth:  # the directory that the tree itself is in is not ours to change
            os.chmod(self.stack.current, OWNER_ONLY)  # noqa: PTH101

    def _remove_file(self, name: str) -> None:
        os.unlink(name, dir_fd=self.stack.current)

    def _remove_directory(self, name: str) -> None:
        os.rmdir(name, dir_fd=self.stack.current)
