"""Tables of the volume operations."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.tables.build import INTEGER, OBJECT, TEXT, TIME, Column, array_table, count_or_none, object_or_empty

__all__ = ["LIST", "volume_list"]

LIST = (
    Column("name", "Name", TEXT, "its name"),
    Column("driver", "Driver", TEXT, "what keeps it: local, or a plugin"),
    Column("mountpoint", "Mountpoint", TEXT, "where it is on the engine's machine"),
    Column("created", "CreatedAt", TIME, "when it was created", "UTC"),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("options", "Options", OBJECT, "options of its driver, a dict"),
    Column("scope", "Scope", TEXT, "local: on this machine; global: in the swarm"),
    Column("size_bytes", "UsageData.Size", INTEGER, "what is in it; only in data_usage", "bytes", count_or_none),
    Column(
        "containers", "UsageData.RefCount", INTEGER, "containers that use it; only in data_usage", convert=count_or_none
    ),
)


def volume_list(document: dict[str, Any]) -> pd.DataFrame:
    """Make the table of VolumeList: its answer is an object, whose `Volumes` are the records."""
    return array_table(LIST, object_or_empty(document).get("Volumes"))
