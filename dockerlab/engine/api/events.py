"""Handler of the stream of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.engine.common import timestamps
from dockerlab.engine.common.events import event_filter
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.http.messages import Request, Response, json_stream_response

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine

__all__ = ["HANDLERS", "system_events"]


async def system_events(engine: Engine, request: Request) -> Response:
    """GET /events: one JSON document per line, until `until`, or until the client goes away."""
    since, until = request.time("since"), request.time("until")
    if until and since > until:
        first, last = since // timestamps.SECOND, until // timestamps.SECOND
        raise BadParameter(f"`since` time ({first}) cannot be after `until` time ({last})")
    events = engine.events.read(since, until, event_filter(request.filters()))
    return json_stream_response(events)


HANDLERS = {"SystemEvents": system_events}
