"""The table of stats: the resources containers used at one moment, from Docker or Podman, with cgroups version 1 or 2.

Percentages and memory are computed as `docker stats` does; for Podman, `cpu_percent` uses the time between samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import (
    FLOAT,
    INTEGER,
    MAX_INTEGER,
    OBJECT,
    TEXT,
    TIME,
    Column,
    array_table,
    datetimes,
    object_list,
)

__all__ = ["STATS", "stats_table"]

#: The names of the reclaimable page cache in cgroups version 1 and 2.
INACTIVE = ("total_inactive_file", "inactive_file")


def _count(value: Any) -> int | None:
    """Return a count, or None. Engines write "no limit" as the largest unsigned number, which is out of range."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_INTEGER else None


def _counter(name: str, key: str, doc: str, unit: str = "") -> Column:
    return Column(name, key, INTEGER, doc, unit, _count)


STATS = (
    Column("id", "id", TEXT, "the container's id"),
    Column("name", "name", TEXT, "its name, without the slash"),
    Column("read", "read", TIME, "when this sample was taken; NaT for a stopped container", "UTC"),
    Column("preread", "preread", TIME, "when the previous sample was taken, if the engine took two", "UTC"),
    Column("cpu_percent", "cpu_percent", FLOAT, "100 is one processor; only if the engine took two samples", "%"),
    Column("memory_percent", "memory_percent", FLOAT, "memory_used_bytes as a percentage of the limit", "%"),
    Column("memory_used_bytes", "memory_used_bytes", INTEGER, "memory without the reclaimable page cache", "bytes"),
    _counter("memory_usage_bytes", "memory_stats.usage", "memory including the page cache", "bytes"),
    _counter("memory_cache_bytes", "memory_cache_bytes", "the reclaimable page cache (inactive file pages)", "bytes"),
    _counter("memory_limit_bytes", "memory_stats.limit", "the memory limit, or else the machine's memory", "bytes"),
    _counter("network_rx_bytes", "rx_bytes", "received on all interfaces since the container's start", "bytes"),
    _counter("network_tx_bytes", "tx_bytes", "sent on all interfaces since the container's start", "bytes"),
    _counter("block_read_bytes", "read_bytes", "read from block devices since the start", "bytes"),
    _counter("block_write_bytes", "write_bytes", "written to block devices since the start", "bytes"),
    _counter("pids", "pids_stats.current", "number of processes and threads"),
    _counter("pids_limit", "pids_stats.limit", "limit of processes and threads; <NA> without a limit"),
    _counter("cpu_usage_ns", "cpu_stats.cpu_usage.total_usage", "processor time since the start", "ns"),
    _counter("cpu_kernel_ns", "cpu_stats.cpu_usage.usage_in_kernelmode", "processor time in the kernel", "ns"),
    _counter("cpu_user_ns", "cpu_stats.cpu_usage.usage_in_usermode", "processor time in user mode", "ns"),
    _counter("system_cpu_usage_ns", "cpu_stats.system_cpu_usage", "processor time of the whole machine", "ns"),
    _counter("online_cpus", "online_cpus", "number of processors"),
    _counter(
        "throttling_periods", "cpu_stats.throttling_data.periods", "periods in which the processor limit was enforced"
    ),
    _counter(
        "throttled_periods", "cpu_stats.throttling_data.throttled_periods", "periods in which the limit was reached"
    ),
    _counter(
        "throttled_time_ns", "cpu_stats.throttling_data.throttled_time", "how long the container was throttled", "ns"
    ),
    Column("interfaces", "networks", OBJECT, "counters per network interface, a dict: see unfold.interfaces"),
)


def stats_table(
    documents: Iterable[dict[str, Any]] | None, *, id: str | None = None, name: str | None = None
) -> pd.DataFrame:
    """Return one row per document of ContainerStats, in their order.

    `id` and `name` are used for documents without their own.
    """
    return array_table(STATS, [_record(document, id, name) for document in object_list(documents)])


def _record(document: dict[str, Any], default_id: str | None, default_name: str | None) -> dict[str, Any]:
    """Return the document with the values that are computed from it."""
    record = dict(document)
    record["id"] = str(document.get("id") or document.get("Id") or default_id or "") or None
    record["name"] = str(document.get("name") or default_name or "").removeprefix("/") or None
    memory = _object(document, "memory_stats")
    cache, used = _memory(memory)
    record |= {"memory_cache_bytes": cache, "memory_used_bytes": used}
    limit = _count(memory.get("limit"))
    record["memory_percent"] = None if used is None or not limit else used / limit * 100
    record["online_cpus"] = _processors(document)
    record["cpu_percent"] = _cpu_percent(document)
    interfaces = [value for value in _object(document, "networks").values() if isinstance(value, dict)]
    for key in ("rx_bytes", "tx_bytes"):
        record[key] = _sum(interface.get(key) for interface in interfaces)
    return record | _block_io(document)


def _object(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return the object at a path; if it is missing or no object, an empty one."""
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _sum(values: Iterable[Any]) -> int | None:
    numbers = [number for number in map(_count, values) if number is not None]
    return sum(numbers) if numbers else None


def _memory(memory: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the size of the reclaimable cache, and the memory in use without it."""
    usage = _count(memory.get("usage"))
    details = _object(memory, "stats")
    cache = next((size for name in INACTIVE if (size := _count(details.get(name))) is not None), None)
    if usage is None:
        return cache, None
    return cache, usage - cache if cache is not None and cache < usage else usage


def _processors(document: dict[str, Any]) -> int | None:
    """Return the number of processors. Before API 1.27 engines sent only the time of each processor."""
    times = _object(document, "cpu_stats", "cpu_usage").get("percpu_usage")
    online = _count(_object(document, "cpu_stats").get("online_cpus"))
    return online or (len(times) if isinstance(times, list) and times else None)


def _cpu_percent(document: dict[str, Any]) -> float | None:
    """Return the percentage between two samples, or None for one sample: that would be an average since the boot."""
    now, before = _object(document, "cpu_stats"), _object(document, "precpu_stats")
    system, earlier = _count(now.get("system_cpu_usage")), _count(before.get("system_cpu_usage"))
    usage = _count(_object(now, "cpu_usage").get("total_usage"))
    first = _count(_object(before, "cpu_usage").get("total_usage"))
    processors = _processors(document)
    if "cpu" in now:  # Podman, whose system_cpu_usage is not that of the machine
        seconds = _seconds(document)
        return None if None in (usage, first) or not seconds else max((usage or 0) - (first or 0), 0) / seconds / 1e7
    if None in (system, usage, first, processors) or not earlier or (system or 0) <= earlier:
        return None
    return max((usage or 0) - (first or 0), 0) / ((system or 0) - earlier) * (processors or 0) * 100


def _seconds(document: dict[str, Any]) -> float:
    """Return the time between the two samples of a document, or 0 if there is only one."""
    before, now = datetimes([document.get("preread"), document.get("read")])
    return 0.0 if pd.isna(before) or pd.isna(now) else max((now - before).total_seconds(), 0.0)


def _block_io(document: dict[str, Any]) -> dict[str, int | None]:
    """Return the bytes read and written. The operations' names start with r or w, in upper or lower case."""
    entries = _object(document, "blkio_stats").get("io_service_bytes_recursive")
    if not isinstance(entries, list):
        return {"read_bytes": None, "write_bytes": None}
    entries = [entry for entry in entries if isinstance(entry, dict)]
    totals: dict[str, int | None] = {}
    for key in ("read_bytes", "write_bytes"):
        values = [entry.get("value") for entry in entries if str(entry.get("op", "")).lower()[:1] == key[0]]
        totals[key] = _sum(values) or 0
    return totals
