"""The file trees of images: one per stack of layers, with hard links to the files of the tree below it."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.engine.common.digests import digits_of
from dockerlab.engine.common.tree import DIRECTORY
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images.layers import chain_ids
from dockerlab.engine.storage import rootfs
from dockerlab.engine.storage.tree_copy import copy_tree
from dockerlab.engine.storage.unpack import apply_layer

if TYPE_CHECKING:
    from dockerlab.engine.images.layers import Layers

__all__ = ["Trees"]

EMPTY = "empty"
#: Docker's limit. An archive may name one layer thousands of times, and each time it would be unpacked.
MOST_LAYERS = 125
log = logging.getLogger("dockerlab.engine")


class Trees:
    """All trees below one directory. A finished tree is never changed."""

    def __init__(self, root: Path, layers: Layers) -> None:
        """Create the directory, and remove trees that a crash left incomplete."""
        self.root = root
        self.layers = layers
        self._lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True)
        for path in root.glob("new.*"):
            rootfs.discard(path)

    def path(self, chain_id: str) -> Path:
        """Return the path of a tree, whether it exists or not. Raises BadParameter for anything but a digest."""
        return self.root / (digits_of(chain_id) if chain_id else EMPTY)

    def get(self, diff_ids: list[str]) -> Path:
        """Return the tree of a stack of layers; create it first if necessary. Raises BadParameter, LayerFault."""
        chain = chain_ids(diff_ids)
        target = self.path(chain[-1] if chain else "")
        if target.is_dir():
            return target
        if len(chain) > MOST_LAYERS:
            raise BadParameter("max depth exceeded")
        with self._lock:
            if target.is_dir():
                return target
            # Start from the highest tree that exists, and apply only the layers above it.
            start = next((n for n in range(len(chain) - 1, 0, -1) if self.path(chain[n - 1]).is_dir()), 0)
            temporary = Path(tempfile.mkdtemp(prefix="new.", dir=self.root))
            try:
                temporary.chmod(0o755)
                if start:
                    _clone(self.path(chain[start - 1]), temporary)
                for diff_id in diff_ids[start:]:
                    with self.layers.path(diff_id).open("rb") as layer:
                        apply_layer(layer, temporary)
                temporary.rename(target)
            except BaseException:
                rootfs.remove(temporary)
                raise
        return target

    def adopt(self, tree: Path, chain_id: str) -> None:
        """Move a tree that was created elsewhere to its place."""
        target = self.path(chain_id)
        if target.is_dir():
            rootfs.remove(tree)
        else:
            tree.rename(target)

    def keep_only(self, ids: set[str]) -> None:
        names = {self.path(chain_id).name for chain_id in ids}
        with self._lock:
            for path in self.root.iterdir():
                if path.name not in names and not path.name.startswith("new."):
                    _remove_tree(path)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove some trees, if they exist."""
        with self._lock:
            for path in map(self.path, ids):
                if path.is_dir():
                    _remove_tree(path)


def _remove_tree(path: Path) -> None:
    """Rename a tree and then remove it, so that nobody can find one that is incomplete."""
    renamed = path.with_name(f"new.{path.name}")
    try:
        path.rename(renamed)
    except OSError:
        log.exception("could not rename the tree %s", path.name)
        return
    rootfs.discard_soon(renamed)


def _clone(source: Path, target: Path) -> None:
    """Create the same directories with hard links to the same files."""
    original, copy = os.open(source, DIRECTORY), os.open(target, DIRECTORY)
    try:
        copy_tree(original, copy, share_files=True)
    finally:
        os.close(original)
        os.close(copy)
