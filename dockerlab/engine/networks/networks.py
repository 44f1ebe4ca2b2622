"""The networks of an engine: the three predefined ones, and those that clients create."""

from __future__ import annotations

import functools
import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.digests import is_identity
from dockerlab.engine.common.filters import fits_labels, pattern_test
from dockerlab.engine.common.go_types import WrongType, decode
from dockerlab.engine.common.timestamps import nanoseconds, now
from dockerlab.engine.faults import BadParameter, Conflict, Forbidden, NotFound
from dockerlab.engine.networks.ipam import check_stored, choose_subnets

if TYPE_CHECKING:
    from dockerlab.engine.common.events import Events

__all__ = ["DEFAULT", "PREDEFINED", "Networks", "predefined_id", "read"]

#: The network of a container that names none. Containers on it don't know each other's names.
DEFAULT = "bridge"
#: Name -> driver, in the order in which Docker lists them.
PREDEFINED = {"none": "null", "host": "host", "bridge": "bridge"}
BRIDGE_IPAM = {"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}
BRIDGE_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "false",
    "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
    "com.docker.network.bridge.name": "br-default",
    "com.docker.network.driver.mtu": "1500",
}
#: The fields of a network that a client chose.
SETTINGS = ("EnableIPv4", "EnableIPv6", "IPAM", "Internal", "Attachable", "Options", "Labels")
log = logging.getLogger("dockerlab.engine")
FILTERS = ("dangling", "driver", "id", "label", "label!", "name", "scope", "type")
#: The filters whose values are patterns, and what these have to match.
PATTERN_FILTERS = {"id": "Id", "name": "Name"}
Record = dict[str, Any]
Filters = dict[str, list[str]]


@functools.cache
def predefined_id(name: str) -> str:
    """Return the id of a predefined network, which is the same on every practice engine."""
    return hashlib.sha256(f"dockerlab network {name}".encode()).hexdigest()


class Networks:
    """All networks: the predefined ones, and one `ID.json` per created network in a directory."""

    def __init__(self, root: Path, events: Events, has_namespaces: bool) -> None:
        """Read the directory. Without network namespaces, networks are stored and shown, but connect nothing."""
        self.root = root
        self.events = events
        self.all: dict[str, Record] = {}
        root.mkdir(parents=True, exist_ok=True)
        created = now()
        for name, driver in PREDEFINED.items():
            network = _document(name, driver, predefined_id(name), created)
            if name == DEFAULT:
                network["IPAM"]["Config"] = [dict(BRIDGE_IPAM)] if has_namespaces else []
                network["Options"] = dict(BRIDGE_OPTIONS) if has_namespaces else {}
                network["EnableIPv4"] = has_namespaces
            self.all[network["Id"]] = network
        for path in sorted(root.glob("*.json")):
            try:
                stored = read(path)
                if any(network["Name"] == stored["Name"] for network in self):
                    raise ValueError("another network has its name")
            except ValueError as error:
                log.warning("skipped the network in %s: %s", path, error)
            else:
                self.all[stored["Id"]] = stored

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self.all.values()))

    def find(self, reference: str) -> Record:
        """Find a network by its name, its id, or the beginning of its id. Raises NotFound, BadParameter."""
        if reference in self.all:
            return self.all[reference]
        matches = [network for network in self if network["Name"] == reference]
        if not matches and reference:
            matches = [network for network in self if network["Id"].startswith(reference)]
        if len(matches) > 1:
            raise BadParameter(f"network {reference} is ambiguous ({len(matches)} matches found based on ID prefix)")
        if not matches:
            raise NotFound(f"network {reference} not found")
        return matches[0]

    def create(self, body: Record) -> Record:
        """Create a network from the body of a request. Raises BadParameter, Conflict, Forbidden, NotFound, Fault."""
        name = body.get("Name") or ""
        if not name.strip():
            raise BadParameter("invalid name: name is empty")
        if name in PREDEFINED:
            raise Forbidden(f"operation is not permitted on predefined {name} network ")
        driver = body.get("Driver") or "bridge"
        if driver in ("host", "null"):
            raise Forbidden(f'only one instance of "{driver}" network is allowed')
        if driver != "bridge":
            raise NotFound(f'plugin "{driver}" not found')
        if any(network["Name"] == name for network in self):
            raise Conflict(f"network with name {name} already exists")
        network = _document(name, driver, secrets.token_hex(32), now())
        ipam = body.get("IPAM") or {}
        if (ipam.get("Driver") or "default") not in ("default", "null"):
            raise NotFound(f'plugin "{ipam["Driver"]}" not found')
        network["IPAM"] = {
            "Driver": ipam.get("Driver") or "default",
            "Options": ipam.get("Options"),
            "Config": choose_subnets(ipam.get("Config") or [], self),
        }
        network["Internal"], network["Attachable"] = bool(body.get("Internal")), bool(body.get("Attachable"))
        network["EnableIPv6"] = bool(body.get("EnableIPv6"))
        network["Options"], network["Labels"] = body.get("Options") or {}, body.get("Labels") or {}
        json_files.write(self._path(network), network)
        self.all[network["Id"]] = network
        self.publish_event("create", network)
        return network

    def remove(self, network: Record) -> None:
        """Remove a network; the caller has checked that no container is on it. Raises Forbidden."""
        if network["Name"] in PREDEFINED:
            raise Forbidden(f"{network['Name']} is a pre-defined network and cannot be removed")
        self._path(network).unlink(missing_ok=True)
        del self.all[network["Id"]]
        self.publish_event("destroy", network)

    def _path(self, network: Record) -> Path:
        if not is_identity(network["Id"]):
            raise BadParameter(f"{network['Id']!r} is not the id of a network")
        return self.root / f"{network['Id']}.json"

    def publish_event(self, action: str, network: Record, **attributes: str) -> None:
        attributes = {"name": network["Name"], "type": network["Driver"], **attributes}
        self.events.publish("network", action, network["Id"], attributes)

    def select(self, filters: Filters, used_ids: set[str]) -> list[Record]:
        """Return the networks that match; `used_ids` are those that containers have. Raises BadParameter."""
        for name, values in filters.items():
            if name not in FILTERS:
                raise BadParameter(f"invalid filter '{name}'")
            if name == "dangling" and set(values) - {"true", "1", "false", "0"}:
                raise BadParameter(
                    'invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")'
                )
            if name == "type" and set(values) - {"builtin", "custom"}:
                raise BadParameter(f"invalid filter 'type={values[0]}'")
        tests: dict[str, Callable[[Record, str], bool]] = {
            "dangling": lambda network, value: (
                (value in ("1", "true")) is (network["Id"] not in used_ids and network["Name"] not in PREDEFINED)
            ),
            "driver": lambda network, value: bool(network["Driver"] == value),
            "scope": lambda network, value: bool(network["Scope"] == value),
            "type": lambda network, value: (value == "builtin") is (network["Name"] in PREDEFINED),
        }
        patterns = {field: pattern_test(filters[name]) for name, field in PATTERN_FILTERS.items() if filters.get(name)}
        return [
            network
            for network in self
            if fits_labels(network["Labels"], filters)
            and all(matches(network[field]) for field, matches in patterns.items())
            and all(
                any(tests[name](network, value) for value in values)
                for name, values in filters.items()
                if name in tests and values
            )
        ]


def read(path: Path) -> Record:
    """Return the record of a network. Raises ValueError with the reason."""
    stored = json_files.load(path)
    if not isinstance(stored, dict):
        raise ValueError("it is not a JSON object")
    for name in ("Name", "Driver", "Id", "Created"):
        if not isinstance(stored.get(name), str) or not stored[name]:
            raise ValueError(f"its field {name!r} is missing or has a wrong type")
    if not is_identity(stored["Id"]) or stored["Id"] != path.stem:
        raise ValueError("its id is not the name of the file")
    if stored["Driver"] != "bridge":
        raise ValueError(f"the practice engine has no network driver {stored['Driver']!r}")
    nanoseconds(stored["Created"])
    network = _document(stored["Name"], stored["Driver"], stored["Id"], stored["Created"])
    try:
        network |= decode("network.CreateOptions", {name: stored[name] for name in SETTINGS if name in stored})
    except WrongType as error:
        raise ValueError(str(error)) from None
    check_stored(network["IPAM"].get("Config") or [])
    network["IPAM"] = {"Driver": "default", "Options": None, "Config": [], **network["IPAM"]}
    network["Options"], network["Labels"] = network["Options"] or {}, network["Labels"] or {}
    return network


def _document(name: str, driver: str, network_id: str, created: str) -> Record:
    """Return a network as inspect shows it, in Docker's order of fields."""
    return {
        "Name": name,
        "Id": network_id,
        "Created": created,
        "Scope": "local",
        "Driver": driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": []},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": {},
        "Labels": {},
    }
