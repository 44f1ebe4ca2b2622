"""How much room things take, as GET /system/df tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine import views

if TYPE_CHECKING:
    from dockerlab.engine.core import Engine

__all__ = ["data_usage"]


def data_usage(engine: Engine, version: tuple[int, ...]) -> dict[str, Any]:
    """Measure images and containers; there are no volumes and no build cache yet."""
    containers = list(engine.containers)
    images = []
    for image in list(engine.images.all.values()):
        users = sum(container.record["Image"] == image.id for container in containers)
        images.append(views.image_summary(image, version, users) | {"Containers": users, "SharedSize": 0})
    made: dict[str, Any] = {
        "LayersSize": sum(image["Size"] for image in images),
        "Images": images,
        "Containers": [views.summary(one, version, views.sizes(one, engine.images)) for one in containers],
        "Volumes": [],
        "BuildCache": None if version < (1, 42) else [],
    }
    if version < (1, 42):
        made["BuilderSize"] = 0
    return made
