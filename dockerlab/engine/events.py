"""What happened: the last few hundred events, and everyone who listens. A listener that doesn't read is dropped."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import BadParameter

if TYPE_CHECKING:
    from dockerlab.engine.container import Container

__all__ = ["Events", "event_filter"]

#: As many as Docker remembers, and as many as a slow listener may be behind.
KEPT, BEHIND = 256, 1024
SECOND = 10**9
Event = dict[str, Any]
Keep = Callable[[Event], bool]


class Events:
    """The engine's memory of what happened."""

    def __init__(self) -> None:
        """Begin without any."""
        self._past: deque[Event] = deque(maxlen=KEPT)
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    def __len__(self) -> int:
        """Count the listeners."""
        return len(self._listeners)

    def tell(self, action: str, container: Container, **attributes: str) -> None:
        """Tell that something happened to a container."""
        config = container.record["Config"]
        about = {**config["Labels"], "image": config["Image"], "name": container.name, **attributes}
        moment = time.time_ns()
        event = {
            "status": action,
            "id": container.id,
            "from": config["Image"],
            "Type": "container",
            "Action": action,
            "Actor": {"ID": container.id, "Attributes": dict(sorted(about.items()))},
            "scope": "local",
            "time": moment // SECOND,
            "timeNano": moment,
        }
        self._past.append(event)
        for queue in list(self._listeners):
            if queue.full():
                self._listeners.discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)  # the end of this listener's stream
            else:
                queue.put_nowait(event)

    async def read(self, since: int, until: int, keep: Keep) -> AsyncIterator[Event]:
        """Give events from `since` (0: only new ones) to `until` (0: for ever), in nanoseconds."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(BEHIND)
        self._listeners.add(queue)
        try:
            for event in list(self._past):
                if since and event["timeNano"] >= since and not (until and event["timeNano"] > until) and keep(event):
                    yield event
            while True:
                left = (until - time.time_ns()) / SECOND if until else None
                if left is not None and left <= 0:
                    return
                try:
                    new = await asyncio.wait_for(queue.get(), left)
                except TimeoutError:
                    return
                if new is None:
                    return
                if keep(new):
                    yield new
        finally:
            self._listeners.discard(queue)


def event_filter(filters: dict[str, list[str]]) -> Keep:
    """Make one function of all filters: one value of each name has to fit, and every label."""
    for name in filters:
        if name not in TESTS:
            raise BadParameter(f"invalid filter '{name}'")

    def keep(event: Event) -> bool:
        return all(
            (all if name == "label" else any)(TESTS[name](event, item) for item in wanted)
            for name, wanted in filters.items()
            if wanted
        )

    return keep


def _container(event: Event, item: str) -> bool:
    name = event["Actor"]["Attributes"]["name"]
    return bool(item.removeprefix("/") == name or (item and event["id"].startswith(item)))


def _label(event: Event, item: str) -> bool:
    name, equals, value = item.partition("=")
    about = event["Actor"]["Attributes"]
    return name in about and (not equals or about[name] == value)


def _image(event: Event, item: str) -> bool:
    return bool(item in (event["from"], event["from"].partition(":")[0]))


TESTS: dict[str, Callable[[Event, str], bool]] = {
    "config": lambda event, item: False,
    "container": _container,
    "daemon": lambda event, item: False,
    "event": lambda event, item: bool(event["Action"] == item),
    "image": _image,
    "label": _label,
    "network": lambda event, item: False,
    "node": lambda event, item: False,
    "plugin": lambda event, item: False,
    "scope": lambda event, item: item == "local",
    "secret": lambda event, item: False,
    "service": lambda event, item: False,
    "type": lambda event, item: item == "container",
    "volume": lambda event, item: False,
}
