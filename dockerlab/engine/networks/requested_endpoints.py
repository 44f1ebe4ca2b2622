"""The networks that a new container is to be connected to, and its settings on them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from dockerlab.engine.faults import BadParameter

__all__ = ["check_addresses", "requested_endpoints", "requested_settings"]

#: The settings that a client may request. The engine ignores all other fields of an EndpointConfig.
REQUESTABLE = ("IPAMConfig", "Links", "Aliases", "MacAddress", "DriverOpts", "GwPriority")
#: Network modes that can't be combined with another network.
EXCLUSIVE_MODES = ("none", "host")
MAC_ADDRESS = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
Record = dict[str, Any]


def requested_endpoints(host: Record, body: Record) -> dict[str, Record]:
    """Return the endpoints of a container that is being created. Raises BadParameter."""
    mode, networking = str(host["NetworkMode"]), body.get("NetworkingConfig") or {}
    requested = {name: config or {} for name, config in (networking.get("EndpointsConfig") or {}).items()}
    if mode.startswith("container:"):
        return {}
    if mode in EXCLUSIVE_MODES and set(requested) - {mode}:
        raise BadParameter("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
    if mode == "bridge" and "default" in requested:
        requested["bridge"] = requested.pop("default")
    endpoints = {mode: requested.pop(mode, {}), **requested}
    if body.get("MacAddress") and mode not in EXCLUSIVE_MODES:
        endpoints[mode] = {"MacAddress": body["MacAddress"], **endpoints[mode]}
    try:
        return {name: requested_settings(config) for name, config in endpoints.items()}
    except BadParameter as fault:
        raise BadParameter(f"invalid config for network {mode}: {fault}") from None


def requested_settings(config: Record) -> Record:
    """Return what the engine uses of an EndpointConfig. Raises BadParameter for an invalid address."""
    check_addresses(config)
    return {name: config[name] for name in REQUESTABLE if config.get(name)}


def check_addresses(config: Record) -> None:
    """Check the addresses in an EndpointConfig. Raises BadParameter."""
    mac_address, ipam = config.get("MacAddress") or "", config.get("IPAMConfig") or {}
    if mac_address and not MAC_ADDRESS.fullmatch(mac_address):
        raise BadParameter(f"invalid MAC address {mac_address}")
    problems = []
    if not _is_address(ipaddress.IPv4Address, ipam.get("IPv4Address")):
        problems.append(f"invalid IPv4 address: {ipam['IPv4Address']}")
    if not _is_address(ipaddress.IPv6Address, ipam.get("IPv6Address")):
        problems.append(f"invalid IPv6 address: {ipam['IPv6Address']}")
    for text in ipam.get("LinkLocalIPs") or []:
        if not _is_address(ipaddress.ip_address, text):
            problems.append(f"invalid link-local IP address: {text}")
    if problems:
        lines = problems if len(problems) == 1 else [f"* {problem}" for problem in problems]
        raise BadParameter("\n".join(["invalid endpoint settings:", *lines]))


def _is_address(parse: Callable[[str], object], text: str | None) -> bool:
    """Return whether a text is an address, or empty."""
    try:
        return not text or bool(parse(text))
    except ValueError:
        return False
