"""How containers lived: one row a run, from the table of events; and the picture of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dockerlab.tables.build import FLOAT, INTEGER, TEXT, TIME, Column, array_table

if TYPE_CHECKING:
    from dockerlab.analyze.pictures import Picture

__all__ = ["LIVES", "gantt", "lives"]

LIVES = (
    Column("id", "id", TEXT, "the container's id"),
    Column("name", "name", TEXT, "its last name"),
    Column("image", "image", TEXT, "its image"),
    Column("run", "run", INTEGER, "1 for its first run, 2 after a restart; 0 for one that was only created"),
    Column("created", "created", TIME, "when it was created; NaT if that was before the events begin", "UTC"),
    Column("started", "started", TIME, "when this run began; NaT if that was before the events begin", "UTC"),
    Column("died", "died", TIME, "when it ended; NaT if it had not when the events end", "UTC"),
    Column("exit_code", "exit_code", INTEGER, "with which code"),
    Column("signal", "signal", TEXT, "the last signal that the engine sent it in this run"),
    Column("duration_seconds", "duration_seconds", FLOAT, "from start to end", "s"),
    Column("destroyed", "destroyed", TIME, "when it was removed", "UTC"),
)
STARTS, ENDS = {"start"}, {"die", "died"}


def lives(events: pd.DataFrame) -> pd.DataFrame:
    """Make one row a run of a container, from `event_table`: the order of creation, then of runs.

    A container that was created and not started is one row with run 0. Runs that began before the first event are
    known from their end alone; one of which no start or end is known at all is a row without a number.
    """
    mine = events[(events["type"] == "container").fillna(False)].sort_values("time", kind="stable")
    rows: list[dict[str, Any]] = []
    for identity, group in mine.groupby("id", sort=False):
        rows += _runs(str(identity), group)
    return array_table(LIVES, rows)


def _runs(identity: str, events: pd.DataFrame) -> list[dict[str, Any]]:
    """Read the runs of one container."""
    known: dict[str, Any] = {"id": identity, "name": _last(events["name"]), "image": _last(events["image"])}
    runs: list[dict[str, Any]] = []
    for event in events.to_dict("records"):
        action, moment, code = str(event["action"]), event["time"], event["exit_code"]
        if action in ("create", "destroy"):
            known["created" if action == "create" else "destroyed"] = moment
        elif action in STARTS:
            runs.append({"started": moment})
        elif action in ENDS:
            if not runs or "died" in runs[-1]:
                runs.append({})
            runs[-1] |= {"died": moment, "exit_code": None if pd.isna(code) else code}
        elif action == "kill" and runs and "died" not in runs[-1]:
            runs[-1]["signal"] = _signal(event["attributes"])
    for run in runs:
        if "started" in run and "died" in run:
            run["duration_seconds"] = max((run["died"] - run["started"]).total_seconds(), 0.0)
    if not runs:
        return [{**known, "run": 0 if "created" in known else None}]
    return [{**known, "run": number, **run} for number, run in enumerate(runs, 1)]


def _last(values: pd.Series[Any]) -> Any:
    told = values.dropna()
    return told.iloc[-1] if len(told) else None


def _signal(attributes: Any) -> str | None:
    told = attributes.get("signal") if isinstance(attributes, dict) else None
    return None if told is None else str(told)


def gantt(lived: pd.DataFrame, *, until: Any = None) -> Picture:
    """Draw a bar for each run of `lives`: blue ended with 0, orange with another code, grey still ran at the end.

    `until` is where bars end that have no end; without it, the last moment in the table.
    """
    from dockerlab.analyze.pictures import COLORS, Picture, label

    runs = lived[lived["started"].notna()]
    moments = [moment for name in ("started", "died", "destroyed") for moment in runs[name].dropna()]
    last = pd.Timestamp(until) if until is not None else max(moments, default=pd.Timestamp(0, tz="UTC"))
    first = min(moments, default=last)
    names = [label(name if not pd.isna(name) else identity[:12]) for identity, name in _owners(runs).items()]
    picture = Picture(figsize=(9, 1 + 0.4 * max(len(names), 1)))
    axes = picture.subplots()
    places = {identity: place for place, identity in enumerate(_owners(runs))}
    for run in runs.to_dict("records"):
        open_end = bool(pd.isna(run["died"]))
        ends = last if open_end else run["died"]
        begin, end = (run["started"] - first).total_seconds(), (ends - first).total_seconds()
        color = "#999999" if open_end else COLORS[0] if _code(run) == 0 else COLORS[1]
        axes.barh(places[str(run["id"])], max(end - begin, 0.0), left=begin, height=0.6, color=color, edgecolor="white")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("seconds since the first start")
    axes.spines[["top", "right"]].set_visible(False)
    failed = int((runs["exit_code"].fillna(0) != 0).sum())
    picture.alt = f"{len(runs)} runs of {len(names)} containers as bars over time, {failed} of them ended with an error"
    return picture


def _code(run: dict[Any, Any]) -> int | None:
    return None if pd.isna(run["exit_code"]) else int(run["exit_code"])


def _owners(runs: pd.DataFrame) -> dict[str, Any]:
    """Give the containers' names by id, in order."""
    return {str(identity): name for identity, name in zip(runs["id"], runs["name"], strict=True)}
