"""What happened: the last few hundred events, and everyone who listens. A listener that doesn't read is dropped."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

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

    def publish_container(self, action: str, record: ContainerRecord, **attributes: str) -> None:
        """Publish an event of a container."""
        about = {**record.config["Labels"], "image": record.image_name, "name": record.name, **attributes}
        self.publish("container", action, record.id, about)

    def publish(self, kind: str, action: str, identity: str, about: dict[str, str]) -> None:
        """Publish an event: `kind` is container, image, network, volume, builder or daemon."""
        moment = time.time_ns()
        event: Event = {}
        if kind in ("container", "image"):  # as all events were written before there were other kinds
            event |= {"status": action, "id": identity}
        if kind == "container":
            event["from"] = about.get("image", "")
        event |= {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": identity, "Attributes": dict(sorted(about.items()))},
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
    """Make one function of all filters: one value of each name has to fit, and every label.

    A name that is none is no fault here, as on Docker: it asks for nothing.
    """

    def keep(event: Event) -> bool:
        return all(
            (all if name == "label" else any)(TESTS[name](event, item) for item in wanted)
            for name, wanted in filters.items()
            if wanted and name in TESTS
        )

    return keep


def _about(kind: str, event: Event, item: str) -> bool:
    """Is the event about the object of this kind with that name, or id, or beginning of an id?"""
    actor = event["Actor"]
    name = actor["Attributes"].get("name", "")
    whole = event["Type"] == kind and actor["ID"].removeprefix("sha256:").startswith(item.removeprefix("sha256:"))
    beside = kind in actor["Attributes"] and actor["Attributes"][kind] == item
    return bool(item and (whole or beside or (event["Type"] == kind and item.removeprefix("/") == name)))


def _label(event: Event, item: str) -> bool:
    name, equals, value = item.partition("=")
    about = event["Actor"]["Attributes"]
    return name in about and (not equals or about[name] == value)


def _image(event: Event, item: str) -> bool:
    names = [event["Actor"]["ID"], event["Actor"]["Attributes"].get("name", ""), event.get("from", "")]
    names = names if event["Type"] == "image" else names[2:]
    return bool(item in names or item in [name.partition(":")[0] for name in names])


def _action(event: Event, item: str) -> bool:
    return bool(event["Action"] == item or event["Action"].startswith(f"{item}:"))


TESTS: dict[str, Callable[[Event, str], bool]] = {
    "config": partial(_about, "config"),
    "container": partial(_about, "container"),
    "daemon": partial(_about, "daemon"),
    "event": _action,
    "image": _image,
    "label": _label,
    "network": partial(_about, "network"),
    "node": partial(_about, "node"),
    "plugin": partial(_about, "plugin"),
    "scope": lambda event, item: bool(event["scope"] == item),
    "secret": partial(_about, "secret"),
    "service": partial(_about, "service"),
    "type": lambda event, item: bool(event["Type"] == item),
    "volume": partial(_about, "volume"),
}
