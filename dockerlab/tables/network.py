"""Tables of the network operations."""

from __future__ import annotations

from typing import Any

from dockerlab.tables.build import BOOLEAN, OBJECT, TEXT, TIME, Column

__all__ = ["LIST"]


def _subnets(config: list[dict[str, Any]]) -> str:
    return ", ".join(str(one["Subnet"]) for one in config if one.get("Subnet"))


LIST = (
    Column("name", "Name", TEXT, "its name"),
    Column("driver", "Driver", TEXT, "what makes it: bridge, host, null, overlay, or a plugin"),
    Column("scope", "Scope", TEXT, "local: on this machine; swarm: in the swarm"),
    Column("subnets", "IPAM.Config", TEXT, "its address ranges, with commas between them", convert=_subnets),
    Column("internal", "Internal", BOOLEAN, "nothing outside is reached from it"),
    Column("attachable", "Attachable", BOOLEAN, "containers of its users may join it, though it is the swarm's"),
    Column("ingress", "Ingress", BOOLEAN, "the swarm's own network for published ports"),
    Column("enable_ipv4", "EnableIPv4", BOOLEAN, "it has IPv4; engines from 28 on tell"),
    Column("enable_ipv6", "EnableIPv6", BOOLEAN, "it has IPv6"),
    Column("created", "Created", TIME, "when it was created", "UTC"),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("options", "Options", OBJECT, "options of its driver, a dict"),
    Column("id", "Id", TEXT, "its id, all 64 digits"),
)
