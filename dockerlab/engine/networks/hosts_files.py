"""What a container finds in /etc/hosts, /etc/hostname and /etc/resolv.conf: files beside its tree, mounted over it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["FILES", "environment", "links", "mounts", "write"]

LOCAL = (
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
)
FILES = ("hosts", "hostname", "resolv.conf")
USUAL = ("PATH", "HOME", "HOSTNAME")
GATEWAY, DNS = "host-gateway", "127.0.0.11"
Record = dict[str, Any]
Peers = list[tuple[str, list[str]]]


def links(container: ContainerRecord, config: Record) -> dict[str, list[str]]:
    """Read links, `CONTAINER:ALIAS`: the names under which a container knows another."""
    found: dict[str, list[str]] = {}
    for word in [*(config.get("Links") or []), *(container.host_config.get("Links") or [])]:
        name, _, alias = word.partition(":")
        name = name.removeprefix("/")
        found.setdefault(name, []).append(alias.rpartition("/")[2] or name)
    return found


def write(container: ContainerRecord, peers: Peers, resolves: bool = False) -> None:
    """Write the three files anew; whoever has them mounted sees it at once, so they are not replaced.

    With `resolves` the switch answers questions for names.
    """
    config, host = container.config, container.host_config
    name = (
        f"{config['Hostname']}.{config['Domainname']} {config['Hostname']}"
        if config["Domainname"]
        else config["Hostname"]
    )
    lives = [one.get("Live") or {} for one in container.endpoints.values()]
    own = [live["IPAddress"] for live in lives if live.get("IPAddress")] or ["127.0.1.1"]
    lines = [LOCAL]
    for entry in host.get("ExtraHosts") or []:
        known, _, address = entry.partition(":") if "=" not in entry.partition(":")[0] else entry.partition("=")
        gateway = next((live["Gateway"] for live in lives if live.get("Gateway")), "127.0.0.1")
        lines.append(f"{gateway if address == GATEWAY else address.strip('[]')}\t{known}\n")
    lines += [f"{address}\t{name}\n" for address in own]
    lines += [f"{address}\t{' '.join(names)}\n" for address, names in peers]
    _put(container.directory / "hosts", "".join(lines))
    _put(container.directory / "hostname", f"{config['Hostname']}\n")
    _put(container.directory / "resolv.conf", _resolver(host, resolves))


def environment(container: ContainerRecord, find: Callable[[str], ContainerRecord]) -> dict[str, str]:
    """Return the environment variables that links bring; `find` finds a linked container by its name."""
    found = {}
    for config in container.endpoints.values():
        for name, aliases in links(container, config).items():
            try:
                other = find(name)
            except Fault:
                continue
            for alias in aliases:
                begin = alias.upper().replace("-", "_")
                found[f"{begin}_NAME"] = f"/{container.name}/{alias}"
                for entry in other.config["Env"] or []:
                    key, _, value = entry.partition("=")
                    found |= {f"{begin}_ENV_{key}": value} if key not in USUAL else {}
    return found


def _resolver(host: Record, resolves: bool) -> str:
    usual = Path("/etc/resolv.conf")
    lines = usual.read_text("utf-8", "replace").splitlines() if usual.is_file() else []
    if resolves:
        lines = [line for line in lines if line.startswith("search")]
        lines += [f"nameserver {DNS}", "options ndots:0"]
        host = {**host, "Dns": None}
    for key, word in (("Dns", "nameserver"), ("DnsSearch", "search"), ("DnsOptions", "options")):
        if values := host.get(key):
            lines = [line for line in lines if not line.startswith(word)]
            lines += [f"{word} {value}" for value in values] if word == "nameserver" else [f"{word} {' '.join(values)}"]
    return "\n".join(lines) + "\n"


def _put(path: Path, text: str) -> None:
    with contextlib.suppress(FileNotFoundError), path.open("w", encoding="utf-8") as file:  # it may be going away
        file.write(text)


def mounts(container: ContainerRecord, taken: set[str]) -> list[Record]:
    """Give what the shim is to mount over the tree, but nothing where the user has something of their own."""
    found = []
    for name in FILES:
        target = f"/etc/{name}"
        if target not in taken and (container.directory / name).is_file():
            source = str(container.directory / name)
            found.append({"kind": "bind", "source": source, "target": target, "readonly": False})
    return found
