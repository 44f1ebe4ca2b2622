"""How networks are told, and what a container tells of its own. Every field in Docker's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.engine.networks import networks

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.networks.endpoints import Endpoints

__all__ = ["endpoints", "network", "ports", "settings"]

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
SETTINGS: Record = {
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


def endpoints(container: Container, version: Version) -> Record:
    """Tell the networks of a container."""
    found: Record = {}
    for name, config in container.record.endpoints.items():
        made = {**EMPTY_ENDPOINT, "NetworkID": networks.predefined_id(name) if name in networks.PREDEFINED else ""}
        made |= {key: value for key, value in config.items() if key in made}
        made |= {key: value for key, value in (config.get("Live") or {}).items() if key in made}
        if name not in networks.PREDEFINED:
            own = [container.name, *(config.get("Aliases") or []), container.id[:12]]
            hostname = container.record.config["Hostname"]
            made["DNSNames"] = list(dict.fromkeys([*own, *([hostname] if hostname else [])]))
        if version < (1, 44):
            del made["DNSNames"]
        if version < (1, 45) and name not in networks.PREDEFINED:
            made["Aliases"] = [*(config.get("Aliases") or []), container.id[:12]]
        if version < (1, 48):
            del made["GwPriority"]
        found[name] = made
    return found


def settings(container: Container, version: Version) -> Record:
    """Tell `NetworkSettings`; the fields outside of `Networks` are those of the default network."""
    made = {**SETTINGS, "Ports": _published(container)}
    live = (container.record.endpoints.get("bridge") or {}).get("Live") or {}
    made |= {key: value for key, value in live.items() if key in made}
    if container.record.is_running and container.record.endpoints:
        made["SandboxID"] = container.id
        made["SandboxKey"] = f"/proc/{container.state['Pid']}/ns/net"
    return {**made, "Networks": endpoints(container, version)}


def _published(container: Container) -> Record:
    published = container.endpoints.published.get(container.id)
    return dict(published.bindings) if published else {}


def ports(container: Container) -> list[Record]:
    """Tell the ports as the list of containers does."""
    found = []
    for port, bindings in _published(container).items():
        number, _, kind = port.partition("/")
        for binding in bindings or []:
            found.append(
                {
                    "IP": binding["HostIp"],
                    "PrivatePort": int(number),
                    "PublicPort": int(binding["HostPort"]),
                    "Type": kind,
                }
            )
        if not bindings:
            found.append({"PrivatePort": int(number), "Type": kind})
    return sorted(found, key=lambda port: (port["PrivatePort"], port["Type"]))


def network(record: Record, known: Endpoints | None, version: Version) -> Record:
    """Tell a network; with its containers if `known` says who is there."""
    made = dict(record)
    if version < (1, 48):
        del made["EnableIPv4"]
    if known is not None:
        made["Containers"] = {
            container.id: {
                "Name": container.name,
                "EndpointID": live["EndpointID"],
                "MacAddress": live["MacAddress"],
                "IPv4Address": f"{live['IPAddress']}/{live['IPPrefixLen']}" if live["IPAddress"] else "",
                "IPv6Address": "",
            }
            for container, live in known.on_network(record)
        }
    return made
