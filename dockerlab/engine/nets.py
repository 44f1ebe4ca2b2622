"""The networks that every engine has. Ours give no addresses yet: a container has a loopback of its own at most."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

__all__ = ["NAMES", "identity", "matches", "network"]

#: name -> driver, in the order in which Docker lists them
NAMES = {"none": "null", "host": "host", "bridge": "bridge"}
Record = dict[str, Any]


def identity(name: str) -> str:
    """Give a network's id, the same on every engine of ours."""
    return hashlib.sha256(f"dockerlab network {name}".encode()).hexdigest()


def network(name: str, created: str, version: tuple[int, ...]) -> Record:
    """Make the document of a network."""
    made: Record = {"Name": name, "Id": identity(name), "Created": created, "Scope": "local", "Driver": NAMES[name]}
    if version >= (1, 48):
        made["EnableIPv4"] = False
    return made | {
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": []},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": {},
        "Labels": {},
    }


#: How a network is held against one value of each filter.
MATCHES: dict[str, Callable[[Record, str], bool]] = {
    "dangling": lambda record, item: item in ("0", "false"),
    "driver": lambda record, item: bool(record["Driver"] == item),
    "id": lambda record, item: bool(record["Id"].startswith(item)),
    "label": lambda record, item: False,
    "name": lambda record, item: item in record["Name"],
    "scope": lambda record, item: bool(record["Scope"] == item),
    "type": lambda record, item: item == "builtin",
}


def matches(record: Record, filters: dict[str, list[str]]) -> bool:
    """Say whether a network is wanted; the names of the filters were looked at before."""
    return all(any(MATCHES[name](record, item) for item in wanted) for name, wanted in filters.items() if wanted)
