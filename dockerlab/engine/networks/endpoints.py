"""How containers are connected to networks: what was asked for, and what they have while they run.

A container's record has `Endpoints`: network name -> what was asked for, with `Live`, what it has while it runs.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import BadParameter, Conflict, Fault, Forbidden, NotFound
from dockerlab.engine.networks import hosts_files
from dockerlab.engine.networks import networks as nets
from dockerlab.engine.networks.published_ports import Connect, PublishedPorts, requested_bindings
from dockerlab.engine.networks.switch_client import SwitchClient, bridge_name, veth_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.networks.networks import Networks

__all__ = ["Endpoints", "asked_for"]

CONNECT_SECONDS = 10
#: What a client may ask of an endpoint; everything else it is told.
ASKED = ("IPAMConfig", "Links", "Aliases", "MacAddress", "DriverOpts", "GwPriority")
OWN = ("none", "host")
Record = dict[str, Any]


def asked_for(host: Record, body: Record) -> dict[str, Record]:
    """Give the endpoints of a container that is being created. Raises BadParameter."""
    mode, networking = str(host["NetworkMode"]), body.get("NetworkingConfig") or {}
    asked = {name: config or {} for name, config in (networking.get("EndpointsConfig") or {}).items()}
    if mode.startswith("container:"):
        return {}
    if mode in OWN and set(asked) - {mode}:
        raise BadParameter("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
    if mode == "bridge" and "default" in asked:
        asked["bridge"] = asked.pop("default")
    found = {mode: asked.pop(mode, {}), **asked}
    if body.get("MacAddress") and mode not in OWN:
        found[mode] = {"MacAddress": body["MacAddress"], **found[mode]}
    return {name: _endpoint(config) for name, config in found.items()}


def _endpoint(config: Record) -> Record:
    """Keep what was asked of an endpoint."""
    return {name: config[name] for name in ASKED if config.get(name)}


class Endpoints:
    """Connects the containers of one engine."""

    def __init__(
        self, networks: Networks, switch: SwitchClient, containers: Callable[[], Iterable[ContainerRecord]]
    ) -> None:
        """Use the switch, where there is one."""
        self.networks = networks
        self.switch = switch
        self.containers = containers
        self.published: dict[str, PublishedPorts] = {}
        self.held: set[str] = set()  #: containers whose namespaces the switch holds

    # -- who is where ------------------------------------------------------------------------------------------

    def on(self, network: Record) -> list[tuple[ContainerRecord, Record]]:
        """Give the containers on a network that run, with what they have there."""
        found = []
        for container in self.containers():
            for config in container.endpoints.values():
                live = config.get("Live")
                if live and live["NetworkID"] == network["Id"]:
                    found.append((container, live))
        return found

    def used(self) -> set[str]:
        """Give the ids of the networks that containers have, running or not."""
        names = {name for container in self.containers() for name in container.endpoints}
        return {network["Id"] for network in self.networks if {network["Name"], network["Id"]} & names}

    def named(self, asked: dict[str, Record]) -> dict[str, Record]:
        """Name networks by their names, where they were named by their ids; those that aren't there stay."""
        found = {}
        for reference, config in asked.items():
            try:
                found[str(self.networks.find(reference)["Name"])] = config
            except Fault:
                found[reference] = config
        return found

    # -- a container's life ------------------------------------------------------------------------------------

    def prepare(self, container: ContainerRecord) -> dict[str, str]:
        """Make the network of a container that is about to run; give the namespaces that it is to enter.

        Raises Fault, NotFound.
        """
        found = {}
        container.endpoints = self.named(container.endpoints)
        for name in container.endpoints:
            try:
                found[name] = self.networks.find(name)
            except Fault as fault:
                raise type(fault)(f"failed to set up container networking: {fault}") from None
        plugged = {name: network for name, network in found.items() if network["Driver"] == "bridge"}
        hosts_files.write(container, [])
        if not plugged or not self.switch.works:
            for name, network in found.items():
                self._config(container, name)["Live"] = self._live(network)
            return {}
        handle = self.switch.request("space", container=container.id)["handle"]
        self.held.add(container.id)
        try:
            order = sorted(plugged, key=lambda name: -int(self._config(container, name).get("GwPriority") or 0))
            for name in order:
                self._plug(container, name, plugged[name])
        except BaseException:
            self.ended(container)
            raise
        return {"net": f"/proc/{self.switch.pid}/fd/{handle}"}

    def _config(self, container: ContainerRecord, name: str) -> Record:
        return container.endpoints[name]

    @staticmethod
    def _lives(container: ContainerRecord) -> list[Record]:
        return [one["Live"] for one in container.endpoints.values() if one.get("Live")]

    def _live(self, network: Record) -> Record:
        return {
            "NetworkID": network["Id"],
            "EndpointID": secrets.token_hex(32),
            "Gateway": "",
            "IPAddress": "",
            "IPPrefixLen": 0,
            "MacAddress": "",
        }

    def _plug(self, container: ContainerRecord, name: str, network: Record) -> None:
        config, (_, gateway, prefix) = self._config(container, name), nets.address_of(network)
        live = self._live(network)
        live["IPAddress"] = self._address(network, config)
        numbers = ":".join(f"{int(part):02x}" for part in live["IPAddress"].split("."))
        if asked6 := (config.get("IPAMConfig") or {}).get("IPv6Address"):
            live["GlobalIPv6Address"] = asked6  # kept and shown: the switch speaks IPv4 alone
        live |= {"IPPrefixLen": prefix, "MacAddress": config.get("MacAddress") or f"02:42:{numbers}"}
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
        config["Live"] = live
        self.networks.tell("connect", network, container=container.id)

    def _address(self, network: Record, config: Record) -> str:
        """Choose an address: the one that was asked for, or the first that is free. Raises Fault."""
        taken = {live["IPAddress"] for _, live in self.on(network)}
        asked = (config.get("IPAMConfig") or {}).get("IPv4Address")
        if asked:
            if asked in taken:
                raise Forbidden("failed to set up container networking: Address already in use")
            return str(asked)
        subnet, gateway, _ = nets.address_of(network)
        pool = ipaddress.ip_network(subnet)
        for settings in network["IPAM"]["Config"]:
            taken |= set((settings.get("AuxiliaryAddresses") or {}).values())
            if settings.get("IPRange") and ":" not in settings["IPRange"]:
                pool = ipaddress.ip_network(settings["IPRange"], strict=False)
        for candidate in pool.hosts():
            if str(candidate) != gateway and str(candidate) not in taken:
                return str(candidate)
        raise Fault(
            "failed to set up container networking: no available IPv4 addresses on this network's address pools"
        )

    def started(self, container: ContainerRecord) -> None:
        """Publish the ports of a container that is about to run, and tell its peers. Raises Fault."""
        mode = container.network_mode
        ports = requested_bindings(container.config, container.host_config)
        if ports and mode != "host" and not mode.startswith("container:"):
            connect = self._connector(container) if self.switch.works else None
            published = PublishedPorts(connect)
            try:
                published.open(ports)
            except Fault as fault:
                live = self._lives(container)[:1]
                raise Fault(
                    "failed to set up container networking: driver failed programming external connectivity on "
                    f"endpoint {container.name} ({''.join(one['EndpointID'] for one in live)}): {fault}"
                ) from None
            self.published[container.id] = published
        self._tell_peers(container)

    def _connector(self, container: ContainerRecord) -> Connect:
        async def connect(number: int, protocol: str) -> socket.socket:
            for config in container.endpoints.values():
                if address := (config.get("Live") or {}).get("IPAddress"):
                    return await self.switch.connect(address, number, protocol)
            raise Fault("the container has no address")

        return connect

    def ended(self, container: ContainerRecord) -> None:
        """Take away what a container had while it ran."""
        if published := self.published.pop(container.id, None):
            published.close()
        lived = False
        for name, config in container.endpoints.items():
            live = config.pop("Live", None)
            lived |= bool(live and live["IPAddress"])
            if live and live["IPAddress"]:
                try:
                    network = self.networks.find(name)
                except Fault:
                    continue
                self.networks.tell("disconnect", network, container=container.id)
        if container.id in self.held:
            self.held.discard(container.id)
            self.switch.request("end", container=container.id)
        if lived:
            self._tell_peers(container)

    def adopt(self, containers: list[ContainerRecord]) -> None:
        """After an engine restart: publish again, and let go of what has ended meanwhile."""
        running = {container.id for container in containers if container.is_running}
        if self.switch.pid:
            self.held = set(self.switch.request("spaces")["containers"])
            for identity in self.held - running:
                self.switch.request("end", container=identity)
            self.held &= running
        for container in containers:
            if container.id in running:
                try:
                    self.started(container)
                except Fault:
                    continue  # somebody else has the port by now

    def _tell_peers(self, container: ContainerRecord) -> None:
        """Tell all who run on the same networks of a container; on the default one only who is linked to it knows it.

        Those that don't run are told when they start.
        """
        shared = set(container.endpoints)
        for other in self.containers():
            both = {name for name in shared & set(other.endpoints) if self._wired(other, name)}
            if other.id == container.id or both - {nets.DEFAULT} or (both and self._linked(other, container)):
                self._write(other)

    def _wired(self, container: ContainerRecord, name: str) -> bool:
        return bool((self._config(container, name).get("Live") or {}).get("IPAddress"))

    def _linked(self, container: ContainerRecord, other: ContainerRecord) -> bool:
        endpoints = container.endpoints.values()
        return any(other.name in hosts_files.links(container, config) for config in endpoints)

    def _peers(self, container: ContainerRecord) -> list[tuple[str, list[str]]]:
        """Give the addresses and names that a container knows."""
        found = []
        for name, config in container.endpoints.items():
            live = config.get("Live")
            if not live or not live["IPAddress"]:
                continue
            network = self.networks.all.get(live["NetworkID"])
            if network is None:
                continue
            links = hosts_files.links(container, config)
            for other, there in self.on(network):
                if other.id == container.id or not there["IPAddress"]:
                    continue
                aliases = other.endpoints.get(name, {}).get("Aliases") or []
                own = [*links.get(other.name, [])]
                if name != nets.DEFAULT:
                    own += [other.name, *aliases, other.id[:12]]
                elif own:
                    own += [other.config["Hostname"], other.name]
                if own:
                    found.append((there["IPAddress"], list(dict.fromkeys(own))))
        return found

    def _write(self, container: ContainerRecord) -> None:
        """Tell a container the names that it knows: by its /etc/hosts on the default network, else by its own DNS."""
        peers = self._peers(container)
        wired = set(container.endpoints) - set(nets.PREDEFINED)
        resolves = bool(wired) and self.switch.works
        hosts_files.write(container, [] if resolves else peers, resolves)
        if resolves and container.id in self.held:
            table: dict[str, list[str]] = {}
            own = [live["IPAddress"] for live in self._lives(container) if live["IPAddress"]]
            for address, names in [*peers, *((address, [container.name, container.id[:12]]) for address in own)]:
                for name in names:
                    table.setdefault(name.lower(), []).append(address)
            self.switch.request("names", container=container.id, table=table)

    # -- connect and disconnect --------------------------------------------------------------------------------

    def connect(self, reference: str, container: ContainerRecord, config: Record) -> None:
        """Connect a container, running or not. Raises NotFound, Conflict, Forbidden, Fault."""
        try:
            network = self.networks.find(reference)
        except NotFound:
            if container.is_running:
                raise
            container.endpoints[reference] = _endpoint(config)  # looked for at the start
            container.save()
            return
        self._check(network, container, config)
        name, endpoints = network["Name"], container.endpoints
        endpoints.pop("none", None)
        endpoints[name] = _endpoint(config)
        if container.is_running and self.switch.works:
            try:
                self._plug(container, name, network)
            except Fault:
                del endpoints[name]
                raise
            self._tell_peers(container)
        container.save()

    @staticmethod
    def _check(network: Record, container: ContainerRecord, config: Record) -> None:
        """Hold a connection against the rules. Raises BadParameter, Conflict, Forbidden."""
        mode, name = container.network_mode, network["Name"]
        if mode == "host" or name == "host":
            words = "container cannot be connected to host network"
            raise Forbidden(
                "container sharing network namespace with host cannot be connected" if mode == "host" else words
            )
        if mode.startswith("container:"):
            raise Conflict(
                "container sharing network namespace with another container or host cannot be connected to any other "
                "network"
            )
        if name in container.endpoints:
            raise Forbidden(f"endpoint with name {container.name} already exists in network {name}")
        static = (config.get("IPAMConfig") or {}).get("IPv4Address")
        if static:
            if name in nets.PREDEFINED:
                raise BadParameter("user specified IP address is supported on user defined networks only")
            if ipaddress.ip_address(static) not in ipaddress.ip_network(nets.address_of(network)[0]):
                raise BadParameter(
                    "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address " + static
                )

    def disconnect(self, network: Record, container: ContainerRecord) -> None:
        """Disconnect a container. Raises Forbidden."""
        name = network["Name"]
        endpoints = container.endpoints
        if name == "host":
            raise Forbidden("container cannot be disconnected from host network")
        if name not in endpoints:
            raise Forbidden(f"container {container.id} is not connected to the network {name}")
        live = endpoints.pop(name).get("Live")
        if live and live["IPAddress"]:
            self.switch.request("unplug", port=veth_name(live["EndpointID"]))
            self.networks.tell("disconnect", network, container=container.id)
            for other, _ in self.on(network):
                self._write(other)
            self._write(container)
        container.save()

    def remove(self, network: Record) -> None:
        """Remove a network that nobody is on. Raises Forbidden."""
        if network["Name"] not in nets.PREDEFINED and (there := self.on(network)):
            ends = ", ".join(f'name:"{one.name}" id:"{live["EndpointID"][:12]}"' for one, live in there)
            raise Forbidden(f"error while removing network: network {network['Name']} has active endpoints ({ends})")
        self.networks.remove(network)
        if self.switch.pid:
            self.switch.request("forget", bridge=bridge_name(network["Id"]))

    def prune(self, keep: Callable[[dict[str, str], int], bool], age: Callable[[str], int]) -> list[str]:
        """Remove the networks that nobody has; give their names."""
        used, names = self.used(), []
        for network in self.networks:
            unused = network["Name"] not in nets.PREDEFINED and network["Id"] not in used
            if unused and keep(network["Labels"], age(network["Created"])):
                self.remove(network)
                names.append(network["Name"])
        return names
