"""The table of volumes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.tables.build import INTEGER, OBJECT, TEXT, TIME, Column, array_table, count_or_none, object_or_empty

__all__ = ["LIST", "volume_list"]

LIST = (
    Column("name", "Name", TEXT, "its name"),
    Column("driver", "Driver", TEXT, "its driver: local, or a plugin"),
    Column("mountpoint", "Mountpoint", TEXT, "its path on the engine's machine"),
    Column("created", "CreatedAt", TIME, "when it was created", "UTC"),
    Column("labels", "Labels", OBJECT, "its labels, a dict"),
    Column("options", "Options", OBJECT, "its driver's options, a dict"),
    Column("scope", "Scope", TEXT, "local: on this machine; global: in the swarm"),
    Column("size_bytes", "UsageData.Size", INTEGER, "size of its content; only in data_usage", "bytes", count_or_none),
    Column("containers", "UsageData.RefCount", INTEGER, "its containers; only in data_usage", convert=count_or_none),
)


def volume_list(document: dict[str, Any]) -> pd.DataFrame:
    """Return the table of VolumeList, whose response is an object with the records in `Volumes`."""
    return array_table(LIST, object_or_empty(document).get("Volumes"))
