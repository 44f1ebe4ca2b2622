"""Handlers of the operations that speak with a registry: pull, push, auth, distribution."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.images import image_import, trouble
from dockerlab.engine.containers import validation
from dockerlab.engine.faults import BadParameter, Fault
from dockerlab.engine.http.messages import Request, Response, json_lines_response, json_response
from dockerlab.engine.images import pull_push, references
from dockerlab.engine.images.references import Reference
from dockerlab.engine.images.registry import DOCKER_LIST, OCI_INDEX, Credentials, Registry, parse_auth_header

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "distribution_inspect", "image_create", "image_push", "system_auth"]

Record = dict[str, Any]


async def image_create(engine: Engine, request: Request) -> Response:
    """POST /images/create: pull, or import what is sent."""
    if not request.text("fromImage"):
        return await image_import(engine, request)
    who = parse_auth_header(request.headers.get("x-registry-auth", ""))
    validation.check_platform(request.text("platform"))
    name, tag, platform = request.text("fromImage"), request.text("tag"), request.text("platform")
    if tag.startswith("sha256:"):
        reference = references.parse(f"{name}@{tag}")
    else:
        reference = references.parse(name)
        if tag:
            reference = references.parse_with_tag(name, tag)
    if not reference.tag and not reference.digest:
        tags = await asyncio.to_thread(Registry(reference, who).tags)
        return json_lines_response(_threaded(_all_tags(engine, reference, who, platform, tags)))
    registry = Registry(reference, who)
    found = await asyncio.to_thread(registry.manifest, reference.digest or reference.tag)
    return json_lines_response(_threaded(pull_push.pull(engine.images, registry, found, platform)))


def _all_tags(
    engine: Engine, reference: Reference, who: Credentials, platform: str, tags: list[str]
) -> Iterator[Record]:
    """Pull everything that a repository has."""
    for tag in tags:
        registry = Registry(Reference(reference.domain, reference.path, tag), who)
        yield from pull_push.pull(engine.images, registry, registry.manifest(tag), platform)


async def _threaded(lines: Iterator[Record]) -> AsyncIterator[Record]:
    """Tell what a thread tells; what goes wrong becomes the last line."""
    end: Record = {}
    try:
        while (line := await asyncio.to_thread(next, lines, end)) is not end:
            yield line
    except Fault as fault:
        yield trouble(str(fault))


async def image_push(engine: Engine, request: Request) -> Response:
    """POST /images/{name}/push."""
    who = parse_auth_header(request.headers.get("x-registry-auth", ""))
    reference = references.parse(request.id)
    if request.text("tag"):
        reference = references.parse_with_tag(request.id, request.text("tag"))
    registry = Registry(reference, who, "pull,push")
    here = []
    for image in list(engine.images.all.values()):
        for name in image.tags:
            known = references.parse(name)
            if known.name == reference.name:
                here.append((known.tag, image))
    wanted = [(tag, image) for tag, image in here if reference.tag in ("", tag)]

    def lines() -> Iterator[Record]:
        yield {"status": f"The push refers to repository [{reference.name}]"}
        if not here:
            raise Fault(f"An image does not exist locally with the tag: {reference.repository}")
        if not wanted:
            raise Fault(f"tag does not exist: {reference.repository}:{reference.tag}")
        yield from pull_push.push(engine.images, registry, wanted)

    return json_lines_response(_threaded(lines()))


async def system_auth(engine: Engine, request: Request) -> Response:
    """POST /auth: show credentials to a registry. They are kept by the client alone."""
    try:
        asked = json.loads(request.body or b"null") or {}
    except ValueError:
        begin = request.body.decode("utf-8", "replace").strip()[:1]
        raise Fault(f"invalid character '{begin}' looking for beginning of value") from None
    if not isinstance(asked, dict):
        raise BadParameter("the credentials are no JSON object")
    server = str(asked.get("serveraddress") or "").removeprefix("https://").removeprefix("http://").partition("/")[0]
    domain = server if server and "docker.io" not in server else "docker.io"
    who = Credentials(asked.get("username") or "", asked.get("password") or "")
    await asyncio.to_thread(Registry(Reference(domain, "login"), who).check_credentials)
    return json_response({"Status": "Login Succeeded", "IdentityToken": ""})


async def distribution_inspect(engine: Engine, request: Request) -> Response:
    """GET /distribution/{name}/json."""
    who = parse_auth_header(request.headers.get("x-registry-auth", ""))
    registry = Registry(references.parse(request.id).with_default_tag(), who)
    reference = registry.reference

    def look() -> Record:
        found = registry.manifest(reference.digest or reference.tag)
        descriptor = {"mediaType": found.media_type, "digest": found.digest, "size": len(found.content)}
        if found.media_type in (DOCKER_LIST, OCI_INDEX):
            platforms = [entry.get("platform") or {} for entry in found.document.get("manifests") or []]
        else:
            config = json.loads(b"".join(registry.blob(found.document["config"]["digest"])))
            platforms = [{key: config[key] for key in ("architecture", "os", "variant") if config.get(key)}]
        return {"Descriptor": descriptor, "Platforms": platforms}

    return json_response(await asyncio.to_thread(look))


HANDLERS = {
    "ImageCreate": image_create,
    "ImagePush": image_push,
    "SystemAuth": system_auth,
    "DistributionInspect": distribution_inspect,
}
