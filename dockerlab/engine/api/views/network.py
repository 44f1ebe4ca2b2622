"""Networks as JSON, and the network part of a container's documents. Every field stands in Docker's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.networks import networks

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.networks.endpoints import Endpoints

__all__ = ["container_endpoints", "container_settings", "network", "ports"]

Version = tuple[int, ...]
Record = dict[str, Any]
EMPTY_ENDPOINT: Record = {
    "IPAMConfig": None,
    "Links": None,
    "Aliases": None,
    "MacAddress": "",
    "DriverOpts": None,
    "GwPriority": 0,
    "NetworkID": "",
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "DNSNames": None,
}
EMPTY_SETTINGS: Record = {
    "Bridge": "",
    "SandboxID": "",
    "SandboxKey": "",
    "Ports": {},
    "HairpinMode": False,
    "LinkLocalIPv6Address": "",
    "LinkLocalIPv6PrefixLen": 0,
    "SecondaryIPAddresses": None,
    "SecondaryIPv6Addresses": None,
    "EndpointID": "",
    "Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "MacAddress": "",
}


def container_endpoints(container: Container, version: Version) -> Record:
    """Return the `Networks` of a container: its endpoint by the name of each network."""
    return {name: _endpoint(container, name, version) for name in container.record.endpoints}


def _endpoint(container: Container, name: str, version: Version) -> Record:
    stored, is_predefined = container.record.endpoints[name], name in networks.PREDEFINED
    document = {**EMPTY_ENDPOINT, "NetworkID": networks.predefined_id(name) if is_predefined else ""}
    document |= {key: value for key, value in stored.items() if key in document}
    document |= {key: value for key, value in (stored.get("Live") or {}).items() if key in document}
    aliases, short_id = stored.get("Aliases") or [], container.id[:12]
    if not is_predefined:
        hostname = container.record.config["Hostname"]
        dns_names = [container.name, *aliases, short_id, *([hostname] if hostname else [])]
        document["DNSNames"] = list(dict.fromkeys(dns_names))
    if version < (1, 44):
        del document["DNSNames"]
    if version < (1, 45) and not is_predefined:
        document["Aliases"] = [*aliases, short_id]
    if version < (1, 48):
        del document["GwPriority"]
    return document


def container_settings(container: Container, version: Version) -> Record:
    """Return the `NetworkSettings` of a container; the fields outside `Networks` are those of the default network."""
    record = container.record
    document = {**EMPTY_SETTINGS, "Ports": _bindings(container)}
    live = (record.endpoints.get(networks.DEFAULT) or {}).get("Live") or {}
    document |= {key: value for key, value in live.items() if key in document}
    if record.is_running and record.endpoints:
        document["SandboxID"] = container.id
        document["SandboxKey"] = f"/proc/{container.state['Pid']}/ns/net"
    return {**document, "Networks": container_endpoints(container, version)}


def _bindings(container: Container) -> Record:
    published = container.endpoints.published.get(container.id)
    return dict(published.bindings) if published else {}


def ports(container: Container) -> list[Record]:
    """Return the ports as the list of containers shows them."""
    items = []
    for port, bindings in _bindings(container).items():
        number, _, protocol = port.partition("/")
        for binding in bindings or []:
            items.append(
                {
                    "IP": binding["HostIp"],
                    "PrivatePort": int(number),
                    "PublicPort": int(binding["HostPort"]),
                    "Type": protocol,
                }
            )
        if not bindings:
            items.append({"PrivatePort": int(number), "Type": protocol})
    return sorted(items, key=lambda item: (item["PrivatePort"], item["Type"]))


def network(record: Record, version: Version, endpoints: Endpoints | None = None) -> Record:
    """Return a network; with `endpoints`, its containers are part of it."""
    document = dict(record)
    if version < (1, 48):
        del document["EnableIPv4"]
    if endpoints is not None:
        document["Containers"] = {
            container.id: {
                "Name": container.name,
                "EndpointID": live["EndpointID"],
                "MacAddress": live["MacAddress"],
                "IPv4Address": f"{live['IPAddress']}/{live['IPPrefixLen']}" if live["IPAddress"] else "",
                "IPv6Address": "",
            }
            for container, live in endpoints.on_network(record)
        }
    return document
