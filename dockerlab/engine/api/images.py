"""Handlers of the image operations, apart from those that speak with a registry."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.threads import threaded
from dockerlab.engine.api.views import image as image_view
from dockerlab.engine.common.filters import parse
from dockerlab.engine.containers.commit import commit_container, image_config
from dockerlab.engine.faults import BadParameter, Fault, NotFound, NotServed
from dockerlab.engine.http.messages import Request, Response, json_lines_response, json_response, stream_response
from dockerlab.engine.images import archives, import_tar, references, removal
from dockerlab.engine.images import filters as image_filters
from dockerlab.engine.images.instructions import apply_changes

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = [
    "HANDLERS",
    "image_commit",
    "image_delete",
    "image_get",
    "image_get_all",
    "image_history",
    "image_import",
    "image_inspect",
    "image_list",
    "image_load",
    "image_prune",
    "image_search",
    "image_tag",
    "trouble",
]

SHARED_SIZE = (1, 42)
Record = dict[str, Any]


async def image_list(engine: Engine, request: Request) -> Response:
    """GET /images/json."""
    filters = parse(request.text("filters"))
    found = image_filters.images_to_list(engine.images, filters, request.flag("all"))
    sized = request.flag("shared-size") and request.version >= SHARED_SIZE
    made = []
    for image in found:
        shared = image_view.shared(image, engine.images) if sized else -1
        told = image_view.summary(image, request.version, engine.containers.count_using(image), shared)
        made.append(image_filters.remove_unmatched_names(told, filters))
    return json_response(made)


async def image_inspect(engine: Engine, request: Request) -> Response:
    """GET /images/{name}/json."""
    image = engine.images.require(request.id)
    directory = await asyncio.to_thread(engine.images.rootfs, image)
    return json_response(image_view.inspect(image, request.version, str(directory)))


async def image_history(engine: Engine, request: Request) -> Response:
    """GET /images/{name}/history."""
    return json_response(image_view.history(engine.images.require(request.id), engine.images))


async def image_tag(engine: Engine, request: Request) -> Response:
    """POST /images/{name}/tag."""
    image = engine.images.require(request.id)
    if not request.text("repo"):
        return Response(200)
    engine.images.tag(image, references.parse_with_tag(request.text("repo"), request.text("tag")))
    return Response(201)


async def image_delete(engine: Engine, request: Request) -> Response:
    """DELETE /images/{name}."""
    told = removal.remove(
        engine.images,
        engine.containers.records(),
        request.id,
        force=request.flag("force"),
        keep_parents=request.flag("noprune"),
    )
    return json_response(told)


async def image_prune(engine: Engine, request: Request) -> Response:
    """POST /images/prune."""
    told, freed = removal.prune(engine.images, engine.containers.records(), parse(request.text("filters")))
    engine.events.publish("image", "prune", "", {"reclaimed": str(freed)})
    return json_response({"ImagesDeleted": told or None, "SpaceReclaimed": freed})


async def image_get(engine: Engine, request: Request) -> Response:
    """GET /images/{name}/get."""
    return _saved(engine, [request.id], f"No such image: {request.id}")


async def image_get_all(engine: Engine, request: Request) -> Response:
    """GET /images/get."""
    return _saved(
        engine,
        [name for names in request.query.get("names", []) for name in names.split(",") if name],
        "reference does not exist",
    )


def _saved(engine: Engine, names: list[str], refusal: str) -> Response:
    wanted: dict[str, list[str]] = {}
    for name in names:
        image = engine.images.find(name)
        if image is None:
            raise NotFound(refusal)
        tag = references.familiar(name)
        wanted.setdefault(image.id, []).extend([tag] if tag in image.tags else [])
    chosen = [(engine.images.all[identity], tags) for identity, tags in wanted.items()]
    for image, _ in chosen:
        engine.images.publish_event("save", image, image.id)
    return stream_response(threaded(archives.save(engine.images, chosen)), "application/x-tar")


async def image_load(engine: Engine, request: Request) -> Response:
    """POST /images/load: a line for each image."""
    upload = request.upload or io.BytesIO()

    async def lines() -> AsyncIterator[Record]:
        try:
            for text in await asyncio.to_thread(lambda: list(archives.load(engine.images, upload))):
                yield {"stream": text}
        except Fault as fault:
            yield trouble(str(fault))

    return json_lines_response(lines())


def trouble(text: str) -> Record:
    """Tell, in a stream that has begun, that something went wrong."""
    return {"errorDetail": {"message": text}, "error": text}


async def image_import(engine: Engine, request: Request) -> Response:
    """POST /images/create with `fromSrc`: a file tree, as a tar, becomes an image."""
    if request.text("fromSrc") != "-":
        raise NotServed("the practice engine imports what is sent to it (fromSrc=-), and fetches nothing by itself")
    reference = None
    if request.text("repo"):
        reference = references.parse_with_tag(request.text("repo"), request.text("tag"))
    config = apply_changes({}, request.query.get("changes", []))
    message = request.text("message") or "Imported from -"
    upload = request.upload or io.BytesIO()

    async def lines() -> AsyncIterator[Record]:
        try:
            image = await asyncio.to_thread(import_tar.import_tar, engine.images, upload, config, message, reference)
        except Fault as fault:
            yield trouble(str(fault))
        else:
            yield {"status": image.id}

    return json_lines_response(lines())


async def image_commit(engine: Engine, request: Request) -> Response:
    """POST /commit: a container's files and configuration become an image."""
    name = request.text("container")
    if not name:
        raise BadParameter('invalid name or ID supplied: ""')
    container = engine.containers.find(name)
    reference = None
    if request.text("repo"):
        reference = references.parse_with_tag(request.text("repo"), request.text("tag"))
    asked = json.loads(request.body) if request.body.strip() else {}
    config = image_config(container.record, asked if isinstance(asked, dict) else {}, request.query.get("changes", []))
    pause = request.flag("pause", True) and container.state["Status"] == "running"
    if pause:
        await container.pause()
    try:
        image = await asyncio.to_thread(
            commit_container,
            engine.images,
            container.record,
            config,
            author=request.text("author"),
            comment=request.text("comment"),
        )
    finally:
        if pause:
            with contextlib.suppress(Fault):  # it has ended meanwhile
                await container.unpause()
    if reference is not None:
        engine.images.tag(image, reference)
    engine.events.publish_container("commit", container.record, comment=request.text("comment"), imageID=image.id)
    return json_response({"Id": image.id}, 201)


async def image_search(engine: Engine, request: Request) -> Response:
    """GET /images/search."""
    raise NotServed("the practice engine knows no index to search: Docker asks Docker Hub for this")


HANDLERS = {
    "ImageList": image_list,
    "ImageInspect": image_inspect,
    "ImageHistory": image_history,
    "ImageTag": image_tag,
    "ImageDelete": image_delete,
    "ImagePrune": image_prune,
    "ImageGet": image_get,
    "ImageGetAll": image_get_all,
    "ImageLoad": image_load,
    "ImageCommit": image_commit,
    "ImageSearch": image_search,
}
