"""What a wide table keeps nested, as long tables: one row a port, a mount, a variable, a label, a network, a layer.

Each takes a table of `inspection` (or the list of inspect's documents) and keeps the object's id in `id`, and what it
is called in `name`, so that both tables join in one line: `long.merge(wide, on="id")`. What is null or of another
shape than it should be makes no row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from dockerlab.tables.build import BOOLEAN, INTEGER, TEXT, TIME, Column, array_table, object_list
from dockerlab.tables.inspection import container_inspections, image_inspections
from dockerlab.tables.stats import stats_table

__all__ = [
    "ENV", "INTERFACES", "LABELS", "LAYERS", "MOUNTS", "NETWORKS", "PORTS",
    "env", "interfaces", "labels", "layers", "mounts", "networks", "ports",
]  # fmt: skip

Source = pd.DataFrame | Iterable[dict[str, Any]] | None
Rows = Iterator[dict[str, Any]]
LARGEST = (1 << 63) - 1

ID = Column("id", "id", TEXT, "the object's id: the key to join by")
NAME = Column("name", "name", TEXT, "a container's name, an image's names")


def _whole(value: Any) -> int | None:
    """Take a number, also one that is written as text."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(LARGEST)) else None


def _text(value: Any) -> str:
    return str(value)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


PORTS = (
    ID,
    NAME,
    Column("container_port", "port", INTEGER, "the port inside", convert=_whole),
    Column("protocol", "protocol", TEXT, "tcp, udp or sctp"),
    Column("host_ip", "HostIp", TEXT, "the machine's address; <NA> if it is not published", convert=_text),
    Column("host_port", "HostPort", INTEGER, "the machine's port; <NA> if it is not published or not yet chosen",
           convert=_whole),
    Column("open", "open", BOOLEAN, "is it open now? False: the container asks for it when it starts"),
)  # fmt: skip
MOUNTS = (
    ID,
    NAME,
    Column("type", "Type", TEXT, "bind, volume, tmpfs …", convert=_text),
    Column("source", "Source", TEXT, "where it comes from: a path of the machine", convert=_text),
    Column("destination", "Destination", TEXT, "where it is in the container", convert=_text),
    Column("volume", "Name", TEXT, "the volume's name, if it is one", convert=_text),
    Column("writable", "RW", BOOLEAN, "may the container write there?", convert=_flag),
    Column("mode", "Mode", TEXT, "options as they were given", convert=_text),
    Column("propagation", "Propagation", TEXT, "how mounts below it are passed on", convert=_text),
    Column("driver", "Driver", TEXT, "the volume's driver", convert=_text),
)
ENV = (
    ID,
    NAME,
    Column("variable", "variable", TEXT, "the variable's name"),
    Column("value", "value", TEXT, "its value; <NA> for a name without one"),
)
LABELS = (ID, NAME, Column("label", "label", TEXT, "the label's name"), Column("value", "value", TEXT, "its value"))
NETWORKS = (
    ID,
    NAME,
    Column("network", "network", TEXT, "the network's name"),
    Column("network_id", "NetworkID", TEXT, "the network's id; Podman writes the name", convert=_text),
    Column("ip_address", "IPAddress", TEXT, "the container's address there", convert=_text),
    Column("ip_prefix_length", "IPPrefixLen", INTEGER, "the length of the network's part of it", convert=_whole),
    Column("gateway", "Gateway", TEXT, "the way out", convert=_text),
    Column("ipv6_address", "GlobalIPv6Address", TEXT, "the container's address of version 6", convert=_text),
    Column("mac_address", "MacAddress", TEXT, "its hardware address", convert=_text),
)
LAYERS = (
    ID,
    NAME,
    Column("number", "number", INTEGER, "its place, the lowest is 1"),
    Column("layer", "layer", TEXT, "the digest of what is in it"),
    Column("chain_id", "chain_id", TEXT, "the digest of it and all below: images with the same one share its bytes"),
)
INTERFACES = (
    ID,
    NAME,
    Column("read", "read", TIME, "when the sample was taken", "UTC"),
    Column("interface", "interface", TEXT, "the interface's name in the container"),
    *(
        Column(f"{way}_{what}", f"{way}_{what}", INTEGER, f"{what} {word} since the start", unit, _whole)
        for way, word in (("rx", "received"), ("tx", "sent"))
        for what, unit in (("bytes", "bytes"), ("packets", ""), ("errors", ""), ("dropped", ""))
    ),
)


def ports(containers: Source) -> pd.DataFrame:
    """Make one row a port and address: those that are open, and those that a container which doesn't run asks for."""
    return _long(PORTS, containers, container_inspections, _ports)


def mounts(containers: Source) -> pd.DataFrame:
    """Make one row a mount."""
    return _long(MOUNTS, containers, container_inspections, lambda row: _objects(row["mounts"]))


def env(objects: Source) -> pd.DataFrame:
    """Make one row a variable, of containers or of images."""
    return _long(ENV, objects, _either, _env)


def labels(objects: Source) -> pd.DataFrame:
    """Make one row a label, of containers or of images."""
    return _long(LABELS, objects, _either, _labels)


def networks(containers: Source) -> pd.DataFrame:
    """Make one row a network of a container."""
    return _long(NETWORKS, containers, container_inspections, lambda row: _named(row["networks"], "network"))


def layers(images: Source) -> pd.DataFrame:
    """Make one row a layer of an image."""
    return _long(LAYERS, images, image_inspections, _layers)


def interfaces(samples: Source) -> pd.DataFrame:
    """Make one row an interface of a sample of stats."""
    return _long(INTERFACES, samples, stats_table, lambda row: _named(row["interfaces"], "interface"))


def _either(documents: Iterable[dict[str, Any]] | None) -> pd.DataFrame:
    """Make the wide table of containers' or of images' documents."""
    known = object_list(documents)
    return image_inspections(known) if any("RootFS" in one for one in known) else container_inspections(known)


def _long(
    columns: Sequence[Column],
    source: Source,
    widened: Callable[[Iterable[dict[str, Any]] | None], pd.DataFrame],
    rows: Callable[[dict[str, Any]], Rows],
) -> pd.DataFrame:
    wide = source if isinstance(source, pd.DataFrame) else widened(source)
    kept = ("id", "name", "read") if columns is INTERFACES else ("id", "name")
    title = "name" if "name" in wide.columns else "repo_tags"
    made = []
    for row in wide.to_dict("records"):
        known = {key: None if pd.isna(value) else value for key in kept if (value := row.get(key, None)) is not None}
        known["name"] = None if pd.isna(row.get(title)) else row.get(title)
        made += [{**one, **known} for one in rows({str(key): value for key, value in row.items()})]
    return array_table(columns, made)


def _objects(value: Any) -> Rows:
    if isinstance(value, (list, tuple)):
        yield from ({**one} for one in value if isinstance(one, dict))


def _named(value: Any, key: str) -> Rows:
    if isinstance(value, dict):
        for name, one in value.items():
            filled = {k: v for k, v in one.items() if v != ""} if isinstance(one, dict) else {}
            yield {**filled, key: str(name)}


def _ports(row: dict[str, Any]) -> Rows:
    """Give what is open; of what is only asked for, all that isn't among it."""
    opened = row["ports"] if isinstance(row["ports"], dict) else {}
    asked = row["port_bindings"] if isinstance(row["port_bindings"], dict) else {}
    exposed = row.get("exposed_ports")
    if isinstance(exposed, dict):  # Docker publishes no port that isn't exposed, whatever the bindings say
        asked = {inner: bindings for inner, bindings in asked.items() if inner in exposed}
    for inner, bindings in [*opened.items(), *((key, value) for key, value in asked.items() if not opened.get(key))]:
        number, _, protocol = str(inner).partition("/")
        known = {"port": number, "protocol": protocol or "tcp"}
        is_open = inner in opened and bool(opened[inner])
        found = list(_objects(bindings))
        if not found and not asked.get(inner):
            yield {**known, "open": False}
        for one in found:
            yield {**known, "HostIp": one.get("HostIp") or None, "HostPort": one.get("HostPort"), "open": is_open}


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
        # as image stores compute it: the digest of the chain below, a space, and this layer's digest
        chain = f"sha256:{hashlib.sha256(f'{chain} {digest}'.encode()).hexdigest()}" if chain else digest
        yield {"number": number, "layer": digest, "chain_id": chain}
