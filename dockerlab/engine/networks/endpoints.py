"""Endpoints: the connections of containers to networks.

A container's record has `Endpoints`: the requested settings per network name. While the container runs, `Live` in them
holds its address there, its interface, and the rest of what inspect shows.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import nanoseconds
from dockerlab.engine.faults import Fault, Forbidden, NotFound
from dockerlab.engine.networks import hosts_files, links
from dockerlab.engine.networks.connect_check import check_connect
from dockerlab.engine.networks.ipam import choose_address, ipv4_subnet
from dockerlab.engine.networks.networks import DEFAULT, PREDEFINED
from dockerlab.engine.networks.published_ports import Connect, PublishedPorts, requested_bindings
from dockerlab.engine.networks.requested_endpoints import requested_endpoints, requested_settings
from dockerlab.engine.networks.switch_client import BRIDGE, VETH, SwitchClient, bridge_name, veth_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.networks.networks import Networks

__all__ = ["Endpoints", "requested_endpoints"]

log = logging.getLogger("dockerlab.engine")
Record = dict[str, Any]


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
        switch.restore, switch.is_needed = self.restore, lambda: bool(self._connected())

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
            for name in sorted(bridged, key=lambda name: _route_order(container.endpoints[name])):
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
        self._plug(container, network, live)
        endpoint["Live"] = live
        self.networks.publish_event("connect", network, container=container.id)

    def _plug(self, container: ContainerRecord, network: Record, live: Record) -> None:
        """Give a container its interface on a network, whose bridge is created first if necessary. Raises Fault."""
        bridge, (_, gateway, prefix) = bridge_name(network["Id"]), ipv4_subnet(network)
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
            self._compare_interfaces([container for container in containers if container.id in running])
        elif self._connected():  # the switch has ended, too
            self.switch.request("spaces")
        for container in containers:
            if container.id in running:
                try:
                    self.publish_ports(container)
                except Fault:
                    continue  # another program uses the port now; the container goes on without it

    def _compare_interfaces(self, containers: list[ContainerRecord]) -> None:
        """Remove interfaces that nothing has, and add missing ones: a crash may have come between them and a record."""
        with contextlib.suppress(Fault):  # the switch may be of an older version, which can't list them
            interfaces = set(self.switch.request("interfaces")["interfaces"])
            for bridge in interfaces - {bridge_name(network["Id"]) for network in self.networks}:
                if bridge.startswith(BRIDGE):
                    self.switch.request("forget", bridge=bridge)
            ports = {veth_name(live["EndpointID"]) for container in containers for live in _all_live(container)}
            for port in interfaces - ports:
                if port.startswith(VETH):
                    self.switch.request("unplug", port=port)
            for container in containers:
                for live in _all_live(container) if container.id in self.with_namespace else ():
                    network = self.networks.all.get(live["NetworkID"])
                    if network and live["IPAddress"] and veth_name(live["EndpointID"]) not in interfaces:
                        self._plug(container, network, live)

    def _connected(self) -> list[ContainerRecord]:
        """Return the running containers that have an address."""
        return [
            container
            for container in self.containers()
            if container.is_running and any(_has_address(container, name) for name in container.endpoints)
        ]

    def restore(self) -> None:
        """Connect the running containers to a new switch, with the addresses that they have had."""
        self.with_namespace.clear()
        containers = self._connected()
        for container in containers:
            try:
                self.switch.request("space", container=container.id, pid=container.state["Pid"])
                self.with_namespace.add(container.id)
                for endpoint in sorted(container.endpoints.values(), key=_route_order):
                    live = endpoint.get("Live") or {}
                    if live.get("IPAddress") and (network := self.networks.all.get(live["NetworkID"])):
                        self._plug(container, network, live)
            except Fault as fault:
                log.warning("%s has no network any more: %s", container.id[:12], fault)
        for container in containers:
            self._update_names(container)

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
            _save(container, {**container.endpoints, reference: requested_settings(config)})
            return
        check_connect(network, container, config)
        name, before = network["Name"], container.endpoints
        container.endpoints = {key: value for key, value in before.items() if key != "none"}
        container.endpoints[name] = requested_settings(config)
        try:
            if container.is_running and self.switch.works:
                self._add_interface(container, name, network)
                self._update_names_around(container)
            container.save()
        except (Fault, OSError):
            live = container.endpoints[name].get("Live")
            container.endpoints = before
            if live:
                self._remove_interface(container, network, live)
            raise

    def disconnect(self, network: Record, container: ContainerRecord) -> None:
        """Disconnect a container. Raises Forbidden."""
        name, endpoints = network["Name"], container.endpoints
        if name == "host":
            raise Forbidden("container cannot be disconnected from host network")
        if name not in endpoints:
            raise Forbidden(f"container {container.id} is not connected to the network {name}")
        _save(container, {key: value for key, value in endpoints.items() if key != name})
        live = endpoints[name].get("Live")
        if live and live["IPAddress"]:
            self._remove_interface(container, network, live)

    def _remove_interface(self, container: ContainerRecord, network: Record, live: Record) -> None:
        """Take away a running container's interface on a network that its record no longer names."""
        self.switch.request("unplug", port=veth_name(live["EndpointID"]))
        self.networks.publish_event("disconnect", network, container=container.id)
        with contextlib.suppress(OSError):  # on a full disk some container may still know a name that leads nowhere
            for other, _ in self.on_network(network):
                self._update_names(other)
            self._update_names(container)

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


def _save(container: ContainerRecord, endpoints: dict[str, Record]) -> None:
    """Give a container other endpoints. If they can't be saved, it keeps those that it has."""
    before, container.endpoints = container.endpoints, endpoints
    try:
        container.save()
    except OSError:
        container.endpoints = before
        raise


def _route_order(endpoint: Record) -> int:
    """Return a key that puts the network first that gets the default route."""
    return -int(endpoint.get("GwPriority") or 0)


def _all_live(container: ContainerRecord) -> list[Record]:
    return [endpoint["Live"] for endpoint in container.endpoints.values() if endpoint.get("Live")]


def _has_address(container: ContainerRecord, network_name: str) -> bool:
    endpoint = container.endpoints.get(network_name) or {}
    return bool((endpoint.get("Live") or {}).get("IPAddress"))


def _has_link(container: ContainerRecord, other: ContainerRecord) -> bool:
    return any(other.name in links.aliases(container, endpoint) for endpoint in container.endpoints.values())
