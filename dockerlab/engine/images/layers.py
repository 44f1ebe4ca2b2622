"""The layers of all images: each is an uncompressed tar, stored unchanged under the digest of its content."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.common.cancellable_threads import check_cancelled
from dockerlab.engine.common.digests import digits_of, is_digest
from dockerlab.engine.storage.file_content import write_sparse
from dockerlab.engine.storage.unpack import LayerFault, iterate_members, open_untrusted

__all__ = ["Layer", "Layers", "chain_id", "chain_ids"]

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the digest of its tar, and the size of its files in bytes."""

    diff_id: str
    size: int


class Layers:
    """All layers below one directory."""

    def __init__(self, root: Path) -> None:
        """Create the directory, and remove files that a crash left incomplete."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for path in root.glob("*.new"):
            with contextlib.suppress(OSError):
                path.unlink()

    def path(self, diff_id: str) -> Path:
        """Return the path of a layer's tar, whether the layer exists or not. Raises BadParameter."""
        return self.root / f"{digits_of(diff_id)}.tar"

    def has(self, diff_id: str) -> bool:
        """Return whether a layer is stored. A text that is not a digest names no layer."""
        return is_digest(diff_id) and self.path(diff_id).is_file()

    def add(
        self, blocks: Iterable[bytes], held: set[str] | None = None, check: Callable[[str], None] | None = None
    ) -> Layer:
        """Store a tar that arrives in blocks. Raises LayerFault if it is not a tar, and then stores nothing.

        The digest is added to `held` before the layer appears, so that no concurrent removal deletes it. `check` gets
        the digest first; if it raises a fault, nothing is stored either.
        """
        handle, name = tempfile.mkstemp(".new", dir=self.root)
        checksum, temporary = hashlib.sha256(), Path(name)
        try:
            try:
                _write(handle, blocks, checksum.update)
            finally:
                os.close(handle)
            layer = Layer(f"sha256:{checksum.hexdigest()}", _content_size(temporary))
            if check is not None:
                check(layer.diff_id)
            if held is not None:
                held.add(layer.diff_id)
            temporary.replace(self.path(layer.diff_id))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        return layer

    def get(self, diff_id: str) -> Layer:
        """Return a layer that exists."""
        return Layer(diff_id, _content_size(self.path(diff_id)))

    def read(self, diff_id: str) -> Iterator[bytes]:
        """Yield a layer's tar in blocks."""
        with self.path(diff_id).open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block

    def length(self, diff_id: str) -> int:
        """Return the length of a layer's tar in bytes."""
        return self.path(diff_id).stat().st_size

    def remove(self, diff_id: str) -> None:
        self.path(diff_id).unlink(missing_ok=True)

    def keep_only(self, diff_ids: set[str]) -> None:
        names = {self.path(diff_id).name for diff_id in diff_ids}
        for path in self.root.glob("*.tar"):
            if path.name not in names:
                with contextlib.suppress(OSError):
                    path.unlink()


def _write(file: int, blocks: Iterable[bytes], update: Callable[[bytes], None]) -> None:
    """Write a layer. Raises OSError if it is larger than the free space, although zeros take up no space.

    So the layer of a sparse file is as small as the file, but a file of many terabytes keeps nobody busy.
    """
    space = os.fstatvfs(file)
    free_bytes = space.f_bavail * space.f_frsize
    for block in blocks:
        check_cancelled()
        free_bytes -= len(block)
        if free_bytes < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        update(block)
        write_sparse(file, block)
    os.ftruncate(file, os.lseek(file, 0, os.SEEK_CUR))


def _content_size(path: Path) -> int:
    """Return the total size of the files in a tar; a symbolic link is as long as its target's path."""
    try:
        return _member_sizes(path)
    except (tarfile.TarError, EOFError, ValueError, OverflowError):
        raise LayerFault("unexpected EOF") from None


def _member_sizes(path: Path) -> int:
    size = 0
    with path.open("rb") as file, open_untrusted(file) as tar:
        for member in iterate_members(tar):
            if member.size < 0:
                raise ValueError("a size is negative")
            size += member.size if member.isreg() else len(os.fsencode(member.linkname)) if member.issym() else 0
    return size


def chain_ids(diff_ids: Iterable[str]) -> list[str]:
    """Return for each layer the digest of the stack that ends with it, as the OCI image specification defines it."""
    ids: list[str] = []
    for diff_id in diff_ids:
        ids.append(f"sha256:{hashlib.sha256(f'{ids[-1]} {diff_id}'.encode()).hexdigest()}" if ids else diff_id)
    return ids


def chain_id(diff_ids: Iterable[str]) -> str:
    """Return the digest of a whole stack of layers; an empty string for no layers."""
    return next(reversed(chain_ids(diff_ids)), "")
