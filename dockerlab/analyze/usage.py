"""The resources containers used over time: rates between samples of stats, a summary, and a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dockerlab.analyze.values import last_value
from dockerlab.errors import ArgumentError
from dockerlab.tables.build import FLOAT, INTEGER, TEXT, TIME, typed_table

if TYPE_CHECKING:
    from dockerlab.analyze.pictures import Picture

__all__ = ["chart", "rates", "summary"]

#: Counters in the table of samples, and the columns with their growth per second.
COUNTERS = {
    "network_rx_bytes": "network_rx_bytes_per_second",
    "network_tx_bytes": "network_tx_bytes_per_second",
    "block_read_bytes": "block_read_bytes_per_second",
    "block_write_bytes": "block_write_bytes_per_second",
}
GAUGES = {
    "memory_used_bytes": INTEGER, "memory_percent": FLOAT, "memory_limit_bytes": INTEGER, "pids": INTEGER,
}  # fmt: skip


def rates(samples: pd.DataFrame) -> pd.DataFrame:
    """Return one row per sample of `stats_table`, with the usage since the previous sample of the same container.

    `seconds` is the time between the two samples. `cpu_percent` (100 is one processor), `throttled_percent` (of that
    time) and `…_bytes_per_second` are `<NA>` for the first sample, and after a restart, which resets the counters.
    `cpu_percent` is processor time divided by clock time. It differs from `docker stats` by a percent or two, and is
    also correct for Podman, whose `system_cpu_usage` is not that of the machine.
    """
    ordered = samples[samples["read"].notna() & samples["id"].notna()]
    ordered = ordered.drop_duplicates(["id", "read"]).sort_values(["id", "read"], kind="stable").reset_index(drop=True)
    by_container = ordered.groupby("id", sort=False)
    seconds = (ordered["read"] - by_container["read"].shift()).dt.total_seconds().astype("Float64")
    cpu = ordered["cpu_usage_ns"].astype("Float64") - by_container["cpu_usage_ns"].shift().astype("Float64")
    restarted = (cpu < 0).fillna(False)
    columns: dict[str, tuple[Any, str]] = {
        "id": (ordered["id"].array, TEXT),
        "name": (ordered["name"].array, TEXT),
        "time": (pd.DatetimeIndex(ordered["read"]), TIME),
        "seconds": (seconds.array, FLOAT),
        "cpu_percent": ((cpu.mask(restarted) / seconds / 1e7).array, FLOAT),
    }
    for name, dtype in GAUGES.items():
        columns[name] = (ordered[name].array, dtype)
    for name, title in COUNTERS.items():
        columns[title] = (_growth(ordered, name, restarted, seconds).array, FLOAT)
    throttled = _growth(ordered, "throttled_time_ns", restarted, seconds)
    columns["throttled_percent"] = ((throttled / 1e7).array, FLOAT)
    return typed_table(columns, len(ordered))


def _growth(ordered: pd.DataFrame, name: str, restarted: pd.Series[Any], seconds: pd.Series[Any]) -> pd.Series[Any]:
    """Return a counter's growth per second; `<NA>` if the counter was reset between the samples."""
    previous = ordered.groupby("id", sort=False)[name].shift()
    growth = ordered[name].astype("Float64") - previous.astype("Float64")
    return growth.mask((restarted | (growth < 0)).fillna(False)) / seconds


def summary(rated: pd.DataFrame) -> pd.DataFrame:
    """Return one row per container of `rates`: mean and maximum of processor and memory, and the total of bytes moved.

    The busiest container comes first. The mean of `cpu_percent` is weighted by the length of each interval.
    """
    rows = []
    for identity, group in rated.groupby("id", sort=False):
        weighted = group.dropna(subset=["cpu_percent", "seconds"])
        length = weighted["seconds"].sum()
        totals = {title: (group[title] * group["seconds"]).sum(min_count=1) for title in COUNTERS.values()}
        rows.append({
            "id": identity,
            "name": last_value(group["name"]),
            "samples": len(group),
            "cpu_percent_mean": (weighted["cpu_percent"] * weighted["seconds"]).sum() / length if length else None,
            "cpu_percent_max": _or_none(group["cpu_percent"].max()),
            "memory_used_bytes_mean": _or_none(group["memory_used_bytes"].mean(), round),
            "memory_used_bytes_max": _or_none(group["memory_used_bytes"].max(), int),
            **{title.removesuffix("_per_second"): _or_none(total, round) for title, total in totals.items()},
        })  # fmt: skip
    rows.sort(key=lambda row: -(row["cpu_percent_mean"] or 0))
    names = ["id", "name", "samples", "cpu_percent_mean", "cpu_percent_max", "memory_used_bytes_mean"]
    names += ["memory_used_bytes_max", *COUNTERS]
    dtypes = {"id": TEXT, "name": TEXT, "cpu_percent_mean": FLOAT, "cpu_percent_max": FLOAT}
    return typed_table({name: ([row[name] for row in rows], dtypes.get(name, INTEGER)) for name in names}, len(rows))


def _or_none(value: Any, kind: Any = float) -> Any:
    return None if pd.isna(value) else kind(value)


def chart(rated: pd.DataFrame, column: str = "cpu_percent") -> Picture:
    """Draw one column of `rates` over time, with one line per container.

    Raises ArgumentError for a column without numbers.
    """
    from dockerlab.analyze.pictures import COLORS, Picture, label

    if column not in rated.columns or not pd.api.types.is_numeric_dtype(rated[column].dtype):
        numbers = [name for name in rated.columns if pd.api.types.is_numeric_dtype(rated[name].dtype)]
        raise ArgumentError(f"There is no numeric column {column!r}. Choose one of {', '.join(numbers)}.")
    picture = Picture(figsize=(9, 3.5))
    axes = picture.subplots()
    start = rated["time"].min()
    groups = list(rated.groupby("id", sort=False))
    for index, (identity, group) in enumerate(groups):
        name = last_value(group["name"])
        points = group[group[column].notna()]
        seconds = (points["time"] - start).dt.total_seconds()
        style = ("-", "--", ":", "-.")[index // len(COLORS) % 4]
        axes.plot(seconds, points[column].astype("float64"), style, color=COLORS[index % len(COLORS)], linewidth=1.5,
                  label=label(name if name is not None else str(identity)[:12]))  # fmt: skip
    axes.set_xlabel("seconds since the first sample")
    axes.set_ylabel(f"{column.replace('_', ' ')}")
    axes.spines[["top", "right"]].set_visible(False)
    if groups:
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    picture.alt = f"{column.replace('_', ' ')} of {len(groups)} containers as lines over time"
    return picture
