"""Handlers of the system operations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dockerlab.engine.api.views import disk_usage, system
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.messages import Answer, Request, json_answer

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "data_usage", "info", "ping", "ping_head", "version"]

UNCACHED = [("Cache-Control", "no-cache, no-store, must-revalidate"), ("Pragma", "no-cache")]
PING = [("Builder-Version", "1"), ("Swarm", "inactive"), *UNCACHED]


async def ping(engine: Engine, request: Request) -> Answer:
    """GET /_ping."""
    return Answer(200, b"OK", "text/plain; charset=utf-8", headers=list(PING))


async def ping_head(engine: Engine, request: Request) -> Answer:
    """HEAD /_ping."""
    return Answer(200, b"", "text/plain; charset=utf-8", headers=list(PING))


async def version(engine: Engine, request: Request) -> Answer:
    """GET /version."""
    return json_answer(system.version(engine))


async def info(engine: Engine, request: Request) -> Answer:
    """GET /info."""
    return json_answer(system.info(engine, request.version))


async def data_usage(engine: Engine, request: Request) -> Answer:
    """GET /system/df."""
    kinds = request.query.get("type", [])
    for kind in kinds:
        if kind not in disk_usage.KINDS:
            raise BadParameter(f"unknown object type: {kind}")
    return json_answer(await asyncio.to_thread(disk_usage.data_usage, engine, request.version, kinds))


HANDLERS = {
    "SystemPing": ping,
    "SystemPingHead": ping_head,
    "SystemVersion": version,
    "SystemInfo": info,
    "SystemDataUsage": data_usage,
}
