"""The file trees of images: one for each chain of layers, hard-linked to the tree that it was made from."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.engine.images.layers import chains
from dockerlab.engine.processes import user_namespace
from dockerlab.engine.storage import rootfs
from dockerlab.engine.storage.unpack import apply

if TYPE_CHECKING:
    from dockerlab.engine.images.layers import Layers

__all__ = ["Trees"]

EMPTY = "empty"
#: A file system allows a file some 65,000 names, and a tree may bring hundreds.
MOST_NAMES = 60_000


class Trees:
    """All trees under one directory. Nothing ever writes into one that is finished."""

    def __init__(self, root: Path, layers: Layers) -> None:
        """Keep them under `root`; what a crash left half made is removed."""
        self.root = root
        self.layers = layers
        self._lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True)
        for path in root.glob("new.*"):
            rootfs.remove(path)

    def path(self, chain_id: str) -> Path:
        """Give the place of a tree, whether it is there or not."""
        return self.root / (chain_id.removeprefix("sha256:") or EMPTY)

    def get(self, diff_ids: list[str], done: Callable[[str], None] | None = None) -> Path:
        """Give the tree of these layers; make it if it isn't there. `done` hears of each layer as it is applied.

        Raises LayerFault.
        """
        names = chains(diff_ids)
        target = self.path(names[-1] if names else "")
        if target.is_dir():
            return target
        with self._lock:
            if target.is_dir():
                return target
            known = next((n for n in range(len(names) - 1, 0, -1) if self.path(names[n - 1]).is_dir()), 0)
            fresh = Path(tempfile.mkdtemp(prefix="new.", dir=self.root))
            try:
                fresh.chmod(0o755)
                if known:
                    _clone(str(self.path(names[known - 1])), str(fresh), {}, user_namespace.many())
                for diff_id in diff_ids[known:]:
                    with self.layers.path(diff_id).open("rb") as layer:
                        apply(layer, fresh)
                    if done is not None:
                        done(diff_id)
                fresh.rename(target)
            except BaseException:
                rootfs.remove(fresh)
                raise
        return target

    def adopt(self, tree: Path, chain_id: str) -> None:
        """Take a tree that was made elsewhere; it is moved here."""
        target = self.path(chain_id)
        if target.is_dir():
            rootfs.remove(tree)
        else:
            tree.rename(target)

    def keep_only(self, wanted: set[str]) -> None:
        """Remove every other tree."""
        names = {self.path(chain_id).name for chain_id in wanted}
        with self._lock:
            for path in self.root.iterdir():
                if path.name not in names:
                    _take_away(path)

    def remove(self, chain_ids: Iterable[str]) -> None:
        """Remove some, as far as they are here."""
        with self._lock:
            for path in map(self.path, chain_ids):
                if path.is_dir():
                    _take_away(path)


def _take_away(path: Path) -> None:
    """Remove a tree; first it goes out of the way, so that no half of it is ever found."""
    gone = path.with_name(f"new.{path.name}")
    path.rename(gone)
    rootfs.remove(gone)


def _clone(source: str, target: str, copies: dict[int, str], owned: bool) -> None:
    """Make the same tree with the same files in new directories. A file that has too many names is copied once."""
    with os.scandir(source) as entries:
        for entry in entries:
            there = f"{target}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                os.mkdir(there)  # noqa: PTH102
                _clone(entry.path, there, copies, owned)
                continue
            info = entry.stat(follow_symlinks=False)
            if info.st_nlink > MOST_NAMES and info.st_ino not in copies:
                copies[info.st_ino] = there
                shutil.copy2(entry.path, there, follow_symlinks=False)
                if owned:
                    rootfs.own(there, info)
            else:
                os.link(copies.get(info.st_ino, entry.path), there, follow_symlinks=False)
    shutil.copystat(source, target)
    if owned:
        rootfs.own(target, os.lstat(source))
