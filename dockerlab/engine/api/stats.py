"""Handler of the stats of a container."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from dockerlab.engine.containers import stats
from dockerlab.engine.http.messages import Request, Response, json_response, stream_response

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "container_stats"]

SECONDS = 1.0


async def container_stats(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/stats: one document a second; or one, from two samples or from a single one."""
    container = engine.containers.find(request.id)
    if request.flag("stream", True):

        async def lines() -> AsyncIterator[bytes]:
            before = stats.NO_SAMPLE
            while not container.is_removed:
                fresh = await asyncio.to_thread(stats.sample, container)
                told = stats.stats_document(container, fresh, before)
                yield json.dumps(told, separators=(",", ":")).encode() + b"\n"
                before = fresh
                await asyncio.sleep(SECONDS)

        return stream_response(lines(), "application/json")
    before = stats.NO_SAMPLE
    if not request.flag("one-shot") and container.record.is_running:
        before = await asyncio.to_thread(stats.sample, container)
        await asyncio.sleep(SECONDS)
    fresh = await asyncio.to_thread(stats.sample, container)
    return json_response(stats.stats_document(container, fresh, before))


HANDLERS = {"ContainerStats": container_stats}
