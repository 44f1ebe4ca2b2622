"""What a container uses at this moment: processors, memory, processes, network. From its cgroup, or else from /proc.

Numbers that this machine does not measure are left out or 0, as in Docker.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import proc
from dockerlab.engine.common.timestamps import NEVER, SECOND, now
from dockerlab.engine.processes.cgroups import read_table

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.processes.cgroups import Cgroup
    from dockerlab.engine.processes.process import RunningProcess

__all__ = ["NO_SAMPLE", "sample", "stats_document"]

TICK = SECOND // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MICROSECOND = 1000
NO_THROTTLING = {"periods": 0, "throttled_periods": 0, "throttled_time": 0}
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
Document = dict[str, Any]

#: The sample of a container that is not running, and the one before the first.
NO_SAMPLE: Document = {
    "read": NEVER,
    "pids_stats": {},
    "blkio_stats": dict.fromkeys(BLKIO),
    "cpu_stats": {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": dict(NO_THROTTLING),
    },
    "memory_stats": {},
}


def sample(container: Container) -> Document:
    """Return what a container uses now."""
    process, cgroup = container.main_process, container.cgroup
    if process is None:
        return NO_SAMPLE
    pids = process.pids()
    document = {
        "read": now(),
        "pids_stats": _pids(cgroup, pids),
        "blkio_stats": _blkio(cgroup),
        "cpu_stats": _cpu(cgroup, pids),
        "memory_stats": _memory(cgroup, pids, container.record.host_config["Memory"]),
    }
    if networks := _networks(process, container.record.network_mode):
        document["networks"] = networks
    return document


def stats_document(container: Container, current: Document, previous: Document) -> Document:
    """Return two samples as one document of stats, with its fields in Docker's order."""
    document: Document = {
        "name": f"/{container.name}",
        "id": container.id,
        "read": current["read"],
        "preread": previous["read"],
        "pids_stats": current["pids_stats"],
        "blkio_stats": current["blkio_stats"],
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": current["cpu_stats"],
        "precpu_stats": previous["cpu_stats"],
        "memory_stats": current["memory_stats"],
    }
    return document | ({"networks": current["networks"]} if "networks" in current else {})


def _number(path: Path | None, default: int = 0) -> int:
    """Return the number in a file, or the default if there is no file or no number, such as `max`."""
    try:
        text = path.read_text().strip() if path else ""
    except OSError:
        return default
    return int(text) if text.isdigit() else default


def _cgroup_file(cgroup: Cgroup | None, controller: str, name: str) -> Path | None:
    directory = cgroup.places.get(controller) if cgroup else None
    return directory / name if directory else None


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of a process, or none if it has ended in the meantime."""
    try:
        return proc.stat(pid)[1]
    except OSError:
        return []


# -- processes -------------------------------------------------------------------------------------------------


def _pids(cgroup: Cgroup | None, pids: list[int]) -> Document:
    current, limit = _cgroup_file(cgroup, "pids", "pids.current"), _cgroup_file(cgroup, "pids", "pids.max")
    if current is None:
        return {"current": sum(_thread_count(pid) for pid in pids)}
    return {"current": _number(current), "limit": _number(limit, (1 << 64) - 1)}


def _thread_count(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    except OSError:
        return 0


# -- processors ------------------------------------------------------------------------------------------------


def _cpu(cgroup: Cgroup | None, pids: list[int]) -> Document:
    if cgroup and cgroup.version == 2 and "cpu" in cgroup.places:  # noqa: PLR2004
        usage, throttling = _cpu_version_2(read_table(cgroup.places["cpu"] / "cpu.stat"))
    elif cgroup and (directory := cgroup.places.get("cpuacct")):
        usage, throttling = _cpu_version_1(directory, read_table(_cgroup_file(cgroup, "cpu", "cpu.stat") or Path()))
    else:
        usage, throttling = _cpu_of_processes(pids), dict(NO_THROTTLING)
    return {
        "cpu_usage": usage,
        "system_cpu_usage": _machine_cpu(),
        "online_cpus": len(os.sched_getaffinity(0)),
        "throttling_data": throttling,
    }


def _machine_cpu() -> int:
    """Return the processor time that the whole machine has used, in nanoseconds."""
    try:
        words = Path("/proc/stat").read_text().partition("\n")[0].split()
    except OSError:
        return 0
    return sum(int(word) for word in words[1:8]) * TICK


def _cpu_version_2(table: dict[str, int]) -> tuple[Document, Document]:
    """Return usage and throttling from version 2 of cgroups, which counts in microseconds."""
    usage = {
        "total_usage": table.get("usage_usec", 0) * MICROSECOND,
        "usage_in_kernelmode": table.get("system_usec", 0) * MICROSECOND,
        "usage_in_usermode": table.get("user_usec", 0) * MICROSECOND,
    }
    throttling = {
        "periods": table.get("nr_periods", 0),
        "throttled_periods": table.get("nr_throttled", 0),
        "throttled_time": table.get("throttled_usec", 0) * MICROSECOND,
    }
    return usage, throttling


def _cpu_version_1(directory: Path, throttled: dict[str, int]) -> tuple[Document, Document]:
    """Return usage and throttling from version 1 of cgroups, which counts in nanoseconds and in clock ticks."""
    table = read_table(directory / "cpuacct.stat")
    usage: Document = {"total_usage": _number(directory / "cpuacct.usage")}
    with contextlib.suppress(OSError):
        usage["percpu_usage"] = [int(word) for word in (directory / "cpuacct.usage_percpu").read_text().split()]
    usage |= {
        "usage_in_kernelmode": table.get("system", 0) * TICK,
        "usage_in_usermode": table.get("user", 0) * TICK,
    }
    throttling = {
        "periods": throttled.get("nr_periods", 0),
        "throttled_periods": throttled.get("nr_throttled", 0),
        "throttled_time": throttled.get("throttled_time", 0),
    }
    return usage, throttling


def _cpu_of_processes(pids: list[int]) -> Document:
    """Return the usage of processes and of their children that have ended."""
    user = system = 0
    for pid in pids:
        if fields := _stat_fields(pid):
            user += int(fields[proc.USER_TICKS]) + int(fields[proc.CHILD_USER_TICKS])
            system += int(fields[proc.SYSTEM_TICKS]) + int(fields[proc.CHILD_SYSTEM_TICKS])
    return {
        "total_usage": (user + system) * TICK,
        "usage_in_kernelmode": system * TICK,
        "usage_in_usermode": user * TICK,
    }


# -- memory, block devices, network ----------------------------------------------------------------------------


def _memory(cgroup: Cgroup | None, pids: list[int], limit: int) -> Document:
    machine_bytes = os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES
    if cgroup and (directory := cgroup.places.get("memory")):
        is_version_2 = cgroup.version == 2  # noqa: PLR2004
        usage = _number(directory / ("memory.current" if is_version_2 else "memory.usage_in_bytes"))
        limit = _number(directory / ("memory.max" if is_version_2 else "memory.limit_in_bytes"), machine_bytes)
        document: Document = {"usage": usage}
        if not is_version_2:
            document["max_usage"] = _number(directory / "memory.max_usage_in_bytes")
        stats = read_table(directory / "memory.stat")
        return {**document, "stats": stats, "limit": min(limit, machine_bytes)}
    pages = sum(int(fields[proc.RESIDENT_PAGES]) for fields in map(_stat_fields, pids) if fields)
    return {"usage": pages * PAGE_BYTES, "stats": {}, "limit": limit or machine_bytes}


def _blkio(cgroup: Cgroup | None) -> Document:
    document: Document = dict.fromkeys(BLKIO)
    if cgroup and cgroup.version == 2 and "io" in cgroup.places:  # noqa: PLR2004
        document["io_service_bytes_recursive"] = []
    return document


def _networks(process: RunningProcess, mode: str) -> Document:
    """Return the traffic of each interface. A container that shares the machine's interfaces has none of its own."""
    if mode in ("host", "none") or not process.isolated:
        return {}
    try:
        lines = Path(f"/proc/{process.pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}
    networks = {}
    for line in lines:
        name, _, rest = line.partition(":")
        numbers = rest.split()
        if name.strip() != "lo":
            counters = [*numbers[:4], *numbers[8:12]]
            networks[name.strip()] = dict(zip(NETWORK, map(int, counters), strict=True))
    return networks
