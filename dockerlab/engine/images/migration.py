"""Takes over the images of an older engine, whose images had one layer each and kept no tar of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.images.layers import chain
from dockerlab.engine.storage import tar_writer

if TYPE_CHECKING:
    from dockerlab.engine.images.layers import Layers
    from dockerlab.engine.images.trees import Trees

__all__ = ["forget", "images"]

Record = dict[str, Any]


def images(root: Path, layers: Layers, trees: Trees) -> Iterator[tuple[Record, bytes]]:
    """Give each old record with the configuration that it gets. It keeps its id, since containers name it."""
    for path in sorted(root.glob("*.json")):
        record = json_files.read(path)
        if not isinstance(record, dict) or "config" not in record or "layers" not in record:
            continue
        tree = root / record["id"].removeprefix("sha256:")
        if not tree.is_dir():
            continue
        layer = layers.add(tar_writer.export(tree))
        trees.adopt(tree, chain([layer.diff_id]))
        document = {
            "architecture": record["architecture"],
            "os": "linux",
            "created": record["created"],
            "config": record["config"],
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": record["history"],
        }
        yield record, json.dumps(document, sort_keys=True).encode()


def forget(root: Path, record: Record) -> None:
    """Remove what is left of an old image."""
    shutil.rmtree(root / record["id"].removeprefix("sha256:"), ignore_errors=True)
