"""Control groups: a container's limits, its pause, and the numbers for stats, where this machine allows groups.

Both versions of the kernel's interface are served, see cgroups(7). A container has one group per hierarchy, at
dockerlab/ENGINE-ID/CONTAINER-ID. Without the right to create groups there are none; `info` and warnings say so.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import devices
from dockerlab.engine.processes.devices import DeviceRule

__all__ = ["Cgroup", "Hierarchies", "filters_devices", "find_hierarchies", "read_table"]

ROOT = Path("/sys/fs/cgroup")
PARENT = "dockerlab"
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "freezer", "devices")
UNLIMITED = -1
REMOVE_SECONDS = 2.0
DEFAULT_PERIOD = 100_000
Record = dict[str, Any]


class Hierarchies:
    """Where groups can be created: one directory in version 2, one per controller in version 1."""

    def __init__(self, version: int, places: dict[str, Path]) -> None:
        self.version = version
        self.places = places

    def cgroup(self, container_id: str) -> Cgroup | None:
        """Return a container's group; None where groups can't be created."""
        return Cgroup(self, container_id) if self.places else None

    def remove_all_but(self, container_ids: Collection[str]) -> None:
        """Remove the groups of all other containers, for example those that a crash has left."""
        names = {entry.name for base in set(self.places.values()) for entry in base.iterdir() if entry.is_dir()}
        for name in names.difference(container_ids):
            Cgroup(self, name).end()

    def remove(self) -> None:
        """Remove all groups of this engine."""
        self.remove_all_but(())
        for base in set(self.places.values()):
            with contextlib.suppress(OSError):
                base.rmdir()


def find_hierarchies(engine: str) -> Hierarchies:
    """Find out, by trying, where the engine of that id may create groups."""
    version, places = _version(), {}
    if version == 2:  # noqa: PLR2004
        base = ROOT / PARENT / engine
        if _can_create(base):
            for directory in (ROOT, base.parent, base):
                for name in ("cpu", "cpuset", "memory", "pids"):
                    _write(directory / "cgroup.subtree_control", f"+{name}")
            enabled = (base / "cgroup.controllers").read_text().split()
            always = ("freezer", "devices") if filters_devices() else ("freezer",)
            places = dict.fromkeys([name for name in CONTROLLERS if name in (*enabled, *always)], base)
    else:
        for name in CONTROLLERS:
            base = ROOT / name / PARENT / engine
            if (ROOT / name).is_dir() and _can_create(base) and (name != "devices" or filters_devices()):
                places[name] = base
                if name == "cpuset":
                    _inherit(base.parent)
                    _inherit(base)
    return Hierarchies(version, places)


def _version() -> int:
    return 2 if (ROOT / "cgroup.controllers").exists() else 1


@functools.cache
def filters_devices() -> bool:
    """Tell whether groups can restrict which devices are opened, by trying."""
    version = _version()
    group = ROOT / ("devices" if version == 1 else "") / PARENT / f"probe-{os.getpid()}"
    try:
        group.mkdir(parents=True, exist_ok=True)
        try:
            devices.allow(version, group, devices.DEFAULT_RULES)
        finally:
            group.rmdir()
    except OSError:
        return False
    return True


def _can_create(base: Path) -> bool:
    """Tell whether groups can be created here, and processes be put into them."""
    probe = base / f"probe-{os.getpid()}"
    try:
        probe.mkdir(parents=True, exist_ok=True)
        writable = os.access(probe / "cgroup.procs", os.W_OK)
        probe.rmdir()
    except OSError:
        return False
    return writable


def _inherit(directory: Path) -> None:
    """Copy processors and memory of the parent into a new `cpuset` group, which has none and could run nothing."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        with contextlib.suppress(OSError):
            if not (directory / name).read_text().strip():
                _write(directory / name, (directory.parent / name).read_text().strip())


def _write(path: Path, text: str) -> bool:
    try:
        path.write_text(text)
    except OSError:
        return False
    return True


def read_table(path: Path) -> dict[str, int]:
    """Read a file with a name and a number per line; {} if there is no such file."""
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].lstrip("-").isdigit()}  # noqa: PLR2004


class Cgroup:
    """One container's group, which exists from `create` to `remove`."""

    def __init__(self, hierarchies: Hierarchies, container_id: str) -> None:
        self.version = hierarchies.version
        self.places = {name: base / container_id for name, base in hierarchies.places.items()}

    def directories(self) -> list[str]:
        """Return the directories whose `cgroup.procs` a process has to enter."""
        return sorted({str(place) for place in self.places.values() if place.is_dir()})

    def create(self, host: Record, allowed_devices: list[DeviceRule]) -> list[str]:
        """Create the group with the limits of a HostConfig, and return its directories.

        With a list of devices, it can open no others. Raises Fault.
        """
        for place in set(self.places.values()):
            place.mkdir(exist_ok=True)
        if allowed_devices:
            try:
                devices.allow(self.version, self.places["devices"], allowed_devices)
            except OSError as error:
                raise Fault(f"the kernel refused the device rules of the container: {error.strerror}") from None
        if self.version == 1 and "cpuset" in self.places:
            _inherit(self.places["cpuset"])
        self.limit(host)
        return self.directories()

    def limit(self, host: Record) -> list[str]:
        """Set the limits of a HostConfig; return the fields of those that could not be set."""
        limits = _limits_v2(host) if self.version == 2 else _limits_v1(host)  # noqa: PLR2004
        failed = []
        for controller, name, value, field in limits:
            place = self.places.get(controller)
            if place is None or not place.is_dir() or not _write(place / name, value):
                failed.append(field)
        return failed

    def remove(self) -> None:
        """Remove the group. Its last process may need a moment to leave it."""
        end = time.monotonic() + REMOVE_SECONDS
        for place in set(self.places.values()):
            while place.is_dir():
                with contextlib.suppress(OSError):
                    place.rmdir()
                    break
                if time.monotonic() > end:
                    break
                time.sleep(0.01)

    def end(self) -> None:
        """Kill all processes of the group, and remove it."""
        self.freeze(False)
        for place in set(self.places.values()):
            with contextlib.suppress(OSError):
                for pid in map(int, (place / "cgroup.procs").read_text("ascii").split()):
                    if pid:  # 0 is a process outside of this pid namespace, and for kill(2) the engine's own group
                        with contextlib.suppress(ProcessLookupError):  # the others have to end all the same
                            os.kill(pid, signal.SIGKILL)
        self.remove()

    def freeze(self, frozen: bool) -> bool:
        """Pause or resume all processes of the group at once; return False if that is not possible."""
        place = self.places.get("freezer")
        if place is None:
            return False
        if self.version == 2:  # noqa: PLR2004
            return _write(place / "cgroup.freeze", str(int(frozen)))
        return _write(place / "freezer.state", "FROZEN" if frozen else "THAWED")

    def oom_kills(self) -> int:
        """Return how many processes the kernel has killed because memory ran out."""
        place = self.places.get("memory")
        name = "memory.events" if self.version == 2 else "memory.oom_control"  # noqa: PLR2004
        return read_table(place / name).get("oom_kill", 0) if place else 0


#: Controller, file, value, and the field of HostConfig.
Limits = list[tuple[str, str, str, str]]


def _quota(host: Record) -> tuple[int, int]:
    """Return quota and period in microseconds, from NanoCpus or as given. A quota of 0 means no limit."""
    if host.get("NanoCpus"):
        return int(host["NanoCpus"] * DEFAULT_PERIOD / 10**9), DEFAULT_PERIOD
    return host.get("CpuQuota") or 0, host.get("CpuPeriod") or DEFAULT_PERIOD


def _limits_v1(host: Record) -> Limits:
    limits: Limits = []
    quota, period = _quota(host)
    if host.get("Memory"):
        limits.append(("memory", "memory.limit_in_bytes", str(host["Memory"]), "Memory"))
        if host.get("MemorySwap"):
            limits.append(("memory", "memory.memsw.limit_in_bytes", str(host["MemorySwap"]), "MemorySwap"))
    if host.get("MemoryReservation"):
        limits.append(("memory", "memory.soft_limit_in_bytes", str(host["MemoryReservation"]), "MemoryReservation"))
    if quota:
        limits.append(("cpu", "cpu.cfs_period_us", str(period), "CpuPeriod"))
        limits.append(("cpu", "cpu.cfs_quota_us", str(quota), "CpuQuota"))
    if host.get("CpuShares"):
        limits.append(("cpu", "cpu.shares", str(host["CpuShares"]), "CpuShares"))
    return [*limits, *_common_limits(host)]


def _limits_v2(host: Record) -> Limits:
    limits: Limits = []
    quota, period = _quota(host)
    if host.get("Memory"):
        limits.append(("memory", "memory.max", str(host["Memory"]), "Memory"))
        swap = host.get("MemorySwap") or 0
        if swap:
            text = "max" if swap == UNLIMITED else str(max(0, swap - host["Memory"]))
            limits.append(("memory", "memory.swap.max", text, "MemorySwap"))
    if host.get("MemoryReservation"):
        limits.append(("memory", "memory.low", str(host["MemoryReservation"]), "MemoryReservation"))
    if quota:
        limits.append(("cpu", "cpu.max", f"{quota} {period}", "CpuQuota"))
    if host.get("CpuShares"):
        weight = 1 + ((max(2, host["CpuShares"]) - 2) * 9999) // 262142
        limits.append(("cpu", "cpu.weight", str(weight), "CpuShares"))
    return [*limits, *_common_limits(host)]


def _common_limits(host: Record) -> Limits:
    """Return the limits that both versions write in the same way."""
    limits: Limits = []
    if host.get("PidsLimit"):
        most = "max" if host["PidsLimit"] < 0 else str(host["PidsLimit"])
        limits.append(("pids", "pids.max", most, "PidsLimit"))
    for field, name in (("CpusetCpus", "cpuset.cpus"), ("CpusetMems", "cpuset.mems")):
        if host.get(field):
            limits.append(("cpuset", name, host[field], field))
    return limits
