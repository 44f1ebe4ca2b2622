"""Handlers of the operations that talk to a registry: pull, push, auth, distribution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.images import image_import
from dockerlab.engine.api.progress import progress_response
from dockerlab.engine.common.cancellable_threads import run_cancellable
from dockerlab.engine.common.go_types import read
from dockerlab.engine.containers import validation
from dockerlab.engine.faults import Fault
from dockerlab.engine.http.messages import Request, Response, json_response
from dockerlab.engine.images import documents, pull_push, references
from dockerlab.engine.images.references import Reference
from dockerlab.engine.images.registry import DOCKER_LIST, OCI_INDEX, Credentials, Registry, parse_auth_header

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.images.images import Image

__all__ = ["HANDLERS", "distribution_inspect", "image_create", "image_push", "system_auth"]

Record = dict[str, Any]


async def image_create(engine: Engine, request: Request) -> Response:
    """POST /images/create: pull an image or, with `fromSrc`, import one from the body."""
    if not request.text("fromImage"):
        return await image_import(engine, request)
    credentials = _credentials(request)
    platform = request.text("platform")
    validation.check_platform(platform)
    reference = _reference_to_pull(request.text("fromImage"), request.text("tag"))
    registry = Registry(reference, credentials)
    if not reference.tag and not reference.digest:
        tags = await run_cancellable(registry.tags)
        return progress_response(_pull_all_tags(engine, reference, credentials, platform, tags))
    manifest = await run_cancellable(registry.manifest, reference.digest or reference.tag)
    return progress_response(pull_push.pull(engine.images, registry, manifest, platform))


def _credentials(request: Request) -> Credentials:
    return parse_auth_header(request.headers.get("x-registry-auth", ""))


def _reference_to_pull(name: str, tag: str) -> Reference:
    """Return the reference that `fromImage` and `tag` name. `tag` may be a digest. Raises BadParameter."""
    if tag.startswith("sha256:"):
        return references.parse(f"{name}@{tag}")
    reference = references.parse(name)
    return references.parse_with_tag(name, tag) if tag else reference


def _pull_all_tags(
    engine: Engine, reference: Reference, credentials: Credentials, platform: str, tags: list[str]
) -> Iterator[Record]:
    for tag in tags:
        registry = Registry(Reference(reference.domain, reference.path, tag), credentials)
        yield from pull_push.pull(engine.images, registry, registry.manifest(tag), platform)


async def image_push(engine: Engine, request: Request) -> Response:
    """POST /images/{name}/push: one tag of a repository, or all of them."""
    credentials = _credentials(request)
    reference = references.parse(request.id)
    if request.text("tag"):
        reference = references.parse_with_tag(request.id, request.text("tag"))
    registry = Registry(reference, credentials, "pull,push")
    local = _tagged_images(engine, reference)
    selected = [(tag, image) for tag, image in local if reference.tag in ("", tag)]

    def lines() -> Iterator[Record]:
        yield {"status": f"The push refers to repository [{reference.name}]"}
        if not local:
            raise Fault(f"An image does not exist locally with the tag: {reference.repository}")
        if not selected:
            raise Fault(f"tag does not exist: {reference.repository}:{reference.tag}")
        yield from pull_push.push(engine.images, registry, selected)

    return progress_response(lines())


def _tagged_images(engine: Engine, reference: Reference) -> list[tuple[str, Image]]:
    """Return the local tags of a repository, with their images."""
    names = [(references.parse(tag), image) for image in list(engine.images.all.values()) for tag in image.tags]
    return [(name.tag, image) for name, image in names if name.name == reference.name]


async def system_auth(engine: Engine, request: Request) -> Response:
    """POST /auth: check credentials at a registry. The engine does not store them; the client does."""
    try:
        body = read("registry.AuthConfig", request.body or b"null", first_value_only=True) or {}
    except ValueError as error:
        raise Fault(str(error)) from None  # Docker answers 500 here
    server = body.get("serveraddress", "").removeprefix("https://").removeprefix("http://").partition("/")[0]
    credentials = Credentials(body.get("username", ""), body.get("password", ""))
    registry = Registry(Reference(references.check_domain(server or references.HUB), "login"), credentials)
    await run_cancellable(registry.check_credentials)
    return json_response({"Status": "Login Succeeded", "IdentityToken": ""})


async def distribution_inspect(engine: Engine, request: Request) -> Response:
    """GET /distribution/{name}/json."""
    credentials = _credentials(request)
    registry = Registry(references.parse(request.id).with_default_tag(), credentials)
    return json_response(await run_cancellable(_distribution_document, registry))


def _distribution_document(registry: Registry) -> Record:
    manifest = registry.manifest(registry.reference.digest or registry.reference.tag)
    descriptor = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.content)}
    if manifest.media_type in (DOCKER_LIST, OCI_INDEX):
        platforms = [entry.get("platform") or {} for entry in manifest.index.get("manifests") or []]
    else:
        config = documents.read_config(registry.small_blob(manifest.document["config"].get("digest", "")))
        platforms = [{key: config[key] for key in ("architecture", "os", "variant") if config.get(key)}]
    return {"Descriptor": descriptor, "Platforms": platforms}


HANDLERS = {
    "ImageCreate": image_create,
    "ImagePush": image_push,
    "SystemAuth": system_auth,
    "DistributionInspect": distribution_inspect,
}
