"""Checks whether a container may be connected to a network."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import BadParameter, Conflict, Forbidden
from dockerlab.engine.networks.ipam import ipv4_subnet
from dockerlab.engine.networks.networks import PREDEFINED
from dockerlab.engine.networks.requested_endpoints import check_addresses

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["check_connect"]

Record = dict[str, Any]


def check_connect(network: Record, container: ContainerRecord, config: Record) -> None:
    """Check whether a container may be connected to a network. Raises BadParameter, Conflict, Forbidden."""
    check_addresses(config)
    mode, name = container.network_mode, network["Name"]
    if mode == "host":
        raise Forbidden("container sharing network namespace with host cannot be connected")
    if name == "host":
        raise Forbidden("container cannot be connected to host network")
    if mode.startswith("container:"):
        raise Conflict(
            "container sharing network namespace with another container or host cannot be connected to any other "
            "network"
        )
    if name in container.endpoints:
        raise Forbidden(f"endpoint with name {container.name} already exists in network {name}")
    address = (config.get("IPAMConfig") or {}).get("IPv4Address")
    if address:
        if name in PREDEFINED:
            raise BadParameter("user specified IP address is supported on user defined networks only")
        if ipaddress.ip_address(address) not in ipaddress.ip_network(ipv4_subnet(network)[0]):
            raise BadParameter(
                "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address " + address
            )
