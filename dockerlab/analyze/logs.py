"""A log's lines as data: levels, fields, rates, and lines that say the same thing.

Every function takes the table of `lab.container.logs(…, timestamps=True)`. A line is whatever a program wrote: nothing
in it is trusted, and no line makes any of these fail.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pandas as pd

from dockerlab.errors import ArgumentError
from dockerlab.tables.build import BOOLEAN, FLOAT, INTEGER, TEXT, TIME, typed_table

__all__ = ["LEVELS", "fields", "level", "levels", "patterns", "rates"]

#: From the least to the most serious.
LEVELS = ("trace", "debug", "info", "warning", "error", "fatal")
WORDS = {
    "trace": "trace", "finest": "trace", "debug": "debug", "fine": "debug", "verbose": "debug", "info": "info",
    "information": "info", "notice": "info", "warn": "warning", "warning": "warning", "error": "error", "err": "error",
    "severe": "error", "fatal": "fatal", "critical": "fatal", "crit": "fatal", "alert": "fatal", "emerg": "fatal",
    "emergency": "fatal", "panic": "fatal",
}  # fmt: skip
KEYS = ("level", "lvl", "severity", "levelname", "log.level", "loglevel", "@level")
#: Programs with numbers for levels count in tens, from 10 for trace to 60 for fatal.
TENS = dict(enumerate(LEVELS, 1))
#: So much of a line is looked at for a level, and so much of it for fields.
HEAD, LONGEST = 100, 65536
LOUD = re.compile(rf"\b({'|'.join(word.upper() for word in WORDS)})\b")
QUIET = re.compile(rf"(?:[\[(<]({'|'.join(WORDS)})[\])>]|\b({'|'.join(WORDS)}):)", re.IGNORECASE)
PAIR = re.compile(r'(?:^|\s)([A-Za-z_@][\w.@-]{0,99})=("(?:[^"\\]|\\.)*"|[^\s"]*)')
VARIES = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*|\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b|\d+(?:\.\d+)*"
)
LARGEST, MOST_ROWS, MOST_COLUMNS = (1 << 63) - 1, 1_000_000, 40


def level(message: str) -> str | None:
    """Give the level that a line tells, one of LEVELS, or None.

    >>> level('{"level": "warn", "msg": "low on tea"}'), level("level=error msg=refused"), level("[WARN] low on tea")
    ('warning', 'error', 'warning')
    >>> level("GET /errors HTTP/1.1") is None
    True
    """
    told = _fields(message)
    for key in KEYS:
        if key in told and (known := _level(told[key])):
            return known
    head = message[:HEAD]
    if found := LOUD.search(head):
        return WORDS[found[1].lower()]
    if found := QUIET.search(head):
        return WORDS[(found[1] or found[2]).lower()]
    return None


def _level(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return TENS.get(value // 10) if value % 10 == 0 else None
    return WORDS.get(str(value).strip().lower())


def levels(log: pd.DataFrame) -> pd.DataFrame:
    """Give the log with one more column, `level`: one of LEVELS, <NA> where a line tells none."""
    made = log.copy()
    told = [level(message) for message in _messages(log)]
    made["level"] = pd.Series(told, index=log.index, dtype=pd.StringDtype("python"))
    return made


def fields(log: pd.DataFrame, *, most: int = MOST_COLUMNS) -> pd.DataFrame:
    """Give the log with one more column for each field of its lines of JSON or logfmt (`name=value name="two words"`).

    Columns have the fields' names, with `_field` behind one that the log has already; nested JSON keeps its text.
    Numbers and booleans have their dtypes if all of a field are. Only the `most` common fields become columns: what a
    program writes decides nothing about memory.
    """
    told = [_fields(message) for message in _messages(log)]
    common = [name for name, _ in Counter(name for one in told for name in one).most_common(max(most, 0))]
    order = [name for name in dict.fromkeys(name for one in told for name in one) if name in set(common)]
    made = log.copy()
    for name in order:
        title = name
        while title in made.columns:
            title += "_field"
        made[title] = _typed([one.get(name) for one in told], log.index)
    return made


def _messages(log: pd.DataFrame) -> list[str]:
    """Give the lines as text, also those of a log that was read as bytes."""
    if "message" not in log.columns:
        raise ArgumentError("This is no table of a log: it has no column message. Give what lab.container.logs gave.")
    return [
        one.decode("utf-8", "backslashreplace") if isinstance(one, bytes) else "" if pd.isna(one) else str(one)
        for one in log["message"]
    ]


def _fields(message: str) -> dict[str, Any]:
    """Read a line of JSON or logfmt; of any other there are none."""
    text = message[:LONGEST].strip()
    if text.startswith("{"):
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return {str(name): value for name, value in told.items()} if isinstance(told, dict) else {}
    pairs = PAIR.findall(text)
    begins = PAIR.match(text)
    if begins is None or len(pairs) < 2:  # noqa: PLR2004  (one pair may stand in any sentence)
        return {}
    return {name: _scalar(value) for name, value in pairs}


def _scalar(value: str) -> Any:
    """Read a value of logfmt: a number, a truth, or a text with or without quotes."""
    if value.startswith('"'):
        return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), value[1:-1])
    if re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    if re.fullmatch(r"-?\d{1,18}\.\d{1,18}", value):
        return float(value)
    return {"true": True, "false": False}.get(value, value)


def _typed(values: list[Any], index: pd.Index) -> pd.Series[Any]:
    """Make a column of the dtype that all of its values have."""
    kinds = {bool if isinstance(one, bool) else type(one) for one in values if one is not None}
    if kinds == {bool}:
        return pd.Series(values, index=index, dtype=BOOLEAN)
    if kinds == {int} and all(abs(one) <= LARGEST for one in values if one is not None):
        return pd.Series(values, index=index, dtype=INTEGER)
    if kinds and kinds <= {int, float} and all(abs(one) < 1e300 for one in values if one is not None):  # noqa: PLR2004
        return pd.Series([None if one is None else float(one) for one in values], index=index, dtype=FLOAT)
    texts = [None if one is None else one if isinstance(one, str) else json.dumps(one) for one in values]
    return pd.Series(texts, index=index, dtype=pd.StringDtype("python"))


def rates(log: pd.DataFrame, every: str = "10s", *, by: str | None = None) -> pd.DataFrame:
    """Count lines by interval: one row an interval, and a value of `by` (such as level or stream), zeros included.

    Columns: `time` (the interval's begin), `by` by its name, `lines`, `per_second`.
    Raises ArgumentError for a log without times, a column that isn't there, or intervals that are too short for it.
    """
    if "time" not in log.columns:
        raise ArgumentError("This log has no times. Read it with lab.container.logs(…, timestamps=True).")
    if by is not None and by not in log.columns:
        raise ArgumentError(f"There is no column {by!r}. Choose one of {', '.join(map(str, log.columns))}.")
    step = _interval(every)
    known = log[log["time"].notna()]
    begins = known["time"].dt.floor(step)
    values = (
        known[by].astype(object).where(known[by].notna(), None) if by else pd.Series(None, known.index, dtype=object)
    )
    whole = int((begins.max() - begins.min()) / step) + 1 if len(known) else 0
    kinds = list(dict.fromkeys(values)) if len(known) else []
    if whole * max(len(kinds), 1) > MOST_ROWS:
        raise ArgumentError(f"These lines are {whole} times {every} apart. Choose longer intervals with every=….")
    counted = Counter(zip(begins, values, strict=True))
    moments = [begins.min() + step * number for number in range(whole)]
    rows = [(moment, kind, counted[moment, kind]) for moment in moments for kind in kinds]
    columns: dict[str, tuple[Any, str]] = {"time": ([row[0] for row in rows], TIME)}
    if by:
        columns[by] = ([None if row[1] is None else str(row[1]) for row in rows], TEXT)
    columns["lines"] = ([row[2] for row in rows], INTEGER)
    columns["per_second"] = ([row[2] / step.total_seconds() for row in rows], FLOAT)
    return typed_table(columns, len(rows))


def _interval(every: str) -> pd.Timedelta:
    try:
        step = pd.Timedelta(every)
    except ValueError:
        step = pd.Timedelta(0)
    if not step > pd.Timedelta(0):
        raise ArgumentError(f"{every!r} is no interval. Write one like 10s, 1min or 1h.")
    return step


def patterns(log: pd.DataFrame) -> pd.DataFrame:
    """Group lines that differ only in numbers, times and ids: one row a pattern, the most common first.

    Columns: `pattern` (with `#` for what varies), `lines`, `first`, `last` (datetime, if the log has times), `example`.
    """
    messages = _messages(log)
    shapes = [VARIES.sub("#", message[:LONGEST]) for message in messages]
    groups: dict[str, list[int]] = {}
    for place, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(place)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    columns: dict[str, tuple[Any, str]] = {
        "pattern": ([shape for shape, _ in ordered], TEXT),
        "lines": ([len(places) for _, places in ordered], INTEGER),
    }
    if "time" in log.columns:
        columns["first"] = ([log["time"].iloc[places].min() for _, places in ordered], TIME)
        columns["last"] = ([log["time"].iloc[places].max() for _, places in ordered], TIME)
    columns["example"] = ([messages[places[0]] for _, places in ordered], TEXT)
    return typed_table(columns, len(ordered))
