"""Migrates the images of older versions, which had one file tree per image and stored no layers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.digests import digits_of, is_digest
from dockerlab.engine.images.layers import chain_id
from dockerlab.engine.storage import rootfs, tar_writer

if TYPE_CHECKING:
    from dockerlab.engine.images.layers import Layers
    from dockerlab.engine.images.trees import Trees

__all__ = ["is_old", "migrate", "remove_old_tree"]

Record = dict[str, Any]
OLD_FIELDS = {"id": str, "tags": list, "architecture": str, "created": str, "config": dict, "history": list}


def migrate(root: Path, layers: Layers, trees: Trees) -> Iterator[tuple[Record, bytes]]:
    """Yield the record of each old image with its new configuration.

    The image keeps its old id, because containers refer to it.
    """
    for path in sorted(root.glob("*.json")):
        record = json_files.read(path)
        if not _is_old_record(record, path) or not (tree := _old_tree(root, record)).is_dir():
            continue
        layer = layers.add(tar_writer.export(tree))
        trees.adopt(tree, chain_id([layer.diff_id]))
        document = {
            "architecture": record["architecture"],
            "os": "linux",
            "created": record["created"],
            "config": record["config"],
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": record["history"],
        }
        yield record, json.dumps(document, sort_keys=True).encode()


def is_old(path: Path) -> bool:
    """Return whether a file is the record of an old image."""
    return _is_old_record(json_files.read(path), path)


def _is_old_record(record: Any, path: Path) -> bool:
    """Return whether a record has an old image's fields, and the id that is the name of its file."""
    return (
        isinstance(record, dict)
        and "sizes" not in record
        and all(isinstance(record.get(name), kind) for name, kind in OLD_FIELDS.items())
        and is_digest(record["id"])
        and record["id"] == f"sha256:{path.stem}"
    )


def remove_old_tree(root: Path, record: Record) -> None:
    """Remove what is left of an old image's tree."""
    rootfs.discard(_old_tree(root, record))


def _old_tree(root: Path, record: Record) -> Path:
    return root / digits_of(record["id"])
