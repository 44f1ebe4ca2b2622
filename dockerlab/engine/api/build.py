"""Handlers of the builder."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.images import trouble
from dockerlab.engine.build import dockerfile, remote
from dockerlab.engine.build.builder import Builder, Options, StepFailed
from dockerlab.engine.build.context import Context
from dockerlab.engine.common.filters import parse
from dockerlab.engine.containers import validation
from dockerlab.engine.faults import BadParameter, Fault, NotServed
from dockerlab.engine.http.messages import Request, Response, json_lines_response, json_response
from dockerlab.engine.images import references

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "build", "build_prune"]

PRUNE_FILTERS = {"until", "id", "parent", "type", "description", "inuse", "shared", "private", "unused-for"}
Record = dict[str, Any]


async def build(engine: Engine, request: Request) -> Response:
    """POST /build, as the classic builder does it."""
    if request.text("version") == "2":
        raise NotServed("the practice engine has no BuildKit: build with DOCKER_BUILDKIT=0")
    validation.check_platform(request.text("platform"))
    options = _options(request)
    name = request.text("dockerfile") or "Dockerfile"
    if request.text("remote"):
        context, told = await remote.fetch_context(engine.state, request.text("remote"))
    else:
        context, told = await asyncio.to_thread(Context, engine.state, request.upload or io.BytesIO()), []
    try:
        file = dockerfile.parse(context.read_dockerfile(name), name)
        builder = Builder(engine, file, context, options)
    except BaseException as error:
        context.close()
        if told and isinstance(error, Fault):
            return json_lines_response(_lines([*told, trouble(str(error))]))
        raise
    return json_lines_response(_told(builder, told, request.flag("q")))


async def _lines(lines: list[Record]) -> AsyncIterator[Record]:
    for line in lines:
        yield line


async def _told(builder: Builder, told: list[Record], quiet: bool) -> AsyncIterator[Record]:
    """Build while somebody listens; when nobody does any more, what was begun is cleared away.

    A quiet build keeps what it would tell, and tells it after all if a step fails.
    """
    kept: list[Record] = []
    try:
        for line in told:
            yield line
        async with aclosing(builder.run()) as lines:  # type: ignore[type-var]
            async for line in lines:
                if quiet:
                    kept.append(line)
                else:
                    yield line
        if quiet and builder.image is not None:
            yield {"stream": f"{builder.image.id}\n"}
    except Fault as fault:
        for line in kept:
            yield line
        more = {"code": fault.code} if isinstance(fault, StepFailed) else {}
        yield {"errorDetail": {**more, "message": str(fault)}, "error": str(fault)}
    finally:
        builder.context.close()


def _json(request: Request, name: str, words: str, default: Any) -> Any:
    text = request.text(name)
    if not text:
        return default
    try:
        value = json.loads(text)
    except ValueError:
        raise BadParameter(
            f"error reading {words}: invalid character '{text.strip()[:1]}' looking for beginning of value"
        ) from None
    return value or default


def _options(request: Request) -> Options:
    """Read the query. Raises BadParameter, Fault."""
    tags = []
    for name in request.query.get("t", []):
        if name:
            try:
                tags.append(references.parse(name).with_default_tag())
            except BadParameter as fault:
                raise Fault(str(fault)) from None
    host: Record = {
        "NetworkMode": request.text("networkmode") or "default",
        "ExtraHosts": [entry for words in request.query.get("extrahosts", []) for entry in words.split(",") if entry],
        "Ulimits": _json(request, "ulimits", "ulimits", None),
        "CpusetCpus": request.text("cpusetcpus"),
        "CpusetMems": request.text("cpusetmems"),
    }
    numbers = {"memory": "Memory", "memswap": "MemorySwap", "cpushares": "CpuShares", "shmsize": "ShmSize"}
    numbers |= {"cpuquota": "CpuQuota", "cpuperiod": "CpuPeriod"}
    host |= {field: request.number(name) for name, field in numbers.items() if request.number(name)}
    return Options(
        tags=tags,
        arguments=_json(request, "buildargs", "build args", {}),
        labels=_json(request, "labels", "labels", {}),
        host_config={name: value for name, value in host.items() if value},
        target=request.text("target"),
        cache_from=_json(request, "cachefrom", "cachefrom", []),
        cache=not request.flag("nocache"),
        remove=request.flag("rm", True),
        always_remove=request.flag("forcerm"),
    )


async def build_prune(engine: Engine, request: Request) -> Response:
    """POST /build/prune: the classic builder's cache are images, so there is nothing else to remove."""
    for name in parse(request.text("filters")):
        if name not in PRUNE_FILTERS:
            raise BadParameter(f"invalid filter '{name}'")
    return json_response({"CachesDeleted": None, "SpaceReclaimed": 0})


HANDLERS = {"ImageBuild": build, "BuildPrune": build_prune}
