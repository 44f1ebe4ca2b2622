"""The runs of containers, from the table of events: one row per run, and a picture of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dockerlab.analyze.values import last_value
from dockerlab.tables.build import FLOAT, INTEGER, TEXT, TIME, Column, array_table

if TYPE_CHECKING:
    from dockerlab.analyze.pictures import Picture

__all__ = ["LIVES", "gantt", "lives"]

LIVES = (
    Column("id", "id", TEXT, "the container's id"),
    Column("name", "name", TEXT, "its last name"),
    Column("image", "image", TEXT, "its image"),
    Column("run", "run", INTEGER, "1 for the first run, 2 after a restart; 0 if it was only created"),
    Column("created", "created", TIME, "when it was created; NaT if before the first event", "UTC"),
    Column("started", "started", TIME, "when this run started; NaT if before the first event", "UTC"),
    Column("died", "died", TIME, "when this run ended; NaT if after the last event", "UTC"),
    Column("exit_code", "exit_code", INTEGER, "the exit code of this run"),
    Column("signal", "signal", TEXT, "the last signal that the engine sent in this run"),
    Column("duration_seconds", "duration_seconds", FLOAT, "the length of this run", "s"),
    Column("destroyed", "destroyed", TIME, "when it was removed", "UTC"),
)
STARTS, ENDS = {"start"}, {"die", "died"}


def lives(events: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run of a container, from `event_table`, in the order of creation and then of runs.

    A container that was created and not started is one row with run 0. A run that started before the first event has
    only an end; a container without any start or end is one row without a run number.
    """
    container_events = events[(events["type"] == "container").fillna(False)].sort_values("time", kind="stable")
    rows: list[dict[str, Any]] = []
    for identity, group in container_events.groupby("id", sort=False):
        rows += _runs(str(identity), group)
    return array_table(LIVES, rows)


def _runs(identity: str, events: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the runs of one container."""
    container: dict[str, Any] = {
        "id": identity,
        "name": last_value(events["name"]),
        "image": last_value(events["image"]),
    }
    runs: list[dict[str, Any]] = []
    for event in events.to_dict("records"):
        action, time, code = str(event["action"]), event["time"], event["exit_code"]
        if action in ("create", "destroy"):
            container["created" if action == "create" else "destroyed"] = time
        elif action in STARTS:
            runs.append({"started": time})
        elif action in ENDS:
            if not runs or "died" in runs[-1]:
                runs.append({})
            runs[-1] |= {"died": time, "exit_code": None if pd.isna(code) else code}
        elif action == "kill" and runs and "died" not in runs[-1]:
            runs[-1]["signal"] = _signal(event["attributes"])
    for run in runs:
        if "started" in run and "died" in run:
            run["duration_seconds"] = max((run["died"] - run["started"]).total_seconds(), 0.0)
    if not runs:
        return [{**container, "run": 0 if "created" in container else None}]
    return [{**container, "run": number, **run} for number, run in enumerate(runs, 1)]


def _signal(attributes: Any) -> str | None:
    signal = attributes.get("signal") if isinstance(attributes, dict) else None
    return None if signal is None else str(signal)


def gantt(lived: pd.DataFrame, *, until: Any = None) -> Picture:
    """Draw one bar per run of `lives`: blue ended with code 0, orange with another code, grey was still running.

    `until` is the end of the grey bars, by default the last time in the table.
    """
    from dockerlab.analyze.pictures import COLORS, Picture, label

    runs = lived[lived["started"].notna()]
    times = [time for name in ("started", "died", "destroyed") for time in runs[name].dropna()]
    last = pd.Timestamp(until) if until is not None else max(times, default=pd.Timestamp(0, tz="UTC"))
    first = min(times, default=last)
    names = [label(name if not pd.isna(name) else identity[:12]) for identity, name in _names_by_id(runs).items()]
    picture = Picture(figsize=(9, 1 + 0.4 * max(len(names), 1)))
    axes = picture.subplots()
    rows = {identity: row for row, identity in enumerate(_names_by_id(runs))}
    for run in runs.to_dict("records"):
        still_running = bool(pd.isna(run["died"]))
        died = last if still_running else run["died"]
        start, end = (run["started"] - first).total_seconds(), (died - first).total_seconds()
        color = "#999999" if still_running else COLORS[0] if _exit_code(run) == 0 else COLORS[1]
        axes.barh(rows[str(run["id"])], max(end - start, 0.0), left=start, height=0.6, color=color, edgecolor="white")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("seconds since the first start")
    axes.spines[["top", "right"]].set_visible(False)
    failed = int((runs["exit_code"].fillna(0) != 0).sum())
    picture.alt = f"{len(runs)} runs of {len(names)} containers as bars over time, {failed} of them ended with an error"
    return picture


def _exit_code(run: dict[Any, Any]) -> int | None:
    return None if pd.isna(run["exit_code"]) else int(run["exit_code"])


def _names_by_id(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the containers' names by id, in the order of the table."""
    return {str(identity): name for identity, name in zip(runs["id"], runs["name"], strict=True)}
