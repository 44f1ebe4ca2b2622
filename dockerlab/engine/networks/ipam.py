"""IP address management: the subnets of networks, and the addresses of containers in them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from dockerlab.engine.faults import BadParameter, Fault, Forbidden

__all__ = ["check_stored", "choose_address", "choose_subnets", "ipv4_subnet"]

IPV4 = 4
CIDR = re.compile(r"[0-9a-fA-F.:]+/[0-9]+")
#: Where a network without a requested subnet gets one, in Docker's order.
POOLS = [f"172.{number}.0.0/16" for number in range(18, 32)] + [f"192.168.{16 * n}.0/20" for n in range(16)]
Record = dict[str, Any]
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def ipv4_subnet(network: Record) -> tuple[str, str, int]:
    """Return a network's subnet, gateway and prefix length; empty values if it has no IPv4 addresses."""
    for config in network["IPAM"]["Config"] or []:
        subnet = ipaddress.ip_network(config["Subnet"], strict=False)
        if subnet.version == IPV4:
            gateway = (config.get("Gateway") or "").partition("/")[0]
            return str(subnet), gateway or (str(subnet[1]) if subnet.num_addresses > 1 else ""), subnet.prefixlen
    return "", "", 0


def choose_subnets(requested: list[Record], networks: Iterable[Record]) -> list[Record]:
    """Return the `IPAM.Config` of a new network: the requested subnets, and an IPv4 pool if none of them is IPv4.

    `networks` are those that exist already. Raises BadParameter, Forbidden, Fault.
    """
    used = [ipaddress.ip_network(subnet) for network in networks if (subnet := ipv4_subnet(network)[0])]
    configs = [_checked(config, used) for config in requested]
    if not any(ipaddress.ip_network(config["Subnet"], strict=False).version == IPV4 for config in configs):
        free = (pool for pool in map(ipaddress.ip_network, POOLS) if not any(pool.overlaps(each) for each in used))
        pool = next(free, None)
        if pool is None:
            raise Fault("all predefined address pools have been fully subnetted")
        configs.insert(0, {"Subnet": str(pool), "Gateway": str(pool[1])})
    return configs


def check_stored(configs: list[Record]) -> None:
    """Raise ValueError if the `IPAM.Config` of a stored network has an invalid subnet or address."""
    for config in configs:
        ipaddress.ip_network(config.get("Subnet", ""), strict=False)
        for text in (config.get("Gateway"), config.get("IPRange")):
            if text:
                ipaddress.ip_interface(text)


def _checked(config: Record, used: list[IPNetwork]) -> Record:
    text = config.get("Subnet") or ""
    try:
        subnet = ipaddress.ip_network(text if CIDR.fullmatch(text) else "", strict=False)
    except ValueError:
        raise BadParameter(f"invalid network config:\ninvalid subnet {text}: invalid CIDR block notation") from None
    if str(subnet.network_address) != str(ipaddress.ip_address(text.partition("/")[0])):
        raise BadParameter(f"invalid network config:\ninvalid subnet {text}: it should be {subnet}")
    for name, address in (config.get("AuxiliaryAddresses") or {}).items():
        _check_address(f"auxiliary address {name}", address)
    for name, key in (("gateway", "Gateway"), ("ip-range", "IPRange")):
        if config.get(key):
            _check_is_inside(name, config[key], subnet)
    if any(subnet.version == other.version and subnet.overlaps(other) for other in used):
        raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
    return {"Subnet": text} | {
        key: config[key] for key in ("IPRange", "Gateway", "AuxiliaryAddresses") if config.get(key)
    }


def _check_address(description: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise BadParameter(f"invalid network config:\ninvalid {description}: invalid address") from None


def _check_is_inside(name: str, text: str, subnet: IPNetwork) -> None:
    try:
        first = ipaddress.ip_network(text, strict=False)[0]
    except ValueError:
        raise BadParameter(f"invalid network config:\ninvalid {name} {text}: invalid address") from None
    if first not in subnet:
        raise BadParameter(
            f"invalid network config:\ninvalid {name} {text}: parent subnet {subnet} doesn't contain {name}"
        )


def choose_address(network: Record, endpoint: Record, used: set[str]) -> str:
    """Return the requested address of an endpoint, or the first free one. Raises Forbidden, Fault."""
    requested = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
    if requested:
        if requested in used:
            raise Forbidden("failed to set up container networking: Address already in use")
        return str(requested)
    subnet, gateway, _ = ipv4_subnet(network)
    pool, reserved = ipaddress.ip_network(subnet), {*used, gateway}
    for config in network["IPAM"]["Config"]:
        reserved |= set((config.get("AuxiliaryAddresses") or {}).values())
        if config.get("IPRange") and ":" not in config["IPRange"]:
            pool = ipaddress.ip_network(config["IPRange"], strict=False)
    for candidate in pool.hosts():
        if str(candidate) not in reserved:
            return str(candidate)
    raise Fault("failed to set up container networking: no available IPv4 addresses on this network's address pools")
