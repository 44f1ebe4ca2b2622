"""The layers of all images: each an uncompressed tar, kept byte by byte under the digest of its content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.storage.unpack import guarded, members

__all__ = ["Layer", "Layers", "chain", "chains", "measured"]

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the digest of its tar, and how much its files hold."""

    diff_id: str
    size: int


class Layers:
    """All layers under one directory."""

    def __init__(self, root: Path) -> None:
        """Keep them under `root`; what a crash left half written is removed."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for path in root.glob("*.new"):
            path.unlink()

    def path(self, diff_id: str) -> Path:
        """Give the file of a layer."""
        return self.root / f"{diff_id.removeprefix('sha256:')}.tar"

    def has(self, diff_id: str) -> bool:
        """Is it here?"""
        return self.path(diff_id).is_file()

    def add(self, blocks: Iterable[bytes], held: set[str] | None = None) -> Layer:
        """Keep a tar that comes in pieces; its digest goes into `held` before it can be taken for rubbish.

        Raises LayerFault if it is none, and then nothing is kept.
        """
        handle, name = tempfile.mkstemp(".new", dir=self.root)
        digest, beside = hashlib.sha256(), Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                for block in blocks:
                    digest.update(block)
                    file.write(block)
            layer = Layer(f"sha256:{digest.hexdigest()}", measured(beside))
            if held is not None:
                held.add(layer.diff_id)
            beside.replace(self.path(layer.diff_id))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            raise
        return layer

    def get(self, diff_id: str) -> Layer:
        """Give one that is here."""
        return Layer(diff_id, measured(self.path(diff_id)))

    def read(self, diff_id: str) -> Iterator[bytes]:
        """Give its tar in pieces."""
        with self.path(diff_id).open("rb") as file:
            while block := file.read(BLOCK):
                yield block

    def length(self, diff_id: str) -> int:
        """Give the length of its tar."""
        return self.path(diff_id).stat().st_size

    def remove(self, diff_id: str) -> None:
        """Remove a layer, if it is here."""
        self.path(diff_id).unlink(missing_ok=True)

    def keep_only(self, wanted: set[str]) -> None:
        """Remove every other layer."""
        names = {self.path(diff_id).name for diff_id in wanted}
        for path in self.root.glob("*.tar"):
            if path.name not in names:
                path.unlink(missing_ok=True)


def measured(path: Path) -> int:
    """Add up what the files in a layer hold; a link counts as long as its target's name."""
    size = 0
    with path.open("rb") as file, guarded(file) as tar:
        for member in members(tar):
            size += member.size if member.isreg() else len(os.fsencode(member.linkname)) if member.issym() else 0
    return size


def chains(diff_ids: Iterable[str]) -> list[str]:
    """Give for each layer the digest that stands for it and all below it, as Docker names them."""
    made: list[str] = []
    for diff_id in diff_ids:
        both = f"{made[-1]} {diff_id}".encode() if made else b""
        made.append(f"sha256:{hashlib.sha256(both).hexdigest()}" if both else diff_id)
    return made


def chain(diff_ids: Iterable[str]) -> str:
    """Give the digest that stands for all these layers; an empty text for none."""
    return next(reversed(chains(diff_ids)), "")
