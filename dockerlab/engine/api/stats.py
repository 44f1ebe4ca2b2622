"""Handler of a container's resource usage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers import stats
from dockerlab.engine.http.messages import Request, Response, json_response, json_stream_response

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "container_stats"]

SAMPLE_SECONDS = 1.0
Record = dict[str, Any]


async def container_stats(engine: Engine, request: Request) -> Response:
    """GET /containers/{id}/stats: one document per second, or a single one.

    A single document is computed from two samples, so that it has a CPU usage, or from one with `one-shot`.
    """
    container = engine.containers.find(request.id)
    if request.flag("stream", True):
        return json_stream_response(_documents(container))
    before = stats.NO_SAMPLE
    if not request.flag("one-shot") and container.record.is_running:
        before = await asyncio.to_thread(stats.sample, container)
        await asyncio.sleep(SAMPLE_SECONDS)
    sample = await asyncio.to_thread(stats.sample, container)
    return json_response(stats.stats_document(container, sample, before))


async def _documents(container: Container) -> AsyncIterator[Record]:
    """Yield a document per second until the container is removed."""
    before = stats.NO_SAMPLE
    while not container.is_removed:
        sample = await asyncio.to_thread(stats.sample, container)
        yield stats.stats_document(container, sample, before)
        before = sample
        await asyncio.sleep(SAMPLE_SECONDS)


HANDLERS = {"ContainerStats": container_stats}
