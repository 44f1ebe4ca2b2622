"""What a container uses at this moment: processors, memory, processes, network; from its cgroup, or else from /proc.

Every number that nobody counts here is left out or 0, as Docker does.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import proc
from dockerlab.engine.common.timestamps import NEVER, now
from dockerlab.engine.processes.cgroups import read_table

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.processes.cgroups import Cgroup
    from dockerlab.engine.processes.process import RunningProcess

__all__ = ["NOTHING", "sample", "told"]

TICK = 10**9 // os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
THROTTLING = {"periods": 0, "throttled_periods": 0, "throttled_time": 0}
BLKIO = (
    "io_service_bytes_recursive",
    "io_serviced_recursive",
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)
NETWORK = ("rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "tx_bytes", "tx_packets", "tx_errors", "tx_dropped")
Record = dict[str, Any]


def _cpu(usage: Record, throttling: Record | None = None, system: bool = True) -> Record:
    made: Record = {"cpu_usage": usage}
    if system:
        made |= {"system_cpu_usage": _system(), "online_cpus": len(os.sched_getaffinity(0))}
    return {**made, "throttling_data": throttling or dict(THROTTLING)}


NOTHING: Record = {
    "read": NEVER,
    "pids_stats": {},
    "blkio_stats": dict.fromkeys(BLKIO),
    "cpu_stats": _cpu({"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0}, system=False),
    "memory_stats": {},
}


def sample(container: Container) -> Record:
    """Look at a container now."""
    running, group = container.main_process, container.cgroup
    if running is None:
        return NOTHING
    pids = running.pids()
    made = {"read": now(), "pids_stats": _pids(group, pids), "blkio_stats": _blkio(group)}
    made["cpu_stats"] = _cpu_of(group, pids)
    made["memory_stats"] = _memory(group, pids, container.record.host_config["Memory"])
    if networks := _networks(running, container.record.network_mode):
        made["networks"] = networks
    return made


def told(container: Container, fresh: Record, before: Record) -> Record:
    """Write two samples as one document of stats, in Docker's order."""
    made: Record = {
        "name": f"/{container.name}",
        "id": container.id,
        "read": fresh["read"],
        "preread": before["read"],
        "pids_stats": fresh["pids_stats"],
        "blkio_stats": fresh["blkio_stats"],
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": fresh["cpu_stats"],
        "precpu_stats": before["cpu_stats"],
        "memory_stats": fresh["memory_stats"],
    }
    return made | ({"networks": fresh["networks"]} if "networks" in fresh else {})


def _number(path: Path | None, default: int = 0) -> int:
    """Read a file with one number; `max` and whatever can't be read are the default."""
    try:
        text = path.read_text().strip() if path else ""
    except OSError:
        return default
    return int(text) if text.isdigit() else default


def _file(group: Cgroup | None, controller: str, name: str) -> Path | None:
    place = group.places.get(controller) if group else None
    return place / name if place else None


def _system() -> int:
    """Give the processor time of this whole machine, in nanoseconds."""
    try:
        words = Path("/proc/stat").read_text().partition("\n")[0].split()
    except OSError:
        return 0
    return sum(int(word) for word in words[1:8]) * TICK


def _pids(group: Cgroup | None, pids: list[int]) -> Record:
    current, most = _file(group, "pids", "pids.current"), _file(group, "pids", "pids.max")
    if current is None:
        return {"current": sum(_threads(pid) for pid in pids)}
    return {"current": _number(current), "limit": _number(most, (1 << 64) - 1)}


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    except OSError:
        return 0


def _cpu_of(group: Cgroup | None, pids: list[int]) -> Record:
    if group and group.version == 2 and "cpu" in group.places:  # noqa: PLR2004
        return _cpu_second(read_table(group.places["cpu"] / "cpu.stat"))
    if group and (place := group.places.get("cpuacct")):
        return _cpu_first(place, read_table(_file(group, "cpu", "cpu.stat") or Path()))
    user = system = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            user, system = user + int(fields[11]) + int(fields[13]), system + int(fields[12]) + int(fields[14])
    usage = {
        "total_usage": (user + system) * TICK,
        "usage_in_kernelmode": system * TICK,
        "usage_in_usermode": user * TICK,
    }
    return _cpu(usage)


def _cpu_second(table: dict[str, int]) -> Record:
    """Read version 2, which counts in microseconds."""
    usage = {
        "total_usage": table.get("usage_usec", 0) * 1000,
        "usage_in_kernelmode": table.get("system_usec", 0) * 1000,
        "usage_in_usermode": table.get("user_usec", 0) * 1000,
    }
    throttling = {
        "periods": table.get("nr_periods", 0),
        "throttled_periods": table.get("nr_throttled", 0),
        "throttled_time": table.get("throttled_usec", 0) * 1000,
    }
    return _cpu(usage, throttling)


def _cpu_first(place: Path, throttled: dict[str, int]) -> Record:
    """Read version 1, which counts in nanoseconds and in ticks."""
    table = read_table(place / "cpuacct.stat")
    made: Record = {"total_usage": _number(place / "cpuacct.usage")}
    with contextlib.suppress(OSError):
        made["percpu_usage"] = [int(word) for word in (place / "cpuacct.usage_percpu").read_text().split()]
    made |= {
        "usage_in_kernelmode": table.get("system", 0) * TICK,
        "usage_in_usermode": table.get("user", 0) * TICK,
    }
    throttling = {
        "periods": throttled.get("nr_periods", 0),
        "throttled_periods": throttled.get("nr_throttled", 0),
        "throttled_time": throttled.get("throttled_time", 0),
    }
    return _cpu(made, throttling)


def _stat(pid: int) -> list[str]:
    """Return the fields of a process behind its name; none if it has ended meanwhile."""
    try:
        return proc.stat(pid)[1]
    except OSError:
        return []


def _memory(group: Cgroup | None, pids: list[int], limit: int) -> Record:
    whole = os.sysconf("SC_PHYS_PAGES") * PAGE
    if group and (place := group.places.get("memory")):
        second = group.version == 2  # noqa: PLR2004
        usage = _number(place / ("memory.current" if second else "memory.usage_in_bytes"))
        most = _number(place / ("memory.max" if second else "memory.limit_in_bytes"), whole)
        made: Record = {"usage": usage}
        if not second:
            made["max_usage"] = _number(place / "memory.max_usage_in_bytes")
        return {**made, "stats": read_table(place / "memory.stat"), "limit": min(most, whole)}
    resident = 0
    for pid in pids:
        fields = _stat(pid)
        resident += int(fields[21]) * PAGE if fields else 0
    return {"usage": resident, "stats": {}, "limit": limit or whole}


def _blkio(group: Cgroup | None) -> Record:
    made: Record = dict.fromkeys(BLKIO)
    if group and group.version == 2 and "io" in group.places:  # noqa: PLR2004
        made["io_service_bytes_recursive"] = []
    return made


def _networks(running: RunningProcess, mode: str) -> Record:
    """Count what went over each interface of a container's own; those of this machine aren't the container's."""
    if mode in ("host", "none") or not running.isolated:
        return {}
    try:
        lines = Path(f"/proc/{running.pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}
    made = {}
    for line in lines:
        name, _, rest = line.partition(":")
        numbers = rest.split()
        if name.strip() != "lo":
            picked = [*numbers[:4], *numbers[8:12]]
            made[name.strip()] = dict(zip(NETWORK, map(int, picked), strict=True))
    return made
