"""The columns of the network table."""

from __future__ import annotations

from typing import Any

from dockerlab.tables.build import BOOLEAN, OBJECT, TEXT, TIME, Column

__all__ = ["LIST"]


def _subnets(config: list[dict[str, Any]]) -> str:
    return ", ".join(str(one["Subnet"]) for one in config if one.get("Subnet"))


LIST = (
    Column("name", "Name", TEXT, "its name"),
    Column("driver", "Driver", TEXT, "its driver: bridge, host, null, overlay, or a plugin"),
    Column("scope", "Scope", TEXT, "local: on this machine; swarm: in the swarm"),
    Column("subnets", "IPAM.Config", TEXT, "its address ranges, separated by commas", convert=_subnets),
    Column("internal", "Internal", BOOLEAN, "whether it has no connection to the outside"),
    Column("attachable", "Attachable", BOOLEAN, "whether containers outside the swarm's services may join it"),
    Column("ingress", "Ingress", BOOLEAN, "whether it is the swarm's network for published ports"),
    Column("enable_ipv4", "EnableIPv4", BOOLEAN, "whether it has IPv4; reported from Docker 28 on"),
    Column("enable_ipv6", "EnableIPv6", BOOLEAN, "whether it has IPv6"),
    Column("created", "Created", TIME, "when it was created", "UTC"),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("options", "Options", OBJECT, "its driver's options, a dict"),
    Column("id", "Id", TEXT, "its id, with all 64 digits"),
)
