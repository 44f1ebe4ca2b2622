"""Makes an image on top of another one: a container's changes as one more layer, and one more step of the history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import now
from dockerlab.engine.images.base_image import architecture
from dockerlab.engine.images.images import canonical_json

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["Step", "commit"]

#: The digest of a tar without members, which is never kept as a layer.
EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
VERSION = "0.1.0"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What is told of how an image was made: `created_by` in its history, the rest in its inspect, too."""

    created_by: str
    author: str = ""
    comment: str = ""
    container: str = ""
    container_config: Record = field(default_factory=dict)


def commit(images: Images, parent: Image | None, layer: Iterable[bytes] | None, config: Record, step: Step) -> Image:
    """Make the image, with one more layer if there is one. Nothing is told or tagged.

    Raises OSError, LayerFault.
    """
    moment, layers = now(), parent.layers if parent is not None else []
    empty = True
    with images.hold_layers() as held:
        held.update(layers)
        if layer is not None:
            made = images.layers.add(layer, held)
            empty = made.diff_id == EMPTY
            layers = layers if empty else [*layers, made.diff_id]
        document = _document(parent, config, step, moment)
        document["history"] = [*(parent.history if parent is not None else []), _history(step, moment, empty)]
        document["rootfs"] = {"type": "layers", "diff_ids": layers}
        return images.register(canonical_json(document), tags=[], parent=parent.id if parent is not None else "")


def _document(parent: Image | None, config: Record, step: Step, moment: str) -> Record:
    before = parent.document if parent is not None else {}
    document: Record = {
        "architecture": before.get("architecture") or architecture(),
        "config": config,
        "created": moment,
        "docker_version": VERSION,
        "os": before.get("os") or "linux",
    }
    for name in ("variant", "os.version", "os.features"):
        if before.get(name):
            document[name] = before[name]
    for name in ("author", "container", "container_config"):
        if value := getattr(step, name):
            document[name] = value
    return document


def _history(step: Step, moment: str, empty: bool) -> Record:
    made: Record = {"created": moment}
    for name in ("created_by", "author", "comment"):
        if value := getattr(step, name):
            made[name] = value
    if empty:
        made["empty_layer"] = True
    return made
