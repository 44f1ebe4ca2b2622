"""Tables of the system operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dockerlab.tables.build import (
    BOOLEAN,
    INTEGER,
    TEXT,
    TIME,
    Column,
    array_table,
    count_or_none,
    object_list,
    object_or_empty,
)

if TYPE_CHECKING:
    from dockerlab.protocol.exchange import Exchange

__all__ = ["DATA_USAGE", "PING", "data_usage_table", "ping_table"]

PING = (
    Column("answer", "answer", TEXT, "OK"),
    Column("status", "status", INTEGER, "200 for an engine that is well"),
    Column("api_version", "Api-Version", TEXT, "the newest API version that the engine speaks"),
    Column("os_type", "Ostype", TEXT, "what its containers run on: linux or windows"),
    Column("experimental", "Docker-Experimental", TEXT, "whether experimental features are on: true or false"),
    Column("builder_version", "Builder-Version", TEXT, "its preferred builder; engines from 23 on"),
    Column("swarm", "Swarm", TEXT, "its state in a swarm; engines from 23 on"),
)


def ping_table(exchange: Exchange) -> pd.DataFrame:
    """Make the table of SystemPing: one row out of a body of two letters, and headers."""
    record = {column.key: exchange.header(column.key) or None for column in PING[2:]}
    return array_table(PING, [{"answer": exchange.text, "status": exchange.status, **record}])


DATA_USAGE = (
    Column("kind", "kind", TEXT, "image, container, volume or build cache"),
    Column("name", "name", TEXT, "an image's or container's names, a volume's name, what a cached step did"),
    Column("size_bytes", "size", INTEGER, "an image whole, what a container wrote, a volume", "bytes", count_or_none),
    Column(
        "shared_size_bytes", "shared", INTEGER, "of an image: its part that others have, too", "bytes", count_or_none
    ),
    Column("containers", "containers", INTEGER, "containers that use it; <NA> if not counted", convert=count_or_none),
    Column("in_use", "in_use", BOOLEAN, "something uses it: a prune would let it be"),
    Column("created", "created", TIME, "when it was made", "UTC"),
    Column("last_used", "last_used", TIME, "when it was last used; of the build cache only", "UTC"),
    Column("id", "id", TEXT, "its id; a volume has none"),
)
#: Each kind: its list in the answer until API 1.51, and the object whose `Items` it is from 1.52 on.
USED = {
    "image": ("Images", "ImageUsage"),
    "container": ("Containers", "ContainerUsage"),
    "volume": ("Volumes", "VolumeUsage"),
    "build cache": ("BuildCache", "BuildCacheUsage"),
}


def data_usage_table(document: dict[str, Any]) -> pd.DataFrame:
    """Make the table of SystemDataUsage: a row for each image, container, volume and step in the build cache."""
    document = object_or_empty(document)
    rows: list[dict[str, Any]] = []
    for kind, (older, newer) in USED.items():
        records = document.get(older) or object_or_empty(document.get(newer)).get("Items")
        rows += [{"kind": kind, **_USED[kind](record)} for record in object_list(records)]
    return array_table(DATA_USAGE, rows)


def _joined(names: Any) -> str:
    known = names if isinstance(names, list) else []
    return ", ".join(name.removeprefix("/") for name in known if isinstance(name, str))


def _used(users: Any) -> bool | None:
    """Tell whether something uses it; None if that was not counted."""
    return users > 0 if isinstance(users, int) and users >= 0 else None


def _image(one: dict[str, Any]) -> dict[str, Any]:
    users = one.get("Containers")
    return {
        "name": _joined(one.get("RepoTags")),
        "size": one.get("Size"),
        "shared": one.get("SharedSize"),
        "containers": users,
        "in_use": _used(users),
        "created": one.get("Created"),
        "id": one.get("Id"),
    }


def _container(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": _joined(one.get("Names")),
        "size": one.get("SizeRw") or 0,
        "in_use": one.get("State") in ("running", "paused", "restarting"),
        "created": one.get("Created"),
        "id": one.get("Id"),
    }


def _volume(one: dict[str, Any]) -> dict[str, Any]:
    usage = one.get("UsageData")
    usage = usage if isinstance(usage, dict) else {}
    users = usage.get("RefCount")
    return {
        "name": one.get("Name"),
        "size": usage.get("Size"),
        "containers": users,
        "in_use": _used(users),
        "created": one.get("CreatedAt"),
    }


def _build_cache(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": one.get("Description"),
        "size": one.get("Size"),
        "in_use": one.get("InUse"),
        "created": one.get("CreatedAt"),
        "last_used": one.get("LastUsedAt"),
        "id": one.get("ID"),
    }


_USED = {"image": _image, "container": _container, "volume": _volume, "build cache": _build_cache}
