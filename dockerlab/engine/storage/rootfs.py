"""A container's file tree: a copy of its image's tree, in which hard links are kept.

It is a copy because root in a container may write into any file: a hard link to a file of the image would change the
image.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from pathlib import Path

from dockerlab.engine.common.tree import DIRECTORY, open_directory
from dockerlab.engine.storage import tree_removal
from dockerlab.engine.storage.tree_copy import CREATE, copy_tree
from dockerlab.engine.storage.tree_walk import walk

__all__ = ["ENGINE_DIRECTORIES", "ENGINE_FILES", "MOUNTED", "create", "discard", "discard_soon", "remove", "sizes"]

#: Files that the engine puts into every tree. They do not count as changes of the container.
ENGINE_FILES = {".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"}
#: The engine mounts these directories, so their content is not the container's.
MOUNTED = ("proc", "sys", "dev")
#: Directories that every tree has. An image's link or file in their place is hidden, as Docker does.
ENGINE_DIRECTORIES = (*MOUNTED, "etc")
PATIENCE_SECONDS = 0.1


def create(image: Path, root: Path, hostname: str) -> None:
    """Create a container's tree from its image's."""
    remove(root)
    root.mkdir()
    source, target = os.open(image, DIRECTORY), os.open(root, DIRECTORY)
    try:
        copy_tree(source, target)
        _add_engine_files(target, hostname)
    finally:
        os.close(source)
        os.close(target)


def _add_engine_files(root: int, hostname: str) -> None:
    """Add the directories and files that every container has. What the image has in their places is not followed."""
    for name in ENGINE_DIRECTORIES:
        if not stat.S_ISDIR(_mode(root, name)):
            tree_removal.remove(root, name)
            os.mkdir(name, 0o755, dir_fd=root)
    resolver = Path("/etc/resolv.conf")
    etc = open_directory("etc", root)
    try:
        _write(root, ".dockerenv", b"", 0o755)
        # On rungs with mounts, the files that networks/hosts_files.py writes are mounted over these three.
        _write(etc, "hostname", f"{hostname}\n".encode())
        _write(etc, "hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n".encode())
        _write(etc, "resolv.conf", resolver.read_bytes() if resolver.is_file() else b"")
    finally:
        os.close(etc)


def _mode(directory: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def _write(directory: int, name: str, content: bytes, mode: int = 0o644) -> None:
    """Write a new file in the place of whatever has its name."""
    tree_removal.remove(directory, name)
    with os.fdopen(os.open(name, CREATE, mode, dir_fd=directory), "wb") as file:
        file.write(content)


def remove(root: Path) -> None:
    """Remove a container's tree, even if its processes have taken away the permission to do so. Raise OSError."""
    with contextlib.suppress(FileNotFoundError):
        directory = os.open(root.parent, DIRECTORY)
        try:
            tree_removal.remove(directory, root.name)
        finally:
            os.close(directory)


def discard(root: Path) -> None:
    """Remove a tree as far as possible; what remains is removed when its name is used again, or by the next engine."""
    with contextlib.suppress(OSError):
        remove(root)


def discard_soon(root: Path) -> None:
    """Do the same as `discard`, in a thread if it takes long: a tree of a million files keeps no other client waiting.

    Nothing else may use the path of the tree any more.
    """
    thread = threading.Thread(target=discard, args=(root,), daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)


def sizes(image: Path, root: Path) -> tuple[int, int]:
    """Return the bytes that a container has written, and the bytes of all its files; hard links count once."""
    written = total = 0
    seen: set[tuple[int, int]] = set()
    before, after = os.open(image, DIRECTORY), os.open(root, DIRECTORY)
    try:
        for entry in walk(after, before, whole=True):
            info, original = entry.info, entry.other_info
            if info is None or stat.S_ISDIR(info.st_mode) or entry.path in ENGINE_FILES:
                continue
            if info.st_nlink > 1:
                if (info.st_dev, info.st_ino) in seen:
                    continue
                seen.add((info.st_dev, info.st_ino))
            total += info.st_size
            if original is None or (info.st_size, info.st_mtime_ns) != (original.st_size, original.st_mtime_ns):
                written += info.st_size
    finally:
        os.close(before)
        os.close(after)
    return written, total
