"""Handlers of the image operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine import views
from dockerlab.engine.faults import NotFound
from dockerlab.engine.filters import parse
from dockerlab.engine.images import normal
from dockerlab.engine.messages import Answer, Request, json_answer

if TYPE_CHECKING:
    from dockerlab.engine.core import Engine
    from dockerlab.engine.images import Image

__all__ = ["HANDLERS", "image_history", "image_inspect", "image_list"]


async def image_list(engine: Engine, request: Request) -> Answer:
    """GET /images/json."""
    found = engine.images.list(parse(request.text("filters")))
    return json_answer([views.image_summary(image, request.version, engine.containers.using(image)) for image in found])


async def image_inspect(engine: Engine, request: Request) -> Answer:
    """GET /images/{name}/json."""
    image = _find(engine, request)
    return json_answer(views.image_inspect(image, request.version, str(engine.images.rootfs(image))))


async def image_history(engine: Engine, request: Request) -> Answer:
    """GET /images/{name}/history."""
    return json_answer(views.image_history(_find(engine, request)))


def _find(engine: Engine, request: Request) -> Image:
    image = engine.images.find(request.id)
    if image is None:
        raise NotFound(f"No such image: {normal(request.id)}")
    return image


HANDLERS = {"ImageList": image_list, "ImageInspect": image_inspect, "ImageHistory": image_history}
