"""The nested values of wide tables, as long tables: one row per port, mount, variable, label, network, layer.

Each function takes a table of `inspection`, or the list of inspections as JSON. Its table has the object's id in `id`
and its name in `name`, so that both tables join in one line: `long.merge(wide, on="id")`. Null values and values of an
unexpected type add no row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from dockerlab.tables.build import BOOLEAN, INTEGER, MAX_INTEGER, TEXT, TIME, Column, array_table, object_list
from dockerlab.tables.inspection import container_inspections, image_inspections
from dockerlab.tables.stats import stats_table

__all__ = [
    "ENV", "INTERFACES", "LABELS", "LAYERS", "MOUNTS", "NETWORKS", "PORTS",
    "env", "interfaces", "labels", "layers", "mounts", "networks", "ports",
]  # fmt: skip

Source = pd.DataFrame | Iterable[dict[str, Any]] | None
Rows = Iterator[dict[str, Any]]

ID = Column("id", "id", TEXT, "the object's id: the key to join by")
NAME = Column("name", "name", TEXT, "a container's name, an image's names")


def _integer_or_digits(value: Any) -> int | None:
    """Return a number that is given as a number or as text."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(MAX_INTEGER)) else None


PORTS = (
    ID,
    NAME,
    Column("container_port", "port", INTEGER, "the port inside the container", convert=_integer_or_digits),
    Column("protocol", "protocol", TEXT, "tcp, udp or sctp"),
    Column("host_ip", "HostIp", TEXT, "the address on the machine; <NA> if it is not published", convert=str),
    Column("host_port", "HostPort", INTEGER, "the port on the machine; <NA> if it is not published or not chosen yet",
           convert=_integer_or_digits),
    Column("open", "open", BOOLEAN, "is it open now? False if the container opens it when it starts"),
)  # fmt: skip
MOUNTS = (
    ID,
    NAME,
    Column("type", "Type", TEXT, "bind, volume, tmpfs …", convert=str),
    Column("source", "Source", TEXT, "the path on the machine", convert=str),
    Column("destination", "Destination", TEXT, "the path inside the container", convert=str),
    Column("volume", "Name", TEXT, "the name of the volume, if it is one", convert=str),
    Column("writable", "RW", BOOLEAN, "can the container write to it?"),
    Column("mode", "Mode", TEXT, "the options, as given in the request", convert=str),
    Column("propagation", "Propagation", TEXT, "how mounts below it propagate", convert=str),
    Column("driver", "Driver", TEXT, "the volume's driver", convert=str),
)
ENV = (
    ID,
    NAME,
    Column("variable", "variable", TEXT, "the variable's name"),
    Column("value", "value", TEXT, "its value; <NA> if it has none"),
)
LABELS = (ID, NAME, Column("label", "label", TEXT, "the label's name"), Column("value", "value", TEXT, "its value"))
NETWORKS = (
    ID,
    NAME,
    Column("network", "network", TEXT, "the network's name"),
    Column("network_id", "NetworkID", TEXT, "the network's id; Podman sends the name", convert=str),
    Column("ip_address", "IPAddress", TEXT, "the container's address in the network", convert=str),
    Column("ip_prefix_length", "IPPrefixLen", INTEGER, "the prefix length of that address", convert=_integer_or_digits),
    Column("gateway", "Gateway", TEXT, "the address of the gateway", convert=str),
    Column("ipv6_address", "GlobalIPv6Address", TEXT, "the container's IPv6 address", convert=str),
    Column("mac_address", "MacAddress", TEXT, "the container's MAC address", convert=str),
)
LAYERS = (
    ID,
    NAME,
    Column("number", "number", INTEGER, "its position; the lowest layer is 1"),
    Column("layer", "layer", TEXT, "the digest of its content"),
    Column("chain_id", "chain_id", TEXT, "the digest of this layer and all below: equal ones are stored once"),
)
INTERFACES = (
    ID,
    NAME,
    Column("read", "read", TIME, "when the sample was taken", "UTC"),
    Column("interface", "interface", TEXT, "the interface's name in the container"),
    *(
        Column(f"{way}_{what}", f"{way}_{what}", INTEGER, f"{what} {word} since the start", unit, _integer_or_digits)
        for way, word in (("rx", "received"), ("tx", "sent"))
        for what, unit in (("bytes", "bytes"), ("packets", ""), ("errors", ""), ("dropped", ""))
    ),
)


def ports(containers: Source) -> pd.DataFrame:
    """Return one row per port and address: open ports, and ports that a stopped container opens when it starts."""
    return _long_table(PORTS, containers, container_inspections, _ports)


def mounts(containers: Source) -> pd.DataFrame:
    """Return one row per mount."""
    return _long_table(MOUNTS, containers, container_inspections, lambda row: _objects(row["mounts"]))


def env(objects: Source) -> pd.DataFrame:
    """Return one row per environment variable of containers or images."""
    return _long_table(ENV, objects, _inspections_table, _env)


def labels(objects: Source) -> pd.DataFrame:
    """Return one row per label of containers or images."""
    return _long_table(LABELS, objects, _inspections_table, _labels)


def networks(containers: Source) -> pd.DataFrame:
    """Return one row per container and network."""
    return _long_table(NETWORKS, containers, container_inspections, lambda row: _items(row["networks"], "network"))


def layers(images: Source) -> pd.DataFrame:
    """Return one row per image and layer."""
    return _long_table(LAYERS, images, image_inspections, _layers)


def interfaces(samples: Source) -> pd.DataFrame:
    """Return one row per sample of stats and network interface."""
    return _long_table(INTERFACES, samples, stats_table, lambda row: _items(row["interfaces"], "interface"))


def _inspections_table(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Return the wide table of inspections, which may be of containers or of images."""
    inspections = object_list(documents)
    is_image = any("RootFS" in inspection for inspection in inspections)
    return image_inspections(inspections) if is_image else container_inspections(inspections)


def _long_table(
    columns: Sequence[Column],
    source: Source,
    widen: Callable[[Iterable[dict[str, Any]] | None], pd.DataFrame],
    rows: Callable[[dict[str, Any]], Rows],
) -> pd.DataFrame:
    wide = source if isinstance(source, pd.DataFrame) else widen(source)
    key_columns = ("id", "name", "read") if columns is INTERFACES else ("id", "name")
    title = "name" if "name" in wide.columns else "repo_tags"
    records = []
    for row in wide.to_dict("records"):
        keys = {key: None if pd.isna(value) else value for key in key_columns if (value := row.get(key)) is not None}
        keys["name"] = None if pd.isna(row.get(title)) else row.get(title)
        records += [{**record, **keys} for record in rows({str(key): value for key, value in row.items()})]
    return array_table(columns, records)


def _objects(value: Any) -> Rows:
    if isinstance(value, (list, tuple)):
        yield from ({**item} for item in value if isinstance(item, dict))


def _items(value: Any, key: str) -> Rows:
    """Yield the objects of a dict, without their empty values, and with their name as `key`."""
    if isinstance(value, dict):
        for name, item in value.items():
            filled = {k: v for k, v in item.items() if v != ""} if isinstance(item, dict) else {}
            yield {**filled, key: str(name)}


def _ports(row: dict[str, Any]) -> Rows:
    """Yield the open ports, and those requested ports that are not open."""
    open_ports = row["ports"] if isinstance(row["ports"], dict) else {}
    requested = row["port_bindings"] if isinstance(row["port_bindings"], dict) else {}
    exposed = row.get("exposed_ports")
    if isinstance(exposed, dict):  # Docker publishes only exposed ports, whatever the bindings say.
        requested = {name: bindings for name, bindings in requested.items() if name in exposed}
    closed = {name: bindings for name, bindings in requested.items() if not open_ports.get(name)}
    for name, bindings in [*open_ports.items(), *closed.items()]:
        number, _, protocol = str(name).partition("/")
        port = {"port": number, "protocol": protocol or "tcp"}
        is_open = bool(open_ports.get(name))
        addresses = list(_objects(bindings))
        if not addresses and not requested.get(name):
            yield {**port, "open": False}
        for address in addresses:
            host = {"HostIp": address.get("HostIp") or None, "HostPort": address.get("HostPort")}
            yield {**port, **host, "open": is_open}


def _env(row: dict[str, Any]) -> Rows:
    value = row["env"]
    for text in value if isinstance(value, (list, tuple)) else ():
        name, sign, rest = str(text).partition("=")
        yield {"variable": name, "value": rest if sign else None}


def _labels(row: dict[str, Any]) -> Rows:
    value = row["labels"]
    for name, text in value.items() if isinstance(value, dict) else ():
        yield {"label": str(name), "value": None if text is None else str(text)}


def _layers(row: dict[str, Any]) -> Rows:
    value, chain = row["layers"], ""
    for number, layer in enumerate(value if isinstance(value, (list, tuple)) else (), 1):
        digest = str(layer)
        # Image stores compute it so: the digest of the chain below, a space, and this layer's digest.
        chain = f"sha256:{hashlib.sha256(f'{chain} {digest}'.encode()).hexdigest()}" if chain else digest
        yield {"number": number, "layer": digest, "chain_id": chain}
