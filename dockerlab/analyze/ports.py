"""Who publishes which port of the machine, and who is in whose way."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.tables.build import BOOLEAN, INTEGER, TEXT, typed_table
from dockerlab.tables.unfold import ports

__all__ = ["conflicts", "published"]

#: Addresses that mean all of the machine's.
ANY = {"", "0.0.0.0", "::"}  # noqa: S104  (they are looked for, not bound)


def published(containers: pd.DataFrame) -> pd.DataFrame:
    """Make one row a port of the machine that is published or asked for, from `container_inspections`.

    Columns: `host_port`, `host_ip` (<NA> is every address), `protocol`, `name`, `container_port`, `open`, `everywhere`
    (can other machines reach it?), `id`; ordered by port.
    """
    known = ports(containers)
    known = known[known["host_port"].notna() & (known["host_port"] > 0).fillna(False)].copy()
    known["everywhere"] = known["host_ip"].fillna("").isin(ANY).astype("boolean")
    names = ["host_port", "host_ip", "protocol", "name", "container_port", "open", "everywhere", "id"]
    return known.sort_values(["host_port", "protocol", "name", "host_ip"], kind="stable")[names].reset_index(drop=True)


def conflicts(containers: pd.DataFrame) -> pd.DataFrame:
    """Make one row a pair of containers that can't run at the same time, since both want one port of the machine.

    Columns: `host_port`, `protocol`, `name`, `host_ip`, `open` and the same of the other one with `other_` in front.
    """
    known = published(containers)
    rows = []
    for (port, protocol), group in known.groupby(["host_port", "protocol"], sort=True):
        entries: list[dict[Any, Any]] = group.to_dict("records")
        for place, one in enumerate(entries):
            for other in entries[place + 1 :]:
                if one["id"] != other["id"] and _overlap(one["host_ip"], other["host_ip"]):
                    pair = [side[key] for side in (one, other) for key in ("name", "host_ip", "open")]
                    rows.append((port, protocol, *pair))
    names = ["host_port", "protocol", "name", "host_ip", "open", "other_name", "other_host_ip", "other_open"]
    dtypes = {"host_port": INTEGER, "open": BOOLEAN, "other_open": BOOLEAN}
    return typed_table(
        {n: ([row[place] for row in rows], dtypes.get(n, TEXT)) for place, n in enumerate(names)}, len(rows)
    )


def _overlap(one: Any, other: Any) -> bool:
    """Tell whether two addresses want the same port; one that means all of version 6 also takes those of version 4."""
    first, second = ("" if pd.isna(address) else str(address) for address in (one, other))
    return first == second or first in ANY or second in ANY
