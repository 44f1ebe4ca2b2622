"""The tables of system operations."""

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
    Column("status", "status", INTEGER, "200 if the engine is healthy"),
    Column("api_version", "Api-Version", TEXT, "the newest API version that the engine supports"),
    Column("os_type", "Ostype", TEXT, "the operating system of its containers: linux or windows"),
    Column("experimental", "Docker-Experimental", TEXT, "whether experimental features are on: true or false"),
    Column("builder_version", "Builder-Version", TEXT, "its preferred builder; reported from Docker 23 on"),
    Column("swarm", "Swarm", TEXT, "its state in a swarm; reported from Docker 23 on"),
)


def ping_table(exchange: Exchange) -> pd.DataFrame:
    """Return the one-row table of SystemPing, whose data is in the body and in headers."""
    record = {column.key: exchange.header(column.key) or None for column in PING[2:]}
    return array_table(PING, [{"answer": exchange.text, "status": exchange.status, **record}])


DATA_USAGE = (
    Column("kind", "kind", TEXT, "image, container, volume or build cache"),
    Column("name", "name", TEXT, "names of an image or container, name of a volume, command of a build step"),
    Column("size_bytes", "size", INTEGER, "of an image, a volume, or a container's own files", "bytes", count_or_none),
    Column("shared_size_bytes", "shared", INTEGER, "shared with other images; images only", "bytes", count_or_none),
    Column("containers", "containers", INTEGER, "how many containers use it, if counted", convert=count_or_none),
    Column("in_use", "in_use", BOOLEAN, "whether something uses it, so that a prune would keep it"),
    Column("created", "created", TIME, "when it was created", "UTC"),
    Column("last_used", "last_used", TIME, "when it was last used; build cache only", "UTC"),
    Column("id", "id", TEXT, "its id; volumes have none"),
)
#: For each kind, the name of its list in responses up to API 1.51, and of the object that has the list as `Items` from
#: 1.52 on.
RESPONSE_FIELDS = {
    "image": ("Images", "ImageUsage"),
    "container": ("Containers", "ContainerUsage"),
    "volume": ("Volumes", "VolumeUsage"),
    "build cache": ("BuildCache", "BuildCacheUsage"),
}


def data_usage_table(document: dict[str, Any]) -> pd.DataFrame:
    """Return the table of SystemDataUsage: one row per image, container, volume and step in the build cache."""
    document = object_or_empty(document)
    rows: list[dict[str, Any]] = []
    for kind, (older, newer) in RESPONSE_FIELDS.items():
        records = document.get(older) or object_or_empty(document.get(newer)).get("Items")
        rows += [{"kind": kind, **_READERS[kind](record)} for record in object_list(records)]
    return array_table(DATA_USAGE, rows)


def _joined(names: Any) -> str:
    names = names if isinstance(names, list) else []
    return ", ".join(name.removeprefix("/") for name in names if isinstance(name, str))


def _in_use(users: Any) -> bool | None:
    """Return whether the number of users is above 0; None if it was not counted."""
    return users > 0 if isinstance(users, int) and users >= 0 else None


def _image(one: dict[str, Any]) -> dict[str, Any]:
    users = one.get("Containers")
    return {
        "name": _joined(one.get("RepoTags")),
        "size": one.get("Size"),
        "shared": one.get("SharedSize"),
        "containers": users,
        "in_use": _in_use(users),
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
        "in_use": _in_use(users),
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


_READERS = {"image": _image, "container": _container, "volume": _volume, "build cache": _build_cache}
