"""The disk usage of images, containers and volumes as JSON, for GET /system/df."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.views import container as container_view
from dockerlab.engine.api.views import image as image_view
from dockerlab.engine.api.views.items import items

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.images.images import Image

__all__ = ["KINDS", "data_usage"]

KINDS = ("container", "image", "volume", "build-cache")
Record = dict[str, Any]


def data_usage(engine: Engine, version: tuple[int, ...], kinds: list[str]) -> Record:
    """Return the usage of the requested kinds, or of all of them."""
    selected = set(kinds or KINDS)
    document: Record = {}
    if "image" in selected:
        document["LayersSize"] = engine.images.layers_size()
        document["Images"] = _images(engine, version)
    elif not kinds:
        document["LayersSize"] = 0
    if "container" in selected:
        document["Containers"] = _containers(engine, version)
    if "volume" in selected:
        document["Volumes"] = _volumes(engine)
    if "build-cache" in selected:
        document["BuildCache"] = None if version < (1, 42) else []
    if version < (1, 42):
        document["BuilderSize"] = 0
    return document


def _images(engine: Engine, version: tuple[int, ...]) -> list[Record]:
    containers = list(engine.containers)

    def summary(image: Image) -> Record:
        users = sum(container.record.image_id == image.id for container in containers)
        shared_size = image_view.shared_size(image, engine.images)
        return image_view.summary(image, version, users, shared_size) | {"Containers": users}

    return items(list(engine.images.all.values()), summary)


def _containers(engine: Engine, version: tuple[int, ...]) -> list[Record]:
    def summary(container: Container) -> Record:
        return container_view.summary(container, version, container_view.sizes(container, engine.images))

    return items(list(engine.containers), summary)


def _volumes(engine: Engine) -> list[Record]:
    return [
        {
            **volume,
            "UsageData": {"RefCount": len(engine.volumes.users.get(name, ())), "Size": engine.volumes.size(name)},
        }
        for name, volume in list(engine.volumes.all.items())
    ]
