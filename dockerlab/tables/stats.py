"""The table of samples: what containers used at a moment, from cgroups of version 1 or 2, as Docker or Podman tells it.

Percentages and memory are computed as the `docker stats` command computes them; of Podman, with its own clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from dockerlab.tables.build import FLOAT, INTEGER, OBJECT, TEXT, TIME, Column, array_table, datetimes, object_list

__all__ = ["STATS", "stats_table"]

#: What 64 bits hold; engines write "no limit" as the largest number without a sign, which they don't.
LARGEST = (1 << 63) - 1
#: What a page cache could be freed of at once: the first name is of cgroups 1, the second of cgroups 2.
INACTIVE = ("total_inactive_file", "inactive_file")


def _whole(value: Any) -> int | None:
    """Take a number that a column can hold."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= LARGEST else None


def _counter(name: str, key: str, doc: str, unit: str = "") -> Column:
    return Column(name, key, INTEGER, doc, unit, _whole)


STATS = (
    Column("id", "id", TEXT, "the container's id"),
    Column("name", "name", TEXT, "its name, without the slash"),
    Column("read", "read", TIME, "when this sample was taken; NaT if the container did not run", "UTC"),
    Column("preread", "preread", TIME, "when the sample before it was taken, if the engine took two", "UTC"),
    Column("cpu_percent", "cpu_percent", FLOAT, "100 is one processor; only where the engine took two samples", "%"),
    Column("memory_percent", "memory_percent", FLOAT, "memory_used_bytes of the limit", "%"),
    Column("memory_used_bytes", "memory_used_bytes", INTEGER, "memory without the page cache that could go", "bytes"),
    _counter("memory_usage_bytes", "memory_stats.usage", "memory with page cache", "bytes"),
    _counter("memory_cache_bytes", "memory_cache_bytes", "inactive file pages", "bytes"),
    _counter("memory_limit_bytes", "memory_stats.limit", "the limit, or else the machine's memory", "bytes"),
    _counter("network_rx_bytes", "rx_bytes", "received on all interfaces since the start", "bytes"),
    _counter("network_tx_bytes", "tx_bytes", "sent on all interfaces since the start", "bytes"),
    _counter("block_read_bytes", "read_bytes", "read from block devices since the start", "bytes"),
    _counter("block_write_bytes", "write_bytes", "written to block devices since the start", "bytes"),
    _counter("pids", "pids_stats.current", "its processes and threads"),
    _counter("pids_limit", "pids_stats.limit", "how many it may have; <NA> without a limit"),
    _counter("cpu_usage_ns", "cpu_stats.cpu_usage.total_usage", "processor time since the start", "ns"),
    _counter("cpu_kernel_ns", "cpu_stats.cpu_usage.usage_in_kernelmode", "of it in the kernel", "ns"),
    _counter("cpu_user_ns", "cpu_stats.cpu_usage.usage_in_usermode", "of it in the program", "ns"),
    _counter("system_cpu_usage_ns", "cpu_stats.system_cpu_usage", "processor time of the whole machine", "ns"),
    _counter("online_cpus", "online_cpus", "processors"),
    _counter("throttling_periods", "cpu_stats.throttling_data.periods", "periods in which a limit on cpu was watched"),
    _counter("throttled_periods", "cpu_stats.throttling_data.throttled_periods", "of them with the limit reached"),
    _counter("throttled_time_ns", "cpu_stats.throttling_data.throttled_time", "how long it had to wait", "ns"),
    Column("interfaces", "networks", OBJECT, "counters by interface, a dict: see unfold.interfaces"),
)


def stats_table(
    documents: Iterable[dict[str, Any]] | None, *, id: str | None = None, name: str | None = None
) -> pd.DataFrame:
    """Make one row a document of ContainerStats, in their order.

    `id` and `name` are those of documents that don't tell theirs.
    """
    return array_table(STATS, [_record(document, id, name) for document in object_list(documents)])


def _record(document: dict[str, Any], known_id: str | None, known_name: str | None) -> dict[str, Any]:
    """Add to a document what is computed from it."""
    made = dict(document)
    made["id"] = str(document.get("id") or document.get("Id") or known_id or "") or None
    made["name"] = str(document.get("name") or known_name or "").removeprefix("/") or None
    memory = _object(document, "memory_stats")
    cache, used = _memory(memory)
    made |= {"memory_cache_bytes": cache, "memory_used_bytes": used}
    limit = _whole(memory.get("limit"))
    made["memory_percent"] = None if used is None or not limit else used / limit * 100
    made["online_cpus"] = _processors(document)
    made["cpu_percent"] = _cpu_percent(document)
    interfaces = [one for one in _object(document, "networks").values() if isinstance(one, dict)]
    for key in ("rx_bytes", "tx_bytes"):
        made[key] = _sum(one.get(key) for one in interfaces)
    return made | _block(document)


def _object(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """Go into nested objects; what is missing or is something else is empty."""
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _sum(values: Iterable[Any]) -> int | None:
    known = [number for number in map(_whole, values) if number is not None]
    return sum(known) if known else None


def _memory(memory: dict[str, Any]) -> tuple[int | None, int | None]:
    """Give the cache, and what is used without it."""
    usage = _whole(memory.get("usage"))
    details = _object(memory, "stats")
    known = [_whole(details.get(name)) for name in INACTIVE if _whole(details.get(name)) is not None]
    cache = known[0] if known else None
    if usage is None:
        return cache, None
    return cache, usage - cache if cache is not None and cache < usage else usage


def _processors(document: dict[str, Any]) -> int | None:
    """Count processors; engines before 1.27 told only each one's time."""
    each = _object(document, "cpu_stats", "cpu_usage").get("percpu_usage")
    told = _whole(_object(document, "cpu_stats").get("online_cpus"))
    return told or (len(each) if isinstance(each, list) and each else None)


def _cpu_percent(document: dict[str, Any]) -> float | None:
    """Compute the share between two samples; without a first one it would be an average since the boot."""
    now, before = _object(document, "cpu_stats"), _object(document, "precpu_stats")
    system, earlier = _whole(now.get("system_cpu_usage")), _whole(before.get("system_cpu_usage"))
    usage = _whole(_object(now, "cpu_usage").get("total_usage"))
    first = _whole(_object(before, "cpu_usage").get("total_usage"))
    processors = _processors(document)
    if "cpu" in now:  # Podman: its system_cpu_usage is not the machine's, so the clock is asked
        seconds = _seconds(document)
        return None if None in (usage, first) or not seconds else max((usage or 0) - (first or 0), 0) / seconds / 1e7
    if None in (system, usage, first, processors) or not earlier or (system or 0) <= earlier:
        return None
    return max((usage or 0) - (first or 0), 0) / ((system or 0) - earlier) * (processors or 0) * 100


def _seconds(document: dict[str, Any]) -> float:
    """Give the time between the two samples of a document, 0 if there are no two."""
    before, now = datetimes([document.get("preread"), document.get("read")])
    return 0.0 if pd.isna(before) or pd.isna(now) else max((now - before).total_seconds(), 0.0)


def _block(document: dict[str, Any]) -> dict[str, int | None]:
    """Sum what was read and written; the operations' names begin with r and w, in any case."""
    entries = _object(document, "blkio_stats").get("io_service_bytes_recursive")
    if not isinstance(entries, list):
        return {"read_bytes": None, "write_bytes": None}
    known = [one for one in entries if isinstance(one, dict)]
    made: dict[str, int | None] = {}
    for key in ("read_bytes", "write_bytes"):
        values = [one.get("value") for one in known if str(one.get("op", "")).lower()[:1] == key[0]]
        made[key] = _sum(values) or 0
    return made
