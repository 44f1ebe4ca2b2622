"""A container's file tree: a copy of its image's tree, in which hard links are kept.

It is a copy because root in a container may write into any file: a hard link to a file of the image would change the
image.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from dockerlab.engine.processes import user_namespace

__all__ = ["ENGINE_FILES", "copy_owner", "copy_tree", "create", "remove", "sizes"]

#: Files that the engine puts into every tree. They do not count as changes of the container.
ENGINE_FILES = {".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"}
MOUNT_POINTS = ("proc", "sys", "dev", "etc")


def create(image: Path, root: Path, hostname: str) -> None:
    """Create a container's tree from its image's."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    copy_tree(image, root)
    for name in MOUNT_POINTS:
        (root / name).mkdir(exist_ok=True)
    (root / ".dockerenv").touch(mode=0o755)
    # On rungs with mounts, the files that networks/hosts_files.py writes are mounted over these three.
    (root / "etc/hostname").write_text(f"{hostname}\n")
    (root / "etc/hosts").write_text(f"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n")
    resolver = Path("/etc/resolv.conf")
    (root / "etc/resolv.conf").write_bytes(resolver.read_bytes() if resolver.is_file() else b"")


def copy_tree(source: Path, target: Path) -> None:
    """Copy what is in a directory into another one, with owners, modes, times and hard links among the files."""
    _copy_directory(str(source), str(target), {}, user_namespace.can_change_owner())


def _copy_directory(source: str, target: str, copies: dict[tuple[int, int], str], with_owners: bool) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            info, path = entry.stat(follow_symlinks=False), f"{target}/{entry.name}"
            if stat.S_ISDIR(info.st_mode):
                os.mkdir(path)  # noqa: PTH102  (thousands of files: os is several times faster than pathlib)
                _copy_directory(entry.path, path, copies, with_owners)
                continue
            if stat.S_ISLNK(info.st_mode):
                os.symlink(os.readlink(entry.path), path)  # noqa: PTH115, PTH211
            elif (first := copies.get((info.st_dev, info.st_ino))) is not None:
                os.link(first, path)
                continue
            elif stat.S_ISREG(info.st_mode):
                shutil.copy2(entry.path, path)
                if info.st_nlink > 1:
                    copies[info.st_dev, info.st_ino] = path
            else:
                continue
            if with_owners:
                copy_owner(path, info)
    shutil.copystat(source, target)
    if with_owners:
        copy_owner(target, os.lstat(source))


def copy_owner(path: str, info: os.stat_result) -> None:
    """Give a copy its original's owner. chown clears the set-user-ID bits, see chown(2), so the mode is set again."""
    if (info.st_uid, info.st_gid) == (0, 0):
        return  # the engine itself runs as this user, so the copy has the right owner already
    os.chown(path, info.st_uid, info.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(path, stat.S_IMODE(info.st_mode))  # noqa: PTH101


def remove(root: Path) -> None:
    """Remove a container's tree, even if its processes have taken away the permission to do so."""

    def allow(_: object, path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
        if issubclass(error[0], FileNotFoundError):
            return  # something else has removed it meanwhile
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)

    if root.exists():
        shutil.rmtree(root, onerror=allow)


def sizes(image: Path, root: Path) -> tuple[int, int]:
    """Return the bytes that a container has written, and the bytes of all its files; hard links count once."""
    originals = {name: (info.st_size, info.st_mtime_ns) for name, info in _files(image)}
    written = total = 0
    for name, info in _files(root):
        if name in ENGINE_FILES:
            continue
        total += info.st_size
        if originals.get(name) != (info.st_size, info.st_mtime_ns):
            written += info.st_size
    return written, total


def _files(root: Path) -> list[tuple[str, os.stat_result]]:
    """Return path and status of each file, without further hard links to the same file."""
    inodes: set[int] = set()
    files = []
    for directory, _, names in os.walk(root):
        for name in names:
            path = f"{directory}/{name}"
            try:
                info = os.lstat(path)
            except OSError:
                continue
            if info.st_ino not in inodes:
                inodes.add(info.st_ino)
                files.append((os.path.relpath(path, root), info))
    return files
