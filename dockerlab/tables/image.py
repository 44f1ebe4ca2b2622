"""Tables of the image operations."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.tables.build import PLAIN, TEXT, TIME, WHOLE, Column, array_table

__all__ = ["LIST", "image_list"]


def _joined(names: list[str]) -> str:
    return ", ".join(name for name in names if not name.startswith("<none>"))


def _counted(number: int) -> int | None:
    """Engines say -1 for a number that they have not counted."""
    return None if number < 0 else number


LIST = (
    Column("repo_tags", "RepoTags", TEXT, "its names, with commas between them", convert=_joined),
    Column("size_bytes", "Size", WHOLE, "all its layers together", "bytes"),
    Column("created", "Created", TIME, "when it was built", "UTC"),
    Column("containers", "Containers", WHOLE, "containers that use it; <NA> if not counted", convert=_counted),
    Column("labels", "Labels", PLAIN, "its labels, a dict"),
    Column("repo_digests", "RepoDigests", TEXT, "its names by digest", convert=_joined),
    Column("shared_size_bytes", "SharedSize", WHOLE, "shared with others; <NA> if not counted", "bytes", _counted),
    Column("parent_id", "ParentId", TEXT, "the image it was built from, if the engine knows"),
    Column("id", "Id", TEXT, "its id"),
)


def image_list(records: list[dict[str, Any]] | None) -> pd.DataFrame:
    """Make the table of ImageList."""
    return array_table(LIST, records)
