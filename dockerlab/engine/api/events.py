"""Handler of the event stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from dockerlab.engine.common import filters, timestamps
from dockerlab.engine.common.events import event_filter
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.messages import Request, Response, stream_response

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "system_events"]


async def system_events(engine: Engine, request: Request) -> Response:
    """GET /events: one JSON document a line, until `until`, or until the client goes away."""
    since, until = timestamps.query_time(request.text("since")), timestamps.query_time(request.text("until"))
    if until and since > until:
        first, last = since // timestamps.SECOND, until // timestamps.SECOND
        raise BadParameter(f"`since` time ({first}) cannot be after `until` time ({last})")
    found = engine.events.read(since, until, event_filter(filters.parse(request.text("filters"))))

    async def lines() -> AsyncIterator[bytes]:
        async for event in found:
            yield json.dumps(event, separators=(",", ":")).encode() + b"\n"

    return stream_response(lines(), "application/json")


HANDLERS = {"SystemEvents": system_events}
