"""How much room things take, as GET /system/df tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.views import container as container_view
from dockerlab.engine.api.views import image as image_view

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["KINDS", "data_usage"]

KINDS = ("container", "image", "volume", "build-cache")
Record = dict[str, Any]


def data_usage(engine: Engine, version: tuple[int, ...], kinds: list[str]) -> Record:
    """Measure what was asked for, or everything."""
    wanted = set(kinds or KINDS)
    made: Record = {}
    if "image" in wanted:
        made["LayersSize"] = sum(engine.images.layers.get(layer).size for layer in engine.images.all_layers())
        made["Images"] = _images(engine, version)
    elif not kinds:
        made["LayersSize"] = 0
    if "container" in wanted:
        made["Containers"] = [
            container_view.summary(one, version, container_view.sizes(one, engine.containers.image_tree(one)))
            for one in list(engine.containers)
        ]
    if "volume" in wanted:
        made["Volumes"] = [
            {**record, "UsageData": {"RefCount": len(engine.volumes.users.get(name, ())), "Size": size}}
            for name, record in list(engine.volumes.all.items())
            for size in (engine.volumes.size(name),)
        ]
    if "build-cache" in wanted:
        made["BuildCache"] = None if version < (1, 42) else []
    if version < (1, 42):
        made["BuilderSize"] = 0
    return made


def _images(engine: Engine, version: tuple[int, ...]) -> list[Record]:
    containers, made = list(engine.containers), []
    for image in list(engine.images.all.values()):
        users = sum(container.record.image_id == image.id for container in containers)
        shared = image_view.shared(image, engine.images)
        made.append(image_view.summary(image, version, users, shared) | {"Containers": users})
    return made
