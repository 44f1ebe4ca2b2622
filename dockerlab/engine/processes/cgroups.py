"""Control groups: limits, freezing and figures of a container, where this machine lets us make groups.

Both versions of the kernel's interface; a container has one group in each hierarchy, named by its id, in its engine's,
which is in `dockerlab`. Without the right to make groups there are none, and `info` and warnings say so.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

__all__ = ["Cgroup", "Hierarchies", "hierarchies", "read_table"]

ROOT = Path("/sys/fs/cgroup")
FAMILY = "dockerlab"
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "freezer")
UNLIMITED = -1
REMOVE_SECONDS = 2.0
DEFAULT_PERIOD = 100_000
Record = dict[str, Any]


class Hierarchies:
    """Where groups can be made: one directory for version 2, one a controller for version 1."""

    def __init__(self, version: int, places: dict[str, Path]) -> None:
        """Take the version, and the directories by controller."""
        self.version = version
        self.places = places

    def of(self, identity: str) -> Cgroup | None:
        """Give a container's group; None where there are no groups."""
        return Cgroup(self, identity) if self.places else None

    def sweep(self, living: Collection[str] = ()) -> None:
        """Remove the groups of all containers but the living: what a crash left, or everything at the end."""
        left = {entry.name for base in set(self.places.values()) for entry in base.iterdir() if entry.is_dir()}
        for name in left.difference(living):
            Cgroup(self, name).end()

    def remove(self) -> None:
        """Remove everything that this engine has."""
        self.sweep()
        for base in set(self.places.values()):
            with contextlib.suppress(OSError):
                base.rmdir()


def hierarchies(engine: str) -> Hierarchies:
    """Find out, by trying, where the engine of that name may make groups."""
    version = 2 if (ROOT / "cgroup.controllers").exists() else 1
    places = {}
    if version == 2:  # noqa: PLR2004
        base = ROOT / FAMILY / engine
        if _try(base):
            for directory in (ROOT, base.parent, base):
                for name in ("cpu", "cpuset", "memory", "pids"):
                    _write(directory / "cgroup.subtree_control", f"+{name}")
            enabled = (base / "cgroup.controllers").read_text().split()
            places = dict.fromkeys([name for name in CONTROLLERS if name in (*enabled, "freezer")], base)
    else:
        for name in CONTROLLERS:
            base = ROOT / name / FAMILY / engine
            if (ROOT / name).is_dir() and _try(base):
                places[name] = base
                if name == "cpuset":
                    _inherit(base.parent)
                    _inherit(base)
    return Hierarchies(version, places)


def _try(base: Path) -> bool:
    """Can groups be made here, and processes put into them?"""
    probe = base / f"probe-{os.getpid()}"
    try:
        probe.mkdir(parents=True, exist_ok=True)
        fits = os.access(probe / "cgroup.procs", os.W_OK)
        probe.rmdir()
    except OSError:
        return False
    return fits


def _inherit(directory: Path) -> None:
    """Give a new group of `cpuset` its parent's processors and memory: it begins without any."""
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
    """Read lines of a name and a number; none if the file isn't there."""
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].lstrip("-").isdigit()}  # noqa: PLR2004


class Cgroup:
    """One container's group."""

    def __init__(self, home: Hierarchies, identity: str) -> None:
        """Name it; `make` makes it."""
        self.version = home.version
        self.places = {name: base / identity for name, base in home.places.items()}

    def directories(self) -> list[str]:
        """Give the directories that a process has to be put into."""
        return sorted({str(place) for place in self.places.values()})

    def make(self, host: Record) -> list[str]:
        """Make it, set its limits, and give its directories."""
        for place in set(self.places.values()):
            place.mkdir(exist_ok=True)
        if self.version == 1 and "cpuset" in self.places:
            _inherit(self.places["cpuset"])
        self.limit(host)
        return self.directories()

    def limit(self, host: Record) -> list[str]:
        """Set the limits of a HostConfig; name those that could not be set."""
        wanted = _second(host) if self.version == 2 else _first(host)  # noqa: PLR2004
        failed = []
        for controller, name, value, field in wanted:
            place = self.places.get(controller)
            if place is None or not place.is_dir() or not _write(place / name, value):
                failed.append(field)
        return failed

    def remove(self) -> None:
        """Remove it, when the last process has left."""
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
        """Kill what is in it, and remove it."""
        self.freeze(False)
        for place in set(self.places.values()):
            with contextlib.suppress(OSError):
                for pid in (place / "cgroup.procs").read_text("ascii").split():
                    os.kill(int(pid), signal.SIGKILL)
        self.remove()

    def freeze(self, frozen: bool) -> bool:
        """Stop or go on with all of its processes at once; False if it can't."""
        place = self.places.get("freezer")
        if place is None:
            return False
        if self.version == 2:  # noqa: PLR2004
            return _write(place / "cgroup.freeze", str(int(frozen)))
        return _write(place / "freezer.state", "FROZEN" if frozen else "THAWED")

    def out_of_memory(self) -> int:
        """Count the processes that the kernel killed for want of memory."""
        place = self.places.get("memory")
        name = "memory.events" if self.version == 2 else "memory.oom_control"  # noqa: PLR2004
        return read_table(place / name).get("oom_kill", 0) if place else 0


Wanted = list[tuple[str, str, str, str]]


def _quota(host: Record) -> tuple[int, int]:
    """Give quota and period in microseconds: from NanoCpus, or as they are; a quota of 0 is none."""
    if host.get("NanoCpus"):
        return int(host["NanoCpus"] * DEFAULT_PERIOD / 10**9), DEFAULT_PERIOD
    return host.get("CpuQuota") or 0, host.get("CpuPeriod") or DEFAULT_PERIOD


def _first(host: Record) -> Wanted:
    """Write limits as version 1 has them."""
    found: Wanted = []
    quota, period = _quota(host)
    if host.get("Memory"):
        found.append(("memory", "memory.limit_in_bytes", str(host["Memory"]), "Memory"))
        if host.get("MemorySwap"):
            found.append(("memory", "memory.memsw.limit_in_bytes", str(host["MemorySwap"]), "MemorySwap"))
    if host.get("MemoryReservation"):
        found.append(("memory", "memory.soft_limit_in_bytes", str(host["MemoryReservation"]), "MemoryReservation"))
    if quota:
        found.append(("cpu", "cpu.cfs_period_us", str(period), "CpuPeriod"))
        found.append(("cpu", "cpu.cfs_quota_us", str(quota), "CpuQuota"))
    if host.get("CpuShares"):
        found.append(("cpu", "cpu.shares", str(host["CpuShares"]), "CpuShares"))
    return [*found, *_both(host)]


def _second(host: Record) -> Wanted:
    """Write limits as version 2 has them."""
    found: Wanted = []
    quota, period = _quota(host)
    if host.get("Memory"):
        found.append(("memory", "memory.max", str(host["Memory"]), "Memory"))
        swap = host.get("MemorySwap") or 0
        if swap:
            text = "max" if swap == UNLIMITED else str(max(0, swap - host["Memory"]))
            found.append(("memory", "memory.swap.max", text, "MemorySwap"))
    if host.get("MemoryReservation"):
        found.append(("memory", "memory.low", str(host["MemoryReservation"]), "MemoryReservation"))
    if quota:
        found.append(("cpu", "cpu.max", f"{quota} {period}", "CpuQuota"))
    if host.get("CpuShares"):
        weight = 1 + ((max(2, host["CpuShares"]) - 2) * 9999) // 262142
        found.append(("cpu", "cpu.weight", str(weight), "CpuShares"))
    return [*found, *_both(host)]


def _both(host: Record) -> Wanted:
    """Write limits that are the same in both versions."""
    found: Wanted = []
    if host.get("PidsLimit"):
        most = "max" if host["PidsLimit"] < 0 else str(host["PidsLimit"])
        found.append(("pids", "pids.max", most, "PidsLimit"))
    for field, name in (("CpusetCpus", "cpuset.cpus"), ("CpusetMems", "cpuset.mems")):
        if host.get(field):
            found.append(("cpuset", name, host[field], field))
    return found
