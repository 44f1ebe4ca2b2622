"""Endpoints: the connections of containers to networks.

A container's record has `Endpoints`: the requested settings per network name. While the container runs, `Live` in them
holds its address there, its interface, and the rest of what inspect shows.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import nanoseconds
from dockerlab.engine.faults import BadParameter, Conflict, Fault, Forbidden, NotFound
from dockerlab.engine.networks import hosts_files, links
from dockerlab.engine.networks.ipam import choose_address, ipv4_subnet
from dockerlab.engine.networks.networks import DEFAULT, PREDEFINED
from dockerlab.engine.networks.published_ports import Connect, PublishedPorts, requested_bindings
from dockerlab.engine.networks.switch_client import SwitchClient, bridge_name, veth_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.networks.networks import Networks

__all__ = ["Endpoints", "requested_endpoints"]

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
    return {name: _requested_settings(config) for name, config in endpoints.items()}


def _requested_settings(config: Record) -> Record:
    return {name: config[name] for name in REQUESTABLE if config.get(name)}


class Endpoints:
    """Connects the containers of one engine with its networks."""

    def __init__(
        self, networks: Networks, switch: SwitchClient, containers: Callable[[], Iterable[ContainerRecord]]
    ) -> None:
        self.networks = networks
        self.switch = switch
        self.containers = containers
        self.published: dict[str, PublishedPorts] = {}
        self.with_namespace: set[str] = set()  #: ids of the containers whose namespaces the switch keeps open

    # -- which container is on which network -------------------------------------------------------------------

    def on_network(self, network: Record) -> list[tuple[ContainerRecord, Record]]:
        """Return the running containers on a network, with what they have there."""
        return [
            (container, live)
            for container in self.containers()
            for endpoint in container.endpoints.values()
            if (live := endpoint.get("Live")) and live["NetworkID"] == network["Id"]
        ]

    def used_network_ids(self) -> set[str]:
        """Return the ids of the networks that containers have, running or not."""
        references = {reference for container in self.containers() for reference in container.endpoints}
        return {network["Id"] for network in self.networks if {network["Name"], network["Id"]} & references}

    def by_network_name(self, endpoints: dict[str, Record]) -> dict[str, Record]:
        """Replace ids of networks by their names. References to networks that don't exist stay."""
        renamed = {}
        for reference, endpoint in endpoints.items():
            try:
                renamed[str(self.networks.find(reference)["Name"])] = endpoint
            except Fault:
                renamed[reference] = endpoint
        return renamed

    # -- the life of a container -------------------------------------------------------------------------------

    def set_up(self, container: ContainerRecord) -> dict[str, str]:
        """Connect a container that is about to start. Return the namespaces that its process is to join.

        Raises Fault, NotFound.
        """
        container.endpoints = self.by_network_name(container.endpoints)
        networks = {}
        for name in container.endpoints:
            try:
                networks[name] = self.networks.find(name)
            except Fault as fault:
                raise type(fault)(f"failed to set up container networking: {fault}") from None
        bridged = {name: network for name, network in networks.items() if network["Driver"] == "bridge"}
        hosts_files.write(container, [])
        if not bridged or not self.switch.works:
            for name, network in networks.items():
                container.endpoints[name]["Live"] = _without_address(network)
            return {}
        handle = self.switch.request("space", container=container.id)["handle"]
        self.with_namespace.add(container.id)
        try:
            # the first network gets the default route
            for name in sorted(bridged, key=lambda name: -int(container.endpoints[name].get("GwPriority") or 0)):
                self._add_interface(container, name, bridged[name])
        except BaseException:
            self.tear_down(container)
            raise
        return {"net": f"/proc/{self.switch.pid}/fd/{handle}"}

    def _add_interface(self, container: ContainerRecord, name: str, network: Record) -> None:
        endpoint, (_, gateway, prefix) = container.endpoints[name], ipv4_subnet(network)
        used = {live["IPAddress"] for _, live in self.on_network(network)}
        live = _without_address(network)
        live["IPAddress"] = choose_address(network, endpoint, used)
        octets = ":".join(f"{int(part):02x}" for part in live["IPAddress"].split("."))
        if ipv6_address := (endpoint.get("IPAMConfig") or {}).get("IPv6Address"):
            live["GlobalIPv6Address"] = ipv6_address  # only shown, because the switch has no IPv6
        live |= {"IPPrefixLen": prefix, "MacAddress": endpoint.get("MacAddress") or f"02:42:{octets}"}
        live["Gateway"] = "" if network["Internal"] else gateway
        bridge = bridge_name(network["Id"])
        self.switch.request("network", bridge=bridge, gateway=gateway, prefix=prefix)
        self.switch.request(
            "plug",
            container=container.id,
            port=veth_name(live["EndpointID"]),
            bridge=bridge,
            mac=live["MacAddress"],
            address=live["IPAddress"],
            prefix=prefix,
            gateway=live["Gateway"],
        )
        endpoint["Live"] = live
        self.networks.publish_event("connect", network, container=container.id)

    def publish_ports(self, container: ContainerRecord) -> None:
        """Publish the ports of a container that is about to start, and make its name known. Raises Fault."""
        mode = container.network_mode
        ports = requested_bindings(container.config, container.host_config)
        if ports and mode != "host" and not mode.startswith("container:"):
            published = PublishedPorts(self._connector(container) if self.switch.works else None)
            try:
                published.open(ports)
            except Fault as fault:
                endpoint_id = next((live["EndpointID"] for live in _all_live(container)), "")
                raise Fault(
                    "failed to set up container networking: driver failed programming external connectivity on "
                    f"endpoint {container.name} ({endpoint_id}): {fault}"
                ) from None
            self.published[container.id] = published
        self._update_names_around(container)

    def _connector(self, container: ContainerRecord) -> Connect:
        """Return a function that connects to a port of the container, at its first address."""

        async def connect(number: int, protocol: str) -> socket.socket:
            for live in _all_live(container):
                if live["IPAddress"]:
                    return await self.switch.connect(live["IPAddress"], number, protocol)
            raise Fault("the container has no address")

        return connect

    def tear_down(self, container: ContainerRecord) -> None:
        """Release what a container had while it ran: its ports, its addresses, and its namespace."""
        if published := self.published.pop(container.id, None):
            published.close()
        had_address = False
        for name, endpoint in container.endpoints.items():
            live = endpoint.pop("Live", None)
            if not live or not live["IPAddress"]:
                continue
            had_address = True
            try:
                network = self.networks.find(name)
            except Fault:
                continue
            self.networks.publish_event("disconnect", network, container=container.id)
        if container.id in self.with_namespace:
            self.with_namespace.discard(container.id)
            self.switch.request("end", container=container.id)
        if had_address:
            self._update_names_around(container)

    def resume(self, containers: list[ContainerRecord]) -> None:
        """After an engine restart: publish ports again, and close the namespaces of containers that have ended."""
        running = {container.id for container in containers if container.is_running}
        if self.switch.pid:
            self.with_namespace = set(self.switch.request("spaces")["containers"])
            for container_id in self.with_namespace - running:
                self.switch.request("end", container=container_id)
            self.with_namespace &= running
        for container in containers:
            if container.id in running:
                try:
                    self.publish_ports(container)
                except Fault:
                    continue  # another program uses the port now; the container goes on without it

    # -- names of other containers -----------------------------------------------------------------------------

    def _update_names_around(self, container: ContainerRecord) -> None:
        """Update the names that a container, and the running containers on its networks, can resolve.

        On the default network, only a container with a link to it knows its name.
        """
        for other in self.containers():
            shared = {name for name in container.endpoints if _has_address(other, name)}
            is_peer = shared - {DEFAULT} or (shared and _has_link(other, container))
            if other.id == container.id or is_peer:
                self._update_names(other)

    def _update_names(self, container: ContainerRecord) -> None:
        """Give a container the names it can resolve: to its DNS, or in /etc/hosts on the default network alone."""
        peers = self._peers(container)
        has_dns = bool(set(container.endpoints) - set(PREDEFINED)) and self.switch.works
        hosts_files.write(container, [] if has_dns else peers, has_dns)
        if has_dns and container.id in self.with_namespace:
            own_names = [container.name, container.id[:12]]
            itself = [(live["IPAddress"], own_names) for live in _all_live(container) if live["IPAddress"]]
            table: dict[str, list[str]] = {}
            for address, names in [*peers, *itself]:
                for name in names:
                    table.setdefault(name.lower(), []).append(address)
            self.switch.request("names", container=container.id, table=table)

    def _peers(self, container: ContainerRecord) -> list[tuple[str, list[str]]]:
        """Return the addresses of the containers that a container knows, each with their names."""
        peers = []
        for network_name, endpoint in container.endpoints.items():
            if not _has_address(container, network_name):
                continue
            network = self.networks.all.get(endpoint["Live"]["NetworkID"])
            if network is None:
                continue
            aliases = links.aliases(container, endpoint)
            for other, live in self.on_network(network):
                if other.id == container.id or not live["IPAddress"]:
                    continue
                names = [*aliases.get(other.name, [])]
                if network_name != DEFAULT:
                    names += [other.name, *(other.endpoints.get(network_name, {}).get("Aliases") or []), other.id[:12]]
                elif names:
                    names += [other.config["Hostname"], other.name]
                if names:
                    peers.append((live["IPAddress"], list(dict.fromkeys(names))))
        return peers

    # -- connect and disconnect --------------------------------------------------------------------------------

    def connect(self, reference: str, container: ContainerRecord, config: Record) -> None:
        """Connect a container, running or not. Raises NotFound, Conflict, Forbidden, Fault."""
        try:
            network = self.networks.find(reference)
        except NotFound:
            if container.is_running:
                raise
            container.endpoints[reference] = _requested_settings(config)  # the network is looked up at the start
            container.save()
            return
        _check_connect(network, container, config)
        name, endpoints = network["Name"], container.endpoints
        endpoints.pop("none", None)
        endpoints[name] = _requested_settings(config)
        if container.is_running and self.switch.works:
            try:
                self._add_interface(container, name, network)
            except Fault:
                del endpoints[name]
                raise
            self._update_names_around(container)
        container.save()

    def disconnect(self, network: Record, container: ContainerRecord) -> None:
        """Disconnect a container. Raises Forbidden."""
        name, endpoints = network["Name"], container.endpoints
        if name == "host":
            raise Forbidden("container cannot be disconnected from host network")
        if name not in endpoints:
            raise Forbidden(f"container {container.id} is not connected to the network {name}")
        live = endpoints.pop(name).get("Live")
        if live and live["IPAddress"]:
            self.switch.request("unplug", port=veth_name(live["EndpointID"]))
            self.networks.publish_event("disconnect", network, container=container.id)
            for other, _ in self.on_network(network):
                self._update_names(other)
            self._update_names(container)
        container.save()

    # -- removing networks -------------------------------------------------------------------------------------

    def remove_network(self, network: Record) -> None:
        """Remove a network without running containers. Raises Forbidden."""
        if network["Name"] not in PREDEFINED and (active := self.on_network(network)):
            ends = ", ".join(f'name:"{container.name}" id:"{live["EndpointID"][:12]}"' for container, live in active)
            raise Forbidden(f"error while removing network: network {network['Name']} has active endpoints ({ends})")
        self.networks.remove(network)
        if self.switch.pid:
            self.switch.request("forget", bridge=bridge_name(network["Id"]))

    def prune_networks(self, matches: Callable[[dict[str, str], int], bool]) -> list[str]:
        """Remove the networks that no container has, if their labels and creation time match. Return their names."""
        used_ids, names = self.used_network_ids(), []
        for network in self.networks:
            is_unused = network["Name"] not in PREDEFINED and network["Id"] not in used_ids
            if is_unused and matches(network["Labels"], nanoseconds(network["Created"])):
                self.remove_network(network)
                names.append(network["Name"])
        return names


def _without_address(network: Record) -> Record:
    """Return the `Live` part of a new endpoint, before it has an address."""
    return {
        "NetworkID": network["Id"],
        "EndpointID": secrets.token_hex(32),
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "MacAddress": "",
    }


def _all_live(container: ContainerRecord) -> list[Record]:
    return [endpoint["Live"] for endpoint in container.endpoints.values() if endpoint.get("Live")]


def _has_address(container: ContainerRecord, network_name: str) -> bool:
    endpoint = container.endpoints.get(network_name) or {}
    return bool((endpoint.get("Live") or {}).get("IPAddress"))


def _has_link(container: ContainerRecord, other: ContainerRecord) -> bool:
    return any(other.name in links.aliases(container, endpoint) for endpoint in container.endpoints.values())


def _check_connect(network: Record, container: ContainerRecord, config: Record) -> None:
    """Check whether a container may be connected to a network. Raises BadParameter, Conflict, Forbidden."""
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
