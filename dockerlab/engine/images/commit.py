"""Creates an image on top of a parent image: one more step of the history and, if files changed, one more layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dockerlab import __version__
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.images.base_image import architecture
from dockerlab.engine.images.images import canonical_json

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["Step", "commit_step"]

#: The digest of a tar without members, which doesn't become a layer.
EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """How an image was created. The history shows the first three fields, inspect shows all but the first."""

    created_by: str
    author: str = ""
    comment: str = ""
    container: str = ""
    container_config: Record = field(default_factory=dict)


def commit_step(
    images: Images, parent: Image | None, layer: Iterable[bytes] | None, config: Record, step: Step
) -> Image:
    """Create an image, without a tag and without an event. Raises OSError, LayerFault.

    `layer` is a tar in blocks; it is None for a step that changes only the configuration.
    """
    created = now()
    layers = parent.layers if parent is not None else []
    history = parent.history if parent is not None else []
    is_empty = True
    with images.hold_layers() as held:
        held.update(layers)
        if layer is not None:
            new_layer = images.layers.add(layer, held).diff_id
            is_empty = new_layer == EMPTY_LAYER
            layers = layers if is_empty else [*layers, new_layer]
        document = _document(parent, config, step, created)
        document["history"] = [*history, _history_entry(step, created, is_empty)]
        document["rootfs"] = {"type": "layers", "diff_ids": layers}
        parent_id = parent.id if parent is not None else ""
        image = images.register(canonical_json(document), tags=[], parent=parent_id, built_here=True)
    if layer is not None and is_empty:
        images.remove_if_unused({EMPTY_LAYER})
    return image


def _document(parent: Image | None, config: Record, step: Step, created: str) -> Record:
    parent_document = parent.document if parent is not None else {}
    document: Record = {
        "architecture": parent_document.get("architecture") or architecture(),
        "config": config,
        "created": created,
        "docker_version": __version__,
        "os": parent_document.get("os") or "linux",
    }
    for name in ("variant", "os.version", "os.features"):
        if parent_document.get(name):
            document[name] = parent_document[name]
    for name in ("author", "container", "container_config"):
        if value := getattr(step, name):
            document[name] = value
    return document


def _history_entry(step: Step, created: str, is_empty: bool) -> Record:
    entry: Record = {"created": created}
    for name in ("created_by", "author", "comment"):
        if value := getattr(step, name):
            entry[name] = value
    if is_empty:
        entry["empty_layer"] = True
    return entry
