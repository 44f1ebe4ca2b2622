"""The settings in which two containers or two images differ."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.errors import ArgumentError
from dockerlab.tables.build import OBJECT, TEXT, typed_table

__all__ = ["between"]

#: Columns that differ between any two objects, so that their differences mean nothing.
IGNORED_COLUMNS = {
    "id", "name", "image_id", "repo_tags", "repo_digests", "created", "started", "finished", "hostname", "parent_id",
    "running", "state", "paused", "exit_code", "restart_count", "health", "error", "oom_killed",
}  # fmt: skip
#: Nested keys whose values the engine assigns to each container: addresses, ids.
ASSIGNED_KEYS = {
    "networks": {"NetworkID", "EndpointID", "IPAddress", "MacAddress", "DNSNames", "Aliases", "GlobalIPv6Address"}
}


def between(inspections: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Return one row per difference between two objects of a table, each given by its name or id.

    `inspections` is a table of `container_inspections` or `image_inspections`. Columns: `setting` (the column), `key`
    (a variable, a label, a port …; <NA> for a setting with a single value), `change` (added, removed or changed, from
    the first to the second object), `before`, `after` (as the engine sends them). Ids, names, times and states are
    left out, because they always differ.
    Raises ArgumentError if one of the objects is not in the table.
    """
    first, second = _row(inspections, one), _row(inspections, other)
    rows: list[tuple[str, str | None, Any, Any]] = []
    for setting in inspections.columns:
        if setting in IGNORED_COLUMNS:
            continue
        before, after = (_parts(str(setting), row[setting]) for row in (first, second))
        for key in dict.fromkeys([*before, *after]):
            if not _same(before.get(key), after.get(key)):
                rows.append((str(setting), key, before.get(key), after.get(key)))
    changes = ["added" if old is None else "removed" if new is None else "changed" for _, _, old, new in rows]
    columns: dict[str, tuple[Any, str]] = {
        "setting": ([row[0] for row in rows], TEXT),
        "key": ([row[1] for row in rows], TEXT),
        "change": (changes, TEXT),
        "before": ([pd.NA if row[2] is None else row[2] for row in rows], OBJECT),
        "after": ([pd.NA if row[3] is None else row[3] for row in rows], OBJECT),
    }
    return typed_table(columns, len(rows))


def _row(inspections: pd.DataFrame, name_or_id: str) -> pd.Series[Any]:
    """Return the row of an object, by its name, one of its names, or a prefix of its id."""
    for row in inspections.to_dict("records"):
        names = [str(row.get("name")), *str(row.get("repo_tags")).split(", ")]
        identity = str(row["id"]).removeprefix("sha256:")
        if name_or_id in names or (name_or_id and identity.startswith(name_or_id.removeprefix("sha256:"))):
            return pd.Series({str(key): value for key, value in row.items()}, dtype=object)
    title = "name" if "name" in inspections.columns else "repo_tags"
    names_in_table = ", ".join(str(name) for name in inspections[title].dropna())
    raise ArgumentError(f"{name_or_id!r} is not in this table. Choose one of {names_in_table or 'another table'}.")


def _parts(setting: str, value: Any) -> dict[str | None, Any]:
    """Split a setting into parts, so that one different variable is one row instead of the whole environment."""
    if isinstance(value, dict):
        assigned = ASSIGNED_KEYS.get(setting, set())
        return {str(key): _without(inner, assigned) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        if setting == "env":
            return {name: rest for name, _, rest in (str(text).partition("=") for text in value)}
        if setting == "mounts":
            return {str(mount.get("Destination")): mount for mount in value if isinstance(mount, dict)}
        if setting in ("cmd", "entrypoint"):
            return {None: list(value)} if value else {}
        return {str(item): True for item in value}
    return {} if value is None or pd.isna(value) else {None: value}


def _without(value: Any, keys: set[str]) -> Any:
    return {key: inner for key, inner in value.items() if key not in keys} if isinstance(value, dict) else value


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal; to an engine, empty lists, empty texts and missing values are the same."""
    return bool(one == other) or (one in (None, "", [], {}) and other in (None, "", [], {}))
