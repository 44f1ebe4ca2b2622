"""Two containers, or two images, side by side: what differs in their settings."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dockerlab.errors import ArgumentError
from dockerlab.tables.build import OBJECT, TEXT, typed_table

__all__ = ["between"]

#: What differs between any two objects, and says nothing.
OWN = {
    "id", "name", "image_id", "repo_tags", "repo_digests", "created", "started", "finished", "hostname", "parent_id",
    "running", "state", "paused", "exit_code", "restart_count", "health", "error", "oom_killed",
}  # fmt: skip
#: Below these keys an engine writes what it gave each container itself: addresses, ids.
GIVEN = {"networks": {"NetworkID", "EndpointID", "IPAddress", "MacAddress", "DNSNames", "Aliases", "GlobalIPv6Address"}}


def between(inspections: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Make one row a difference, from `container_inspections` or `image_inspections`; both are given by name or id.

    Columns: `setting` (the column), `key` (a variable, a label, a port …; <NA> for a plain value), `change` (added,
    removed, changed, as seen from the first), `before`, `after` (as the engine wrote them). Ids, names, times and
    states differ anyway and are left out.
    Raises ArgumentError if one of them is not in the table.
    """
    first, second = _row(inspections, one), _row(inspections, other)
    rows: list[tuple[str, str | None, Any, Any]] = []
    for setting in inspections.columns:
        if setting in OWN:
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


def _row(inspections: pd.DataFrame, wanted: str) -> pd.Series[Any]:
    """Find an object by its name, one of its names, or the beginning of its id."""
    for row in inspections.to_dict("records"):
        names = [str(row.get("name")), *str(row.get("repo_tags")).split(", ")]
        identity = str(row["id"]).removeprefix("sha256:")
        if wanted in names or (wanted and identity.startswith(wanted.removeprefix("sha256:"))):
            return pd.Series({str(key): value for key, value in row.items()}, dtype=object)
    title = "name" if "name" in inspections.columns else "repo_tags"
    known = ", ".join(str(name) for name in inspections[title].dropna())
    raise ArgumentError(f"{wanted!r} is not in this table. Choose one of {known or 'another table'}.")


def _parts(setting: str, value: Any) -> dict[str | None, Any]:
    """Take a setting apart, so that one variable that differs is one row and not the whole environment."""
    if isinstance(value, dict):
        given = GIVEN.get(setting, set())
        return {str(key): _without(inner, given) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        if setting == "env":
            return {name: rest for name, _, rest in (str(text).partition("=") for text in value)}
        if setting == "mounts":
            return {str(one.get("Destination")): one for one in value if isinstance(one, dict)}
        if setting in ("cmd", "entrypoint"):
            return {None: list(value)} if value else {}
        return {str(one): True for one in value}
    return {} if value is None or pd.isna(value) else {None: value}


def _without(value: Any, given: set[str]) -> Any:
    return {key: inner for key, inner in value.items() if key not in given} if isinstance(value, dict) else value


def _same(one: Any, other: Any) -> bool:
    """Compare; an empty list, an empty text and nothing are the same to an engine."""
    return bool(one == other) or (one in (None, "", [], {}) and other in (None, "", [], {}))
