"""Tables of the network operations."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.tables.build import PLAIN, TEXT, TIME, YES_NO, Column, array_table

__all__ = ["LIST", "network_list"]


def _subnets(config: list[dict[str, Any]]) -> str:
    return ", ".join(str(one["Subnet"]) for one in config if one.get("Subnet"))


LIST = (
    Column("name", "Name", TEXT, "its name"),
    Column("driver", "Driver", TEXT, "what makes it: bridge, host, null, overlay, or a plugin"),
    Column("scope", "Scope", TEXT, "local: on this machine; swarm: in the swarm"),
    Column("subnets", "IPAM.Config", TEXT, "its address ranges, with commas between them", convert=_subnets),
    Column("internal", "Internal", YES_NO, "nothing outside is reached from it"),
    Column("attachable", "Attachable", YES_NO, "containers of its users may join it, though it is the swarm's"),
    Column("ingress", "Ingress", YES_NO, "the swarm's own network for published ports"),
    Column("enable_ipv4", "EnableIPv4", YES_NO, "it has IPv4; engines from 28 on tell"),
    Column("enable_ipv6", "EnableIPv6", YES_NO, "it has IPv6"),
    Column("created", "Created", TIME, "when it was created", "UTC"),
    Column("labels", "Labels", PLAIN, "its labels, a dict"),
    Column("options", "Options", PLAIN, "options of its driver, a dict"),
    Column("id", "Id", TEXT, "its id, all 64 digits"),
)


def network_list(records: list[dict[str, Any]] | None) -> pd.DataFrame:
    """Make the table of NetworkList."""
    return array_table(LIST, records)
