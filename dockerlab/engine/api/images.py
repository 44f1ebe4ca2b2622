"""Handlers of the image operations, except those that talk to a registry."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.progress import progress_response
from dockerlab.engine.api.run_in_thread import blocks_in_thread
from dockerlab.engine.api.views import image as image_view
from dockerlab.engine.api.views.items import items
from dockerlab.engine.common.cancellable_threads import run_cancellable
from dockerlab.engine.containers.commit import commit_container, image_config
from dockerlab.engine.faults import BadParameter, Fault, NotFound, NotServed
from dockerlab.engine.http.messages import Request, Response, json_response, stream_response
from dockerlab.engine.images import archives, import_tar, references, removal
from dockerlab.engine.images import filters as image_filters
from dockerlab.engine.images.instructions import apply_changes

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.images.images import Image

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
]

SHARED_SIZE_SINCE = (1, 42)
Record = dict[str, Any]


async def image_list(engine: Engine, request: Request) -> Response:
    """GET /images/json."""
    filters = request.filters()
    with_shared_size = request.flag("shared-size") and request.version >= SHARED_SIZE_SINCE

    def summary(image: Image) -> Record:
        shared_size = image_view.shared_size(image, engine.images) if with_shared_size else -1
        document = image_view.summary(image, request.version, engine.containers.count_using(image), shared_size)
        return image_filters.remove_unmatched_names(document, filters)

    return json_response(items(image_filters.images_to_list(engine.images, filters, request.flag("all")), summary))


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
    image, reference = engine.images.require(request.id), _new_reference(request)
    if reference is None:
        return Response(200)
    engine.images.tag(image, reference)
    return Response(201)


def _new_reference(request: Request) -> references.Reference | None:
    """Return the name that `repo` and `tag` give to an image, if any. Raises BadParameter."""
    repository = request.text("repo")
    return references.parse_with_tag(repository, request.text("tag")) if repository else None


async def image_delete(engine: Engine, request: Request) -> Response:
    """DELETE /images/{name}."""
    removed = removal.remove(
        engine.images,
        engine.containers.records(),
        request.id,
        force=request.flag("force"),
        keep_parents=request.flag("noprune"),
    )
    return json_response(removed)


async def image_prune(engine: Engine, request: Request) -> Response:
    """POST /images/prune."""
    removed, freed = removal.prune(engine.images, engine.containers.records(), request.filters())
    engine.events.publish("image", "prune", "", {"reclaimed": str(freed)})
    return json_response({"ImagesDeleted": removed or None, "SpaceReclaimed": freed})


async def image_get(engine: Engine, request: Request) -> Response:
    """GET /images/{name}/get."""
    return _save(engine, [request.id], f"No such image: {request.id}")


async def image_get_all(engine: Engine, request: Request) -> Response:
    """GET /images/get."""
    names = [name for names in request.query.get("names", []) for name in names.split(",") if name]
    return _save(engine, names, "reference does not exist")


def _save(engine: Engine, names: list[str], not_found: str) -> Response:
    """Return an archive with images, and with those of their tags that the client named."""
    tags_by_id: dict[str, list[str]] = {}
    for name in names:
        image = engine.images.find(name)
        if image is None:
            raise NotFound(not_found)
        tag = references.familiar(name)
        tags_by_id.setdefault(image.id, []).extend([tag] if tag in image.tags else [])
    selection = [(engine.images.all[image_id], tags) for image_id, tags in tags_by_id.items()]
    for image, _ in selection:
        engine.images.publish_event("save", image, image.id)
    return stream_response(blocks_in_thread(archives.save(engine.images, selection)), "application/x-tar")


async def image_load(engine: Engine, request: Request) -> Response:
    """POST /images/load: one line per image."""
    upload = request.upload or io.BytesIO()

    def lines() -> Iterator[Record]:
        # All images are loaded before the first line is sent: after an error, none is reported as loaded.
        yield from [{"stream": text} for text in archives.load(engine.images, upload)]

    return progress_response(lines())


async def image_import(engine: Engine, request: Request) -> Response:
    """POST /images/create with `fromSrc`: a file tree, as a tar, becomes an image."""
    if request.text("fromSrc") != "-":
        raise NotServed(
            "the practice engine does not import from a URL: download the file, and send it in the body with fromSrc=-"
        )
    reference = _new_reference(request)
    config = apply_changes({}, request.query.get("changes", []))
    message = request.text("message") or "Imported from -"
    upload = request.upload or io.BytesIO()

    def lines() -> Iterator[Record]:
        yield {"status": import_tar.import_tar(engine.images, upload, config, message, reference).id}

    return progress_response(lines())


async def image_commit(engine: Engine, request: Request) -> Response:
    """POST /commit: a container's files and configuration become an image."""
    name = request.text("container")
    if not name:
        raise BadParameter('invalid name or ID supplied: ""')
    container = engine.containers.find(name)
    reference = _new_reference(request)
    body = request.json() if request.body.strip() else {}
    config = image_config(container.record, body, request.query.get("changes", []))
    pause = request.flag("pause", True) and container.state["Status"] == "running"
    if pause:
        await container.pause(briefly=True)
    try:
        texts = {name: request.text(name) for name in ("author", "comment")}
        commit = partial(commit_container, engine.images, container.record, config, reference, **texts)
        image = await run_cancellable(commit)
    finally:
        if pause:
            with contextlib.suppress(Fault):  # the container may have ended meanwhile
                await container.unpause()
    engine.events.publish_container("commit", container.record, comment=request.text("comment"), imageID=image.id)
    return json_response({"Id": image.id}, 201)


async def image_search(engine: Engine, request: Request) -> Response:
    """GET /images/search."""
    raise NotServed("the practice engine has no index of images to search: Docker searches Docker Hub")


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
