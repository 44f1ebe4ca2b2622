"""What containers used over time: rates between consecutive samples of stats, a summary, and the picture of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dockerlab.errors import ArgumentError
from dockerlab.tables.build import FLOAT, INTEGER, TEXT, TIME, typed_table

if TYPE_CHECKING:
    from dockerlab.analyze.pictures import Picture

__all__ = ["chart", "rates", "summary"]

#: Counters of the table of samples, and what their growth a second is called.
COUNTERS = {
    "network_rx_bytes": "network_rx_bytes_per_second",
    "network_tx_bytes": "network_tx_bytes_per_second",
    "block_read_bytes": "block_read_bytes_per_second",
    "block_write_bytes": "block_write_bytes_per_second",
}
AS_THEY_ARE = {
    "memory_used_bytes": INTEGER, "memory_percent": FLOAT, "memory_limit_bytes": INTEGER, "pids": INTEGER,
}  # fmt: skip


def rates(samples: pd.DataFrame) -> pd.DataFrame:
    """Make one row a sample, from `stats_table`: what was used since the sample before of the same container.

    `seconds` is the time between both; `cpu_percent` (100 is one processor), `throttled_percent` (of that time) and
    `…_bytes_per_second` are `<NA>` for a first sample, and where a counter began anew because the container did.
    `cpu_percent` is processor time by clock time: what `docker stats` shows, but for a percent or two, and right on
    Podman too, whose `system_cpu_usage` is not the machine's.
    """
    known = samples[samples["read"].notna() & samples["id"].notna()]
    known = known.drop_duplicates(["id", "read"]).sort_values(["id", "read"], kind="stable").reset_index(drop=True)
    first = known.groupby("id", sort=False)
    seconds = (known["read"] - first["read"].shift()).dt.total_seconds().astype("Float64")
    cpu = known["cpu_usage_ns"].astype("Float64") - first["cpu_usage_ns"].shift().astype("Float64")
    anew = (cpu < 0).fillna(False)
    columns: dict[str, tuple[Any, str]] = {
        "id": (known["id"].array, TEXT),
        "name": (known["name"].array, TEXT),
        "time": (pd.DatetimeIndex(known["read"]), TIME),
        "seconds": (seconds.array, FLOAT),
        "cpu_percent": ((cpu.mask(anew) / seconds / 1e7).array, FLOAT),
    }
    for name, dtype in AS_THEY_ARE.items():
        columns[name] = (known[name].array, dtype)
    for name, title in COUNTERS.items():
        columns[title] = (_growth(known, name, anew, seconds).array, FLOAT)
    columns["throttled_percent"] = ((_growth(known, "throttled_time_ns", anew, seconds) / 1e7).array, FLOAT)
    return typed_table(columns, len(known))


def _growth(known: pd.DataFrame, name: str, anew: pd.Series[Any], seconds: pd.Series[Any]) -> pd.Series[Any]:
    """Give a counter's growth a second; one that is smaller than before began anew and says nothing of this time."""
    before = known.groupby("id", sort=False)[name].shift()
    grown = known[name].astype("Float64") - before.astype("Float64")
    return grown.mask((anew | (grown < 0)).fillna(False)) / seconds


def summary(rated: pd.DataFrame) -> pd.DataFrame:
    """Make one row a container, from `rates`: mean and peak of processor and memory, the bytes moved in all.

    Ordered by processor time, the busiest first. A mean is weighted with the length of each interval.
    """
    rows = []
    for identity, group in rated.groupby("id", sort=False):
        weighted = group.dropna(subset=["cpu_percent", "seconds"])
        length = weighted["seconds"].sum()
        moved = {title: (group[title] * group["seconds"]).sum(min_count=1) for title in COUNTERS.values()}
        rows.append({
            "id": identity,
            "name": _last(group["name"]),
            "samples": len(group),
            "cpu_percent_mean": (weighted["cpu_percent"] * weighted["seconds"]).sum() / length if length else None,
            "cpu_percent_max": _or_none(group["cpu_percent"].max()),
            "memory_used_bytes_mean": _or_none(group["memory_used_bytes"].mean(), round),
            "memory_used_bytes_max": _or_none(group["memory_used_bytes"].max(), int),
            **{title.removesuffix("_per_second"): _or_none(total, round) for title, total in moved.items()},
        })  # fmt: skip
    rows.sort(key=lambda row: -(row["cpu_percent_mean"] or 0))
    names = ["id", "name", "samples", "cpu_percent_mean", "cpu_percent_max", "memory_used_bytes_mean"]
    names += ["memory_used_bytes_max", *COUNTERS]
    dtypes = {"id": TEXT, "name": TEXT, "cpu_percent_mean": FLOAT, "cpu_percent_max": FLOAT}
    return typed_table({name: ([row[name] for row in rows], dtypes.get(name, INTEGER)) for name in names}, len(rows))


def _or_none(value: Any, kind: Any = float) -> Any:
    return None if pd.isna(value) else kind(value)


def _last(values: pd.Series[Any]) -> Any:
    told = values.dropna()
    return told.iloc[-1] if len(told) else None


def chart(rated: pd.DataFrame, column: str = "cpu_percent") -> Picture:
    """Draw one column of `rates` over time, a line for each container.

    Raises ArgumentError for a column that has no numbers.
    """
    from dockerlab.analyze.pictures import COLORS, Picture, label

    if column not in rated.columns or not pd.api.types.is_numeric_dtype(rated[column].dtype):
        numbers = [name for name in rated.columns if pd.api.types.is_numeric_dtype(rated[name].dtype)]
        raise ArgumentError(f"There is no column of numbers {column!r}. Choose one of {', '.join(numbers)}.")
    picture = Picture(figsize=(9, 3.5))
    axes = picture.subplots()
    begin = rated["time"].min()
    groups = list(rated.groupby("id", sort=False))
    for place, (identity, group) in enumerate(groups):
        name = _last(group["name"])
        known = group[group[column].notna()]
        seconds = (known["time"] - begin).dt.total_seconds()
        style = ("-", "--", ":", "-.")[place // len(COLORS) % 4]
        axes.plot(seconds, known[column].astype("float64"), style, color=COLORS[place % len(COLORS)], linewidth=1.5,
                  label=label(name if name is not None else str(identity)[:12]))  # fmt: skip
    axes.set_xlabel("seconds since the first sample")
    axes.set_ylabel(f"{column.replace('_', ' ')}")
    axes.spines[["top", "right"]].set_visible(False)
    if groups:
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    picture.alt = f"{column.replace('_', ' ')} of {len(groups)} containers as lines over time"
    return picture
