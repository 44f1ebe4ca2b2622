"""Handlers of the builder: build, and the prune of its cache."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.progress import error_line, failure_line, progress_response
from dockerlab.engine.build import dockerfile, remote_context
from dockerlab.engine.build.builder import Builder, Options, StepFailed
from dockerlab.engine.common.go_types import read
from dockerlab.engine.containers import validation
from dockerlab.engine.faults import BadParameter, Fault, NotServed
from dockerlab.engine.http.messages import Request, Response, json_lines_response, json_response
from dockerlab.engine.images import references

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "build", "build_prune"]

PRUNE_FILTERS = {"until", "id", "parent", "type", "description", "inuse", "shared", "private", "unused-for"}
#: Numbers in the query, and the fields of HostConfig that they set for each step.
LIMITS = {
    "memory": "Memory",
    "memswap": "MemorySwap",
    "cpushares": "CpuShares",
    "shmsize": "ShmSize",
    "cpuquota": "CpuQuota",
    "cpuperiod": "CpuPeriod",
}
Record = dict[str, Any]


async def build(engine: Engine, request: Request) -> Response:
    """POST /build, as the classic builder does it."""
    if request.text("version") == "2":
        raise NotServed("the practice engine has no BuildKit: build with DOCKER_BUILDKIT=0")
    validation.check_platform(request.text("platform"))
    options = _options(request)
    name = request.text("dockerfile") or "Dockerfile"
    if request.text("remote"):
        context, download_lines = await remote_context.fetch_context(engine.state, request.text("remote"))
    else:
        context = await remote_context.unpacked(engine.state, request.upload or io.BytesIO())
        download_lines = []
    try:
        file = dockerfile.parse(context.read_dockerfile(name), name)
        builder = Builder(engine, file, context, options)
    except BaseException as error:
        context.close()
        if download_lines and isinstance(error, Fault):
            # Docker has sent the status already when it parses the Dockerfile of a remote context.
            return progress_response(iter([*download_lines, error_line(str(error))]))
        raise
    return json_lines_response(_build_lines(builder, download_lines, quiet=request.flag("q")))


async def _build_lines(builder: Builder, download_lines: list[Record], quiet: bool) -> AsyncIterator[Record]:
    """Build, and yield the lines of progress. When the client goes away, the builder removes what it has begun.

    A quiet build holds its lines back, and yields them only if a step fails.
    """
    held_back: list[Record] = []
    try:
        for line in download_lines:
            yield line
        async with aclosing(builder.run()) as lines:  # type: ignore[type-var]
            async for line in lines:
                if quiet:
                    held_back.append(line)
                else:
                    yield line
        if quiet and builder.image is not None:
            yield {"stream": f"{builder.image.id}\n"}
    except Exception as error:  # the status is sent already, so it becomes the last line
        for line in held_back:
            yield line
        yield failure_line(error, **({"code": error.code} if isinstance(error, StepFailed) else {}))
    finally:
        builder.context.close()


def _json(request: Request, name: str, description: str, kind: str) -> Any:
    """Return a query parameter that holds JSON, as one of Go's types. Raises BadParameter."""
    text = request.text(name)
    if not text:
        return None
    try:
        return read(kind, text)
    except ValueError as error:
        raise BadParameter(f"error reading {description}: {error}") from None


def _options(request: Request) -> Options:
    """Return what the query requests. Raises BadParameter, Fault."""
    tags = []
    for name in filter(None, request.query.get("t", [])):
        try:
            tags.append(references.parse(name).with_default_tag())
        except BadParameter as fault:
            raise Fault(str(fault)) from None  # Docker answers 500 here
    host_config: Record = {
        "NetworkMode": request.text("networkmode") or "default",
        "ExtraHosts": [entry for text in request.query.get("extrahosts", []) for entry in text.split(",") if entry],
        "Ulimits": _json(request, "ulimits", "ulimit settings", "[]*units.Ulimit"),
        "CpusetCpus": request.text("cpusetcpus"),
        "CpusetMems": request.text("cpusetmems"),
    }
    host_config |= {field: request.number(name) for name, field in LIMITS.items()}
    return Options(
        tags=tags,
        arguments=_json(request, "buildargs", "build args", "map[string]*string") or {},
        labels=_json(request, "labels", "labels", "map[string]string") or {},
        host_config={name: value for name, value in host_config.items() if value},
        target=request.text("target"),
        cache_from=_json(request, "cachefrom", "cache-from", "[]string") or [],
        cache=not request.flag("nocache"),
        remove=request.flag("rm", True),
        always_remove=request.flag("forcerm"),
    )


async def build_prune(engine: Engine, request: Request) -> Response:
    """POST /build/prune: the classic builder's cache consists of images, so there is nothing else to remove."""
    for name in request.filters():
        if name not in PRUNE_FILTERS:
            raise BadParameter(f"invalid filter '{name}'")
    return json_response({"CachesDeleted": None, "SpaceReclaimed": 0})


HANDLERS = {"ImageBuild": build, "BuildPrune": build_prune}
