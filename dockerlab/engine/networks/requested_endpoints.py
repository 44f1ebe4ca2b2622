"""The networks that a new container is to be connected to, and its settings on them."""

from __future__ import annotations

from typing import Any

from dockerlab.engine.faults import BadParameter

__all__ = ["requested_endpoints", "requested_settings"]

#: The settings that a client may request. The engine ignores all other fields of an EndpointConfig.
REQUESTABLE = ("IPAMConfig", "Links", "Aliases", "MacAddress", "DriverOpts", "GwPriority")
#: Network modes that can't be combined with another network.
EXCLUSIVE_MODES = ("none", "host")
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
    return {name: requested_settings(config) for name, config in endpoints.items()}


def requested_settings(config: Record) -> Record:
    return {name: config[name] for name in REQUESTABLE if config.get(name)}
