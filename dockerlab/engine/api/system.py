"""Handlers of the system operations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dockerlab.engine.api.views import disk_usage, system
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.messages import Request, Response, json_response

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "data_usage", "info", "ping", "ping_head", "version"]

NO_CACHE = [("Cache-Control", "no-cache, no-store, must-revalidate"), ("Pragma", "no-cache")]
PING_HEADERS = [("Builder-Version", "1"), ("Swarm", "inactive"), *NO_CACHE]


async def ping(engine: Engine, request: Request) -> Response:
    """GET /_ping."""
    return Response(200, b"OK", "text/plain; charset=utf-8", headers=list(PING_HEADERS))


async def ping_head(engine: Engine, request: Request) -> Response:
    """HEAD /_ping."""
    return Response(200, b"", "text/plain; charset=utf-8", headers=list(PING_HEADERS))


async def version(engine: Engine, request: Request) -> Response:
    """GET /version."""
    return json_response(system.version(engine))


async def info(engine: Engine, request: Request) -> Response:
    """GET /info."""
    return json_response(system.info(engine, request.version))


async def data_usage(engine: Engine, request: Request) -> Response:
    """GET /system/df."""
    kinds = request.query.get("type", [])
    for kind in kinds:
        if kind not in disk_usage.KINDS:
            raise BadParameter(f"unknown object type: {kind}")
    return json_response(await asyncio.to_thread(disk_usage.data_usage, engine, request.version, kinds))


HANDLERS = {
    "SystemPing": ping,
    "SystemPingHead": ping_head,
    "SystemVersion": version,
    "SystemInfo": info,
    "SystemDataUsage": data_usage,
}
