"""Networks: the three that every engine has, and those that are made. Their addresses, and who has which."""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.filters import fits_labels
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.faults import BadParameter, Conflict, Fault, Forbidden, NotFound

if TYPE_CHECKING:
    from dockerlab.engine.common.events import Events

__all__ = ["DEFAULT", "PREDEFINED", "Networks", "address_of", "identity"]

#: name -> driver, in the order in which Docker lists them
#: Where a container is that names no network: there nobody knows a name.
DEFAULT = "bridge"
PREDEFINED = {"none": "null", "host": "host", "bridge": "bridge"}
BRIDGE_SUBNET = "172.17.0.0/16"
#: Where networks that name no subnet get one.
POOLS = [f"172.{number}.0.0/16" for number in range(18, 32)] + [f"192.168.{16 * n}.0/20" for n in range(16)]
BRIDGE_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "false",
    "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
    "com.docker.network.bridge.name": "br-default",
    "com.docker.network.driver.mtu": "1500",
}
FILTERS = ("dangling", "driver", "id", "label", "label!", "name", "scope", "type")
PRUNE_FILTERS = ("label", "label!", "until")
Record = dict[str, Any]
Filters = dict[str, list[str]]


@functools.cache
def identity(name: str) -> str:
    """Give the id of a predefined network, the same on every engine of ours."""
    return hashlib.sha256(f"dockerlab network {name}".encode()).hexdigest()


def address_of(record: Record) -> tuple[str, str, int]:
    """Give a network's subnet, gateway and prefix; empty where it has none."""
    for config in record["IPAM"]["Config"] or []:
        subnet = ipaddress.ip_network(config["Subnet"], strict=False)
        if subnet.version == 4:  # noqa: PLR2004
            gateway = (config.get("Gateway") or "").partition("/")[0]
            return str(subnet), gateway or str(subnet[1]), subnet.prefixlen
    return "", "", 0


class Networks:
    """All networks: `ID.json` under one directory, and the predefined ones."""

    def __init__(self, root: Path, events: Events, separate: bool) -> None:
        """Read what is there. Without namespaces (`separate`) networks are kept and shown, and connect nothing."""
        self.root = root
        self.events = events
        self.separate = separate
        self.all: dict[str, Record] = {}
        root.mkdir(parents=True, exist_ok=True)
        moment = now()
        for name, driver in PREDEFINED.items():
            subnet = BRIDGE_SUBNET if name == "bridge" and separate else ""
            made = _document(name, driver, identity(name), moment)
            made["IPAM"]["Config"] = [{"Subnet": subnet, "Gateway": "172.17.0.1"}] if subnet else []
            made["Options"] = dict(BRIDGE_OPTIONS) if name == "bridge" and separate else {}
            made["EnableIPv4"] = bool(subnet) or name != "bridge"
            self.all[made["Id"]] = made
        for path in sorted(root.glob("*.json")):
            record = json_files.read(path)
            if isinstance(record, dict):
                self.all[record["Id"]] = record

    def __iter__(self) -> Iterator[Record]:
        """Give them all."""
        return iter(list(self.all.values()))

    def find(self, reference: str) -> Record:
        """Find a network by name, id, or the beginning of its id. Raises NotFound."""
        if reference in self.all:
            return self.all[reference]
        named = [record for record in self if record["Name"] == reference]
        if not named and reference:
            named = [record for record in self if record["Id"].startswith(reference)]
        if len(named) > 1:
            raise BadParameter(f"network {reference} is ambiguous ({len(named)} matches found based on ID prefix)")
        if not named:
            raise NotFound(f"network {reference} not found")
        return named[0]

    def create(self, asked: Record) -> Record:
        """Make a network. Raises BadParameter, Conflict, Forbidden, NotFound."""
        name = asked.get("Name") or ""
        if not name.strip():
            raise BadParameter("invalid name: name is empty")
        if name in PREDEFINED:
            raise Forbidden(f"operation is not permitted on predefined {name} network ")
        driver = asked.get("Driver") or "bridge"
        if driver in ("host", "null"):
            raise Forbidden(f'only one instance of "{driver}" network is allowed')
        if driver != "bridge":
            raise NotFound(f'plugin "{driver}" not found')
        if any(record["Name"] == name for record in self):
            raise Conflict(f"network with name {name} already exists")
        made = _document(name, driver, secrets.token_hex(32), now())
        ipam = asked.get("IPAM") or {}
        made["IPAM"] = {
            "Driver": ipam.get("Driver") or "default",
            "Options": ipam.get("Options"),
            "Config": self._addresses(ipam.get("Config") or []),
        }
        made["Internal"], made["Attachable"] = bool(asked.get("Internal")), bool(asked.get("Attachable"))
        made["EnableIPv6"] = bool(asked.get("EnableIPv6"))
        made["Options"], made["Labels"] = asked.get("Options") or {}, asked.get("Labels") or {}
        json_files.write(self.root / f"{made['Id']}.json", made)
        self.all[made["Id"]] = made
        self.tell("create", made)
        return made

    def _addresses(self, asked: list[Record]) -> list[Record]:
        """Look at the subnets that were asked for, or choose one. Raises BadParameter, Forbidden."""
        taken = [ipaddress.ip_network(address_of(record)[0]) for record in self if address_of(record)[0]]
        found = []
        for config in asked:
            text = config.get("Subnet") or ""
            try:
                subnet = ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise BadParameter(
                    f"invalid network config:\ninvalid subnet {text}: invalid CIDR block notation"
                ) from None
            self._inside(config, subnet)
            if any(subnet.version == other.version and subnet.overlaps(other) for other in taken):
                raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
            made = {"Subnet": text}
            made |= {key: config[key] for key in ("IPRange", "Gateway") if config.get(key)}
            if config.get("AuxiliaryAddresses"):
                made["AuxiliaryAddresses"] = config["AuxiliaryAddresses"]
            found.append(made)
        if not any(ipaddress.ip_network(config["Subnet"], strict=False).version == 4 for config in found):  # noqa: PLR2004
            free = next(
                (pool for pool in POOLS if not any(ipaddress.ip_network(pool).overlaps(t) for t in taken)), None
            )
            if free is None:
                raise Fault("all predefined address pools have been fully subnetted")
            found.insert(0, {"Subnet": free, "Gateway": str(ipaddress.ip_network(free)[1])})
        return found

    @staticmethod
    def _inside(config: Record, subnet: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
        places = {"gateway": config.get("Gateway") or "", "ip-range": config.get("IPRange") or ""}
        for name, text in places.items():
            if not text:
                continue
            try:
                first = ipaddress.ip_network(text, strict=False)[0]
            except ValueError:
                raise BadParameter(f"invalid network config:\ninvalid {name} {text}: invalid address") from None
            if first not in subnet:
                raise BadParameter(
                    f"invalid network config:\ninvalid {name} {text}: parent subnet {subnet} doesn't contain {name}"
                )

    def remove(self, record: Record) -> None:
        """Remove a network that nobody uses; the caller has looked. Raises Forbidden."""
        if record["Name"] in PREDEFINED:
            raise Forbidden(f"{record['Name']} is a pre-defined network and cannot be removed")
        (self.root / f"{record['Id']}.json").unlink(missing_ok=True)
        del self.all[record["Id"]]
        self.tell("destroy", record)

    def tell(self, action: str, record: Record, **about: str) -> None:
        """Tell an event of a network."""
        self.events.publish(
            "network", action, record["Id"], {"name": record["Name"], "type": record["Driver"], **about}
        )

    def listed(self, filters: Filters, used: set[str]) -> list[Record]:
        """Give those that are wanted; `used` are the ids of those that containers have. Raises BadParameter."""
        for name, words in filters.items():
            if name not in FILTERS:
                raise BadParameter(f"invalid filter '{name}'")
            if name == "type" and set(words) - {"builtin", "custom"}:
                raise BadParameter(f"invalid filter 'type={words[0]}'")
        tests: dict[str, Callable[[Record, str], bool]] = {
            "dangling": lambda record, item: (
                (item in ("1", "true")) is (record["Id"] not in used and record["Name"] not in PREDEFINED)
            ),
            "driver": lambda record, item: bool(record["Driver"] == item),
            "id": lambda record, item: bool(record["Id"].startswith(item)),
            "name": lambda record, item: item in record["Name"],
            "scope": lambda record, item: bool(record["Scope"] == item),
            "type": lambda record, item: (item == "builtin") is (record["Name"] in PREDEFINED),
        }
        return [
            record
            for record in self
            if fits_labels(record["Labels"], filters)
            and all(
                any(tests[name](record, item) for item in words)
                for name, words in filters.items()
                if name in tests and words
            )
        ]


def _document(name: str, driver: str, identity_: str, moment: str) -> Record:
    return {
        "Name": name,
        "Id": identity_,
        "Created": moment,
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
