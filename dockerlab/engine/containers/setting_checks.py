"""What Docker refuses in the settings of a new container, with its messages: modes, ports, times and limits."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any

from dockerlab.engine.faults import BadParameter

__all__ = ["check_cpus", "check_health", "check_host", "check_ports"]

PORT = re.compile(r"[0-9]*")
HOST_PORTS = re.compile(r"([0-9]+)(?:-([0-9]+))?")
HIGHEST_PORT = 65535
CPUS = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*", re.ASCII)
MILLISECOND = 10**6
LONGEST_PERIOD, SHORTEST_PERIOD = 1_000_000, 1000
LOWEST_OOM_SCORE, HIGHEST_OOM_SCORE, HIGHEST_SWAPPINESS = -1000, 1000, 100
RUNTIMES = ("", "runc", "io.containerd.runc.v2", "dockerlab")
HOST_GATEWAY = "host-gateway"
Document = dict[str, Any]


def check_host(host: Document) -> None:
    """Check the values of a HostConfig. Raises BadParameter."""
    _check_modes(host)
    _check_numbers(host)
    check_ports(host.get("PortBindings") or {})
    for entry in host.get("ExtraHosts") or []:
        _check_extra_host(entry)
    for target in host.get("Tmpfs") or {}:
        if not target.startswith("/"):
            raise BadParameter(f"invalid mount path: '{target}' mount path must be absolute")
    if "" in (host.get("Annotations") or {}):
        raise BadParameter("invalid Annotations: the empty string is not permitted as an annotation key")


def _check_modes(host: Document) -> None:
    ipc, pid, network = (host.get(name) or "" for name in ("IpcMode", "PidMode", "NetworkMode"))
    if ipc not in ("", "none", "private", "shareable", "host") and not ipc.startswith("container:"):
        raise BadParameter(f"invalid IPC mode: {ipc}")
    if pid not in ("", "host") and not re.fullmatch(r"container:.+", pid, re.DOTALL):
        raise BadParameter(f"invalid PID mode: {pid}")
    if network == "container:":
        raise BadParameter("invalid network mode: invalid container format container:<name|id>")
    for name, allowed, message in (
        ("UTSMode", ("", "host"), "invalid UTS mode: {}"),
        ("CgroupnsMode", ("", "private", "host"), "invalid cgroup namespace mode: {}"),
        ("Isolation", ("", "default"), "invalid isolation ({}): linux only supports 'default'"),
        ("Runtime", RUNTIMES, "unknown or invalid runtime name: {}"),
    ):
        if (host.get(name) or "") not in allowed:
            raise BadParameter(message.format(host[name]))


def _check_numbers(host: Document) -> None:
    if (host.get("ShmSize") or 0) < 0:
        raise BadParameter("SHM size can not be less than 0")
    if (host.get("CpuShares") or 0) < 0:
        raise BadParameter(f"invalid CPU shares ({host['CpuShares']}): value must be a positive integer")
    score = host.get("OomScoreAdj") or 0
    if not LOWEST_OOM_SCORE <= score <= HIGHEST_OOM_SCORE:
        raise BadParameter(f"Invalid value {score}, range for oom score adj is [-1000, 1000]")
    swappiness = host.get("MemorySwappiness")
    if swappiness is not None and not -1 <= swappiness <= HIGHEST_SWAPPINESS:
        raise BadParameter(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")


def check_cpus(host: Document) -> None:
    """Check the settings about processors of a create or update request. Raises BadParameter."""
    period, quota = host.get("CpuPeriod") or 0, host.get("CpuQuota") or 0
    if period and not SHORTEST_PERIOD <= period <= LONGEST_PERIOD:
        raise BadParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < quota < SHORTEST_PERIOD:
        raise BadParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    for name, word in (("CpusetCpus", "cpus"), ("CpusetMems", "mems")):
        text = host.get(name) or ""
        if text and not CPUS.fullmatch(text):
            raise BadParameter(f"Invalid value {text} for cpuset {word}: invalid format: {text}")
    cpus = host.get("CpusetCpus") or ""
    highest = max([int(number) for number in re.findall(r"\d{1,9}", cpus)], default=0)
    count = os.cpu_count() or 1
    if highest >= count:
        raise BadParameter(f"Requested CPUs are not available - requested {cpus}, available: 0-{count - 1}")


def check_ports(bindings: dict[str, Any]) -> None:
    """Check the `PortBindings` of a HostConfig. Raises BadParameter."""
    for port, addresses in bindings.items():
        number = port.partition("/")[0]
        if not PORT.fullmatch(number) or int(number or 0) > HIGHEST_PORT:
            raise BadParameter(f'invalid port specification: "{number}"')
        for address in addresses or []:
            _check_host_port(address.get("HostPort") or "")


def _check_host_port(text: str) -> None:
    match = HOST_PORTS.fullmatch(text)
    if text and (match is None or int(match[1]) > HIGHEST_PORT or int(match[2] or match[1]) > HIGHEST_PORT):
        raise BadParameter(f'invalid port specification: "{text}"')


def _check_extra_host(entry: str) -> None:
    name, separator, address = entry.partition("=") if "=" in entry.partition(":")[0] else entry.partition(":")
    if not name or not separator:
        raise BadParameter(f'bad format for add-host: "{entry}"')
    try:
        if address != HOST_GATEWAY:
            ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        raise BadParameter(f'invalid IP address in add-host: "{address}"') from None


def check_health(settings: Document) -> None:
    """Check the times and the number in a `Healthcheck`. Raises BadParameter."""
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        time = settings.get(name) or 0
        if time and time < MILLISECOND:
            raise BadParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if (settings.get("Retries") or 0) < 0:
        raise BadParameter("Retries in Healthcheck cannot be negative")
