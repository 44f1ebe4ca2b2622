"""The lines of a log as data: levels, fields, rates, and groups of similar lines.

Every function takes the table of `lab.container.logs(…, timestamps=True)`. Lines are untrusted: a program can write
anything, and no line makes a function fail.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pandas as pd

from dockerlab.errors import ArgumentError
from dockerlab.tables.build import BOOLEAN, FLOAT, INTEGER, MAX_INTEGER, TEXT, TIME, typed_table

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
#: Programs with numeric levels count in tens, from 10 for trace to 60 for fatal.
LEVELS_BY_TENS = dict(enumerate(LEVELS, 1))
#: How many characters of a line are searched for a level, and for fields.
HEAD_LENGTH, MAX_LENGTH = 100, 65536
UPPERCASE_LEVEL = re.compile(rf"\b({'|'.join(word.upper() for word in WORDS)})\b")
MARKED_LEVEL = re.compile(rf"(?:[\[(<]({'|'.join(WORDS)})[\])>]|\b({'|'.join(WORDS)}):)", re.IGNORECASE)
PAIR = re.compile(r'(?:^|\s)([A-Za-z_@][\w.@-]{0,99})=("(?:[^"\\]|\\.)*"|[^\s"]*)')
VARIABLE_PART = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*|\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b|\d+(?:\.\d+)*"
)
MAX_ROWS, MAX_COLUMNS = 1_000_000, 40


def level(message: str) -> str | None:
    """Return the level of a line, one of LEVELS, or None.

    >>> level('{"level": "warn", "msg": "low on tea"}'), level("level=error msg=refused"), level("[WARN] low on tea")
    ('warning', 'error', 'warning')
    >>> level("GET /errors HTTP/1.1") is None
    True
    """
    values = _fields(message)
    for key in KEYS:
        if key in values and (name := _level(values[key])):
            return name
    head = message[:HEAD_LENGTH]
    if match := UPPERCASE_LEVEL.search(head):
        return WORDS[match[1].lower()]
    if match := MARKED_LEVEL.search(head):
        return WORDS[(match[1] or match[2]).lower()]
    return None


def _level(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return LEVELS_BY_TENS.get(value // 10) if value % 10 == 0 else None
    return WORDS.get(str(value).strip().lower())


def levels(log: pd.DataFrame) -> pd.DataFrame:
    """Return the log with an additional column `level`: one of LEVELS, or <NA> for a line without a level."""
    table = log.copy()
    names = [level(message) for message in _messages(log)]
    table["level"] = pd.Series(names, index=log.index, dtype=pd.StringDtype("python"))
    return table


def fields(log: pd.DataFrame, *, most: int = MAX_COLUMNS) -> pd.DataFrame:
    """Return the log with one more column per field of its lines in JSON or logfmt (`name=value name="two words"`).

    Each column has the field's name; if the log already has such a column, `_field` is appended. Nested JSON stays
    text. A column of numbers or booleans has their dtype if all values have the same type. Only the `most` common
    fields become columns, so that a program can't fill the memory with them.
    """
    lines = [_fields(message) for message in _messages(log)]
    common = {name for name, _ in Counter(name for line in lines for name in line).most_common(max(most, 0))}
    order = [name for name in dict.fromkeys(name for line in lines for name in line) if name in common]
    table = log.copy()
    for name in order:
        title = name
        while title in table.columns:
            title += "_field"
        table[title] = _typed([line.get(name) for line in lines], log.index)
    return table


def _messages(log: pd.DataFrame) -> list[str]:
    """Return the lines as text, even if the log was read as bytes."""
    if "message" not in log.columns:
        raise ArgumentError(
            "This table has no column `message`, so it is not a log. Pass a table of lab.container.logs."
        )
    return [
        value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else "" if pd.isna(value) else str(value)
        for value in log["message"]
    ]


def _fields(message: str) -> dict[str, Any]:
    """Return the fields of a line in JSON or logfmt; other lines have none."""
    text = message[:MAX_LENGTH].strip()
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return {str(name): value for name, value in document.items()} if isinstance(document, dict) else {}
    pairs = PAIR.findall(text)
    starts_with_pair = PAIR.match(text) is not None
    if not starts_with_pair or len(pairs) < 2:  # noqa: PLR2004  (any sentence may contain one pair)
        return {}
    return {name: _scalar(value) for name, value in pairs}


def _scalar(value: str) -> Any:
    """Return a value of logfmt: a number, a boolean, or a text with or without quotes."""
    if value.startswith('"'):
        return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), value[1:-1])
    if re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    if re.fullmatch(r"-?\d{1,18}\.\d{1,18}", value):
        return float(value)
    return {"true": True, "false": False}.get(value, value)


def _typed(values: list[Any], index: pd.Index) -> pd.Series[Any]:
    """Return a column with the dtype that fits all values: boolean, integer, float, or text."""
    present = [value for value in values if value is not None]
    types = {type(value) for value in present}
    if types == {bool}:
        return pd.Series(values, index=index, dtype=BOOLEAN)
    if types == {int} and all(abs(value) <= MAX_INTEGER for value in present):
        return pd.Series(values, index=index, dtype=INTEGER)
    if types and types <= {int, float} and all(abs(value) < 1e300 for value in present):  # noqa: PLR2004
        return pd.Series([None if value is None else float(value) for value in values], index=index, dtype=FLOAT)
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pd.Series(texts, index=index, dtype=pd.StringDtype("python"))


def rates(log: pd.DataFrame, every: str = "10s", *, by: str | None = None) -> pd.DataFrame:
    """Return the number of lines per interval: one row per interval and value of `by` (such as level or stream).

    Intervals without lines are included. Columns: `time` (the start of the interval), the column `by`, `lines`,
    `per_second`. Raises ArgumentError for a log without times, an unknown column, or intervals that are too short.
    """
    if "time" not in log.columns:
        raise ArgumentError("This log has no times. Read it again with lab.container.logs(…, timestamps=True).")
    if by is not None and by not in log.columns:
        raise ArgumentError(f"There is no column {by!r}. Choose one of {', '.join(map(str, log.columns))}.")
    step = _interval(every)
    timed = log[log["time"].notna()]
    starts = timed["time"].dt.floor(step)
    values = (
        timed[by].astype(object).where(timed[by].notna(), None) if by else pd.Series(None, timed.index, dtype=object)
    )
    intervals = int((starts.max() - starts.min()) / step) + 1 if len(timed) else 0
    distinct = list(dict.fromkeys(values)) if len(timed) else []
    if intervals * max(len(distinct), 1) > MAX_ROWS:
        raise ArgumentError(
            f"These are {intervals} intervals, which are too many. Choose longer intervals with every=…."
        )
    counts = Counter(zip(starts, values, strict=True))
    times = [starts.min() + step * number for number in range(intervals)]
    rows = [(time, value, counts[time, value]) for time in times for value in distinct]
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
        raise ArgumentError(f"{every!r} is not an interval. Use for example 10s, 1min or 1h.")
    return step


def patterns(log: pd.DataFrame) -> pd.DataFrame:
    """Group lines that differ only in numbers, times and ids: one row per pattern, the most common first.

    Columns: `pattern` (with `#` for the variable parts), `lines`, `first`, `last` (datetime, if the log has times),
    `example`.
    """
    messages = _messages(log)
    shapes = [VARIABLE_PART.sub("#", message[:MAX_LENGTH]) for message in messages]
    groups: dict[str, list[int]] = {}
    for index, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(index)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    columns: dict[str, tuple[Any, str]] = {
        "pattern": ([shape for shape, _ in ordered], TEXT),
        "lines": ([len(indexes) for _, indexes in ordered], INTEGER),
    }
    if "time" in log.columns:
        columns["first"] = ([log["time"].iloc[indexes].min() for _, indexes in ordered], TIME)
        columns["last"] = ([log["time"].iloc[indexes].max() for _, indexes in ordered], TIME)
    columns["example"] = ([messages[indexes[0]] for _, indexes in ordered], TEXT)
    return typed_table(columns, len(ordered))
