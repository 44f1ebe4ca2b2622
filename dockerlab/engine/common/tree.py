"""Opens files in the tree of a container or an image, and never leaves the tree.

A tree is hostile: its symbolic links may lead anywhere, and a program in a running container can exchange a directory
for a link between any two system calls. So no path of a tree is ever joined to a path of this machine. `OpenTree`
and `DirectoryStack` go from one open directory to the next, one name at a time, without following links. Where a link
has to be followed, its target is looked up in the same way, with the tree's top as `/`.

The shim imports this module, so it does without pathlib.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Mapping
from types import TracebackType

__all__ = [
    "DIRECTORY", "MAX_PATH", "PATH_ONLY", "DirectoryStack", "LastDirectory", "OpenTree", "entries", "open_directory",
    "open_file", "reopen",
]  # fmt: skip

#: More links and more steps than any honest path needs; `..` takes a step for each directory above it.
MAX_LINKS, MAX_STEPS = 255, 5000
#: The length of the longest path that a system call accepts, in bytes. Deeper files have no path.
MAX_PATH = 4095
#: So many directories on the way down are open at a time; the others are opened again on the way up.
MAX_OPEN = 8
PATH_ONLY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_directory(name: str, parent: int) -> int:
    """Open a directory in an open directory. Raise OSError if it is a link or anything else."""
    return os.open(name, DIRECTORY, dir_fd=parent)


def open_file(name: str, parent: int) -> int:
    """Open a regular file in an open directory for reading. Raise OSError if it is a link, a device or anything else.

    What it is becomes clear before it is opened, because opening a device or a pipe may have effects.
    """
    place = os.open(name, PATH_ONLY, dir_fd=parent)
    try:
        return reopen(place, os.O_RDONLY)
    finally:
        os.close(place)


def reopen(place: int, flags: int) -> int:
    """Open a regular file or a directory, of which there is a descriptor, with other flags. Raise OSError."""
    mode = os.fstat(place).st_mode
    if stat.S_ISDIR(mode):
        return os.open(".", flags | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return os.open(f"/proc/self/fd/{place}", flags | os.O_CLOEXEC)


class OpenTree:
    """A file tree, whose top is `/` for every path and every link in it.

    `mounts` says which directories and files of the tree are somewhere else on this machine: it maps their paths to
    those places, which the user has named and which are therefore trusted. Those in `read_only`, where `/` stands for
    the rest of the tree, are only for reading: `open_parent` and `make_directories` raise OSError there.
    """

    def __init__(
        self, root: str | os.PathLike[str], mounts: Mapping[str, str] | None = None, read_only: Collection[str] = ()
    ) -> None:
        self.root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.mounts: dict[str, str] = {}
        self.read_only = {"/"} & set(read_only)
        try:
            for target in sorted(mounts or {}):  # a mount may be below a link, or below another mount
                path = self.resolve(target)
                self.mounts[path] = (mounts or {})[target]
                if target in read_only:
                    self.read_only.add(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> OpenTree:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.root)

    def open(self, path: str, *, follow: bool = True) -> int:
        """Open what is at a path, only as a place: `os.fstat`, `os.readlink("", dir_fd=…)` and `reopen` work with it.

        Without `follow`, a link at the end of the path is opened itself. Raise OSError if there is nothing.
        """
        place, _ = self._walk(path, follow)
        return place

    def subtree(self, path: str) -> OpenTree:
        """Return the tree whose top is a directory of this one: no path and no link leads out of it. Raise OSError."""
        place, parts = self._walk(path, follow=True)
        try:
            tree = OpenTree(f"/proc/self/fd/{place}")
        finally:
            os.close(place)
        prefix = "/" + "".join(f"{part}/" for part in parts)
        below = {target: f"/{target.removeprefix(prefix)}" for target in self.mounts if target.startswith(prefix)}
        tree.mounts = {path: self.mounts[target] for target, path in below.items()}
        tree.read_only = {path for target, path in below.items() if target in self.read_only}
        if self._read_only_mount(parts):
            tree.read_only.add("/")
        return tree

    def open_parent(self, path: str, *, follow: bool = False) -> tuple[int, str]:
        """Open the directory that a path is in; return it with the last name, at which nothing need exist.

        With `follow`, a link at the end of the path is followed, so it may be another directory. The top of the tree
        has no name: then the name is `.`. Raise OSError if the directory does not exist.
        """
        place, parts = self._walk(path, follow, allow_missing=1)
        if place >= 0:
            os.close(place)
        if not parts:
            return os.dup(self.root), "."
        self._check_writable(parts[:-1])
        return self._plain(parts[:-1]), parts[-1]

    def make_directories(self, path: str, mode: int = 0o755) -> int:
        """Create the directories of a path that do not exist, and return the last one as a place. Raise OSError."""
        place, parts = self._walk(path, follow=True, make=mode)
        try:
            self._check_writable(parts)
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except BaseException:
            os.close(place)
            raise
        return place

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """Return a path without links, as the tree has it now. Nothing need exist there. Raise OSError for a circle.

        This is for showing and comparing, and never for opening.
        """
        place, parts = self._walk(path, follow, allow_missing=MAX_STEPS)
        if place >= 0:
            os.close(place)
        return "/" + "/".join(parts)

    def read_only_mount(self, path: str) -> str:
        """Return the path of the mount that a directory belongs to, if that is only for reading. Raise OSError."""
        return self._read_only_mount(_parts(self.resolve(path)))

    def exists(self, path: str) -> bool:
        """Tell whether there is something at a path, whose links are followed."""
        return self.mode(path) != 0

    def is_directory(self, path: str) -> bool:
        return stat.S_ISDIR(self.mode(path))

    def mode(self, path: str, *, follow: bool = True) -> int:
        """Return the type and permissions of what is at a path; 0 if there is nothing."""
        try:
            place = self.open(path, follow=follow)
        except OSError:
            return 0
        try:
            return os.fstat(place).st_mode
        finally:
            os.close(place)

    def read(self, path: str, limit: int) -> bytes:
        """Return at most so many bytes of a regular file. Raise OSError if there is none."""
        place = self.open(path)
        try:
            # Without O_NONBLOCK, a program that holds a lease on the file could delay this, see fcntl(2).
            with open(reopen(place, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                return file.read(limit)
        finally:
            os.close(place)

    # -- the way -----------------------------------------------------------------------------------------------

    def _walk(self, path: str, follow: bool, make: int = 0, allow_missing: int = 0) -> tuple[int, list[str]]:
        """Go to the end of a path; return the place, and its path without links.

        Missing directories are created with the mode `make`. If not, the last `allow_missing` names may be missing:
        then the place is -1.
        """
        pending = _parts(path)[::-1]
        parts: list[str] = []
        place, links, steps = os.dup(self.root), 0, 0
        try:
            while steps < MAX_STEPS:
                if not pending:
                    return place, parts
                name = pending.pop()
                steps += len(parts) if name == ".." else 1
                if name == "..":
                    parts = parts[:-1]
                    place = _exchange(place, self._plain(parts))
                    continue
                try:
                    entry = self._enter(place, parts, name, make)
                except (FileNotFoundError, NotADirectoryError):
                    if len(pending) >= allow_missing:
                        raise
                    os.close(place)
                    return -1, _without_dots([*parts, name, *pending[::-1]])
                if (pending or follow) and stat.S_ISLNK(os.fstat(entry).st_mode):
                    target = os.readlink("", dir_fd=entry)
                    os.close(entry)
                    links += 1
                    if links > MAX_LINKS:
                        break
                    if target.startswith("/"):
                        parts = []
                        place = _exchange(place, os.dup(self.root))
                    pending += _parts(target)[::-1]
                    continue
                parts.append(name)
                place = _exchange(place, entry)
            raise OSError(errno.ELOOP, f"too many levels of symbolic links: {path}")
        except BaseException:
            if place >= 0:
                os.close(place)
            raise

    def _enter(self, directory: int, parts: list[str], name: str, make: int) -> int:
        """Open an entry of a directory as a place, or what is mounted there."""
        if self.mounts and (source := self.mounts.get("/" + "/".join([*parts, name]))) is not None:
            return os.open(source, os.O_PATH | os.O_CLOEXEC)
        try:
            return os.open(name, PATH_ONLY, dir_fd=directory)
        except FileNotFoundError:
            if not make:
                raise
        self._check_writable(parts)
        with contextlib.suppress(FileExistsError):  # somebody else has just created it
            os.mkdir(name, make, dir_fd=directory)
        return os.open(name, PATH_ONLY, dir_fd=directory)

    def _check_writable(self, parts: list[str]) -> None:
        if self._read_only_mount(parts):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def _read_only_mount(self, parts: list[str]) -> str:
        """Return the mount that a directory without links belongs to, if that is only for reading."""
        for count in range(len(parts), -1, -1) if self.read_only else ():
            path = "/" + "/".join(parts[:count])
            if path in self.read_only:
                return path
            if path in self.mounts:
                break
        return ""

    def _plain(self, parts: list[str]) -> int:
        """Open a directory by names that are no links. Raise OSError if one has become a link since."""
        place = os.dup(self.root)
        try:
            for count, name in enumerate(parts):
                place = _exchange(place, self._enter(place, parts[:count], name, 0))
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "not a directory")
        except BaseException:
            os.close(place)
            raise
        return place


def _parts(path: str) -> list[str]:
    """Split a path. Raise OSError for a text that can't be a path."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise FileNotFoundError(errno.ENOENT, "not a valid path")
    if len(encoded) > MAX_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    return [part for part in path.split("/") if part not in ("", ".")]


def _without_dots(parts: list[str]) -> list[str]:
    plain: list[str] = []
    for part in parts:
        if part == "..":
            del plain[-1:]
        else:
            plain.append(part)
    return plain


def _exchange(old: int, new: int) -> int:
    os.close(old)
    return new


class DirectoryStack:
    """The open directories from the top of a walk down to the current one, however deep that is.

    At most `MAX_OPEN` are open at a time. On the way up, a closed one is opened again as `..`, and it has to be the
    same as on the way down: if it has been moved meanwhile, `leave` raises OSError.
    """

    def __init__(self, top: int) -> None:
        """Begin at an open directory, which stays open: the caller closes it."""
        self._open = [top]
        self._closed: list[tuple[int, int]] = []  # device and inode of the directories above those that are open
        self.depth = 0

    @property
    def current(self) -> int:
        """The descriptor of the current directory."""
        return self._open[-1]

    def enter(self, name: str) -> None:
        """Go down into a directory. Raise OSError if it is a link, or anything else."""
        self._open.append(open_directory(name, self.current))
        self.depth += 1
        if len(self._open) > MAX_OPEN:
            oldest = self._open.pop(1)  # the top belongs to the caller
            info = os.fstat(oldest)
            self._closed.append((info.st_dev, info.st_ino))
            os.close(oldest)

    def leave(self) -> None:
        """Go up. Raise OSError if the directory above can't be found again."""
        child = self._open.pop()
        self.depth -= 1
        try:
            if len(self._open) == 1 and self._closed:
                parent = open_directory("..", child)
                info = os.fstat(parent)
                if (info.st_dev, info.st_ino) != self._closed.pop():
                    os.close(parent)
                    raise OSError(errno.ESTALE, "a directory was moved meanwhile")
                self._open.append(parent)
        finally:
            os.close(child)

    def close(self) -> None:
        """Close everything but the top."""
        while len(self._open) > 1:
            os.close(self._open.pop())


class LastDirectory:
    """Opens directories of a tree by their paths, and keeps the last one open: most paths are in it, too."""

    def __init__(self, tree: OpenTree) -> None:
        self._tree = tree
        self._path, self._place = "", -1

    def open(self, path: str, *, make: bool = False) -> int:
        """Return a directory as a place, which is valid until the next call. With `make`, create it if necessary.

        Raise OSError if there is no such directory.
        """
        if self._place < 0 or path != self._path:
            place = self._open_below(path)
            self.close()
            if place < 0:
                place = self._tree.make_directories(path) if make else self._tree.open(path)
            self._path, self._place = path, place
        return self._place

    def _open_below(self, path: str) -> int:
        """Open a directory that is in the last one; return -1 if it is anywhere else, below a link, or a mount."""
        parent, _, name = path.rpartition("/")
        has_mounts = self._tree.mounts or self._tree.read_only
        if self._place < 0 or parent != self._path or name in ("", ".", "..") or has_mounts:
            return -1
        try:
            return os.open(name, PATH_ONLY | os.O_DIRECTORY, dir_fd=self._place)
        except OSError:
            return -1

    def close(self) -> None:
        """Close the directory, so that the next call looks its path up again."""
        if self._place >= 0:
            os.close(self._place)
        self._place = -1


def entries(directory: int) -> list[tuple[str, os.stat_result]]:
    """Return name and status of what is in an open directory, in order. What disappears meanwhile is left out."""
    listing: list[tuple[str, os.stat_result]] = []
    with os.scandir(directory) as scan:
        for entry in scan:
            try:
                listing.append((entry.name, entry.stat(follow_symlinks=False)))
            except OSError:
                continue
    listing.sort(key=lambda entry: entry[0])
    return listing
