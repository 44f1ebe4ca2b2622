"""Published ports, and conflicts between containers that need the same port."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.tables.build import BOOLEAN, INTEGER, TEXT, typed_table
from dockerlab.tables.unfold import ports

__all__ = ["conflicts", "published"]

#: Addresses that stand for all addresses of the machine.
ANY = {"", "0.0.0.0", "::"}  # noqa: S104  (they are compared, not bound)


def published(containers: pd.DataFrame) -> pd.DataFrame:
    """Return one row per published or requested port of the machine, from `container_inspections`, ordered by port.

    Columns: `host_port`, `host_ip` (<NA> means every address), `protocol`, `name`, `container_port`, `open`,
    `everywhere` (whether other machines can reach it), `id`.
    """
    table = ports(containers)
    table = table[table["host_port"].notna() & (table["host_port"] > 0).fillna(False)].copy()
    table["everywhere"] = table["host_ip"].fillna("").isin(ANY).astype("boolean")
    names = ["host_port", "host_ip", "protocol", "name", "container_port", "open", "everywhere", "id"]
    return table.sort_values(["host_port", "protocol", "name", "host_ip"], kind="stable")[names].reset_index(drop=True)


def conflicts(containers: pd.DataFrame) -> pd.DataFrame:
    """Return one row per pair of containers that can't run at the same time, because both need the same port.

    Columns: `host_port`, `protocol`, `name`, `host_ip`, `open`, and `other_name`, `other_host_ip`, `other_open`.
    """
    rows = []
    for (port, protocol), group in published(containers).groupby(["host_port", "protocol"], sort=True):
        entries: list[dict[Any, Any]] = group.to_dict("records")
        for index, one in enumerate(entries):
            for other in entries[index + 1 :]:
                if one["id"] != other["id"] and _overlap(one["host_ip"], other["host_ip"]):
                    pair = [side[key] for side in (one, other) for key in ("name", "host_ip", "open")]
                    rows.append((port, protocol, *pair))
    names = ["host_port", "protocol", "name", "host_ip", "open", "other_name", "other_host_ip", "other_open"]
    dtypes = {"host_port": INTEGER, "open": BOOLEAN, "other_open": BOOLEAN}
    return typed_table(
        {n: ([row[place] for row in rows], dtypes.get(n, TEXT)) for place, n in enumerate(names)}, len(rows)
    )


def _overlap(one: Any, other: Any) -> bool:
    """Return whether two addresses overlap. The address for all of IPv6 includes those of IPv4."""
    first, second = ("" if pd.isna(address) else str(address) for address in (one, other))
    return first == second or first in ANY or second in ANY
