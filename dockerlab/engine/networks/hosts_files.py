"""Writes a container's /etc/hosts, /etc/hostname and /etc/resolv.conf.

The files stand beside the container's tree, and are mounted over the ones in it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["FILES", "mounts", "write"]

LOCALHOST = (
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
)
FILES = ("hosts", "hostname", "resolv.conf")
#: In ExtraHosts, this word stands for the address of the network's gateway.
HOST_GATEWAY = "host-gateway"
DNS_SERVER = "127.0.0.11"
Record = dict[str, Any]
#: Other containers: their addresses, and the names under which this one knows them.
Peers = list[tuple[str, list[str]]]


def write(container: ContainerRecord, peers: Peers, has_dns: bool = False) -> None:
    """Write the three files. With `has_dns`, the switch answers the container's DNS queries."""
    config, host = container.config, container.host_config
    _overwrite(container.directory / "hosts", _hosts(container, peers))
    _overwrite(container.directory / "hostname", f"{config['Hostname']}\n")
    _overwrite(container.directory / "resolv.conf", _resolv_conf(host, has_dns))


def _hosts(container: ContainerRecord, peers: Peers) -> str:
    config = container.config
    names = config["Hostname"]
    if config["Domainname"]:
        names = f"{names}.{config['Domainname']} {names}"
    live = [endpoint.get("Live") or {} for endpoint in container.endpoints.values()]
    addresses = [each["IPAddress"] for each in live if each.get("IPAddress")] or ["127.0.1.1"]
    gateway = next((each["Gateway"] for each in live if each.get("Gateway")), "127.0.0.1")
    lines = [LOCALHOST]
    for entry in container.host_config.get("ExtraHosts") or []:
        # `NAME=ADDRESS` or `NAME:ADDRESS`, and an IPv6 address contains colons itself
        name, _, address = entry.partition("=") if "=" in entry.partition(":")[0] else entry.partition(":")
        lines.append(f"{gateway if address == HOST_GATEWAY else address.strip('[]')}\t{name}\n")
    lines += [f"{address}\t{names}\n" for address in addresses]
    lines += [f"{address}\t{' '.join(peer_names)}\n" for address, peer_names in peers]
    return "".join(lines)


def _resolv_conf(host: Record, has_dns: bool) -> str:
    """Return this machine's configuration, changed as the container's HostConfig says."""
    path = Path("/etc/resolv.conf")
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    if has_dns:
        lines = [line for line in lines if line.startswith("search")]
        lines += [f"nameserver {DNS_SERVER}", "options ndots:0"]
        host = {**host, "Dns": None}
    for key, word in (("Dns", "nameserver"), ("DnsSearch", "search"), ("DnsOptions", "options")):
        if values := host.get(key):
            lines = [line for line in lines if not line.startswith(word)]
            lines += [f"{word} {value}" for value in values] if word == "nameserver" else [f"{word} {' '.join(values)}"]
    return "\n".join(lines) + "\n"


def _overwrite(path: Path, text: str) -> None:
    """Write into the file and don't replace it: a container that has it mounted would keep the old one.

    The file is shortened last, so that on a full disk something is left in it.
    """
    with contextlib.suppress(FileNotFoundError):  # the container is being removed meanwhile
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(file, os.write(file, text.encode()))
        finally:
            os.close(file)


def mounts(container: ContainerRecord, targets: set[str]) -> list[Record]:
    """Return the mounts of the files over the tree, but not at `targets`, where the user mounts something else."""
    entries = []
    for name in FILES:
        target = f"/etc/{name}"
        if target not in targets and (container.directory / name).is_file():
            source = str(container.directory / name)
            entries.append({"kind": "bind", "source": source, "target": target, "readonly": False})
    return entries
