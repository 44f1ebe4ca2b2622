"""The engine's events: the last few hundred, and the listeners. A listener that doesn't keep up is dropped."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import SECOND

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["Events", "event_filter"]

#: How many events are remembered, as in Docker, and how many a listener may be behind.
MOST_PAST, MOST_BEHIND = 256, 1024
Event = dict[str, Any]
Filter = Callable[[Event], bool]


class Events:
    """Publishes the events of one engine, and remembers the last ones."""

    def __init__(self) -> None:
        self._past: deque[Event] = deque(maxlen=MOST_PAST)
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    def __len__(self) -> int:
        """Return the number of listeners."""
        return len(self._listeners)

    def publish_container(self, action: str, record: ContainerRecord, **attributes: str) -> None:
        """Publish an event of a container."""
        common = {**record.config["Labels"], "image": record.image_name, "name": record.name}
        self.publish("container", action, record.id, {**common, **attributes})

    def publish(self, kind: str, action: str, identity: str, attributes: dict[str, str]) -> None:
        """Publish an event. `kind` is container, image, network, volume, builder or daemon."""
        moment = time.time_ns()
        event: Event = {}
        if kind in ("container", "image"):  # the fields of events from before there were other kinds
            event |= {"status": action, "id": identity}
        if kind == "container":
            event["from"] = attributes.get("image", "")
        event |= {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": identity, "Attributes": dict(sorted(attributes.items()))},
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

    async def read(self, since: int, until: int, matches: Filter) -> AsyncIterator[Event]:
        """Yield the matching events from `since` (0: only new ones) to `until` (0: no end)."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(MOST_BEHIND)
        self._listeners.add(queue)
        try:
            for event in list(self._past):
                is_in_time = since and event["timeNano"] >= since and not (until and event["timeNano"] > until)
                if is_in_time and matches(event):
                    yield event
            while True:
                seconds = (until - time.time_ns()) / SECOND if until else None
                if seconds is not None and seconds <= 0:
                    return
                try:
                    new = await asyncio.wait_for(queue.get(), seconds)
                except TimeoutError:
                    return
                if new is None:
                    return
                if matches(new):
                    yield new
        finally:
            self._listeners.discard(queue)


def event_filter(filters: dict[str, list[str]]) -> Filter:
    """Return a function that says whether an event matches all filters.

    A filter matches if one of its values does; of `label` every value has to match. Unknown filter names are ignored,
    as Docker does.
    """

    def matches(event: Event) -> bool:
        return all(
            (all if name == "label" else any)(TESTS[name](event, value) for value in values)
            for name, values in filters.items()
            if values and name in TESTS
        )

    return matches


def _concerns(kind: str, event: Event, value: str) -> bool:
    """Return whether the event concerns the object of this kind with that name, id, or prefix of an id."""
    actor = event["Actor"]
    has_id = actor["ID"].removeprefix("sha256:").startswith(value.removeprefix("sha256:"))
    has_name = value.removeprefix("/") == actor["Attributes"].get("name", "")
    is_mentioned = actor["Attributes"].get(kind) == value  # for instance the container that joined a network
    return bool(value and (is_mentioned or (event["Type"] == kind and (has_id or has_name))))


def _has_label(event: Event, value: str) -> bool:
    name, equals, text = value.partition("=")
    attributes = event["Actor"]["Attributes"]
    return name in attributes and (not equals or attributes[name] == text)


def _has_image(event: Event, value: str) -> bool:
    names = [event.get("from", "")]
    if event["Type"] == "image":
        names += [event["Actor"]["ID"], event["Actor"]["Attributes"].get("name", "")]
    return bool(value in names or value in [name.partition(":")[0] for name in names])


def _has_action(event: Event, value: str) -> bool:
    return bool(event["Action"] == value or event["Action"].startswith(f"{value}:"))


TESTS: dict[str, Callable[[Event, str], bool]] = {
    "config": partial(_concerns, "config"),
    "container": partial(_concerns, "container"),
    "daemon": partial(_concerns, "daemon"),
    "event": _has_action,
    "image": _has_image,
    "label": _has_label,
    "network": partial(_concerns, "network"),
    "node": partial(_concerns, "node"),
    "plugin": partial(_concerns, "plugin"),
    "scope": lambda event, value: bool(event["scope"] == value),
    "secret": partial(_concerns, "secret"),
    "service": partial(_concerns, "service"),
    "type": lambda event, value: bool(event["Type"] == value),
    "volume": partial(_concerns, "volume"),
}
