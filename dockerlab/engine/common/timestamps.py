"""Times and durations as the API writes them. In the engine a time is a number of nanoseconds since 1970.

The shim imports this module, so it loads little.
"""

from __future__ import annotations

import functools
import math
import re
import time

from dockerlab.engine.faults import Fault

__all__ = [
    "NEVER",
    "SECOND",
    "duration",
    "filter_time",
    "nanoseconds",
    "now",
    "parse_since",
    "query_time",
    "rfc3339",
    "time_ago",
]

NEVER = "0001-01-01T00:00:00Z"
SECOND = 10**9
MINUTE, HOUR, DAY = 60, 3600, 24
MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
DAYS_TO_1970 = 719_162
RFC_3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
#: Possessive inside, because the text may be long and not match. Python before 3.11.5 repeats such groups wrongly.
DURATION = re.compile(r"(?:\d++(?:\.\d++)?(?:h|ms|m|us|µs|ns|s))+", re.ASCII)
DURATION_PART = re.compile(r"([\d.]++)(\D++)", re.ASCII)
#: Go's units of a duration, in nanoseconds.
UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}
LONGEST_DURATION = (1 << 63) - 1
#: Below so many seconds or hours, how many of them are one unit, and the words.
SECONDS_AGO = (
    (1, 1, "Less than a second"),
    (2, 1, "1 second"),
    (MINUTE, 1, "{} seconds"),
    (2 * MINUTE, MINUTE, "About a minute"),
    (HOUR, MINUTE, "{} minutes"),
)
HOURS_AGO = (
    (2, 1, "About an hour"),
    (2 * DAY, 1, "{} hours"),
    (14 * DAY, DAY, "{} days"),
    (60 * DAY, 7 * DAY, "{} weeks"),
    (2 * 365 * DAY, 30 * DAY, "{} months"),
    (math.inf, 365 * DAY, "{} years"),
)


def now() -> str:
    """Return the current time as RFC 3339, to the nanosecond."""
    return rfc3339(time.time_ns())


def rfc3339(moment: int) -> str:
    """Return a time as RFC 3339."""
    seconds, rest = divmod(moment, SECOND)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


@functools.lru_cache(maxsize=4096)  # each list of containers reads the same texts again
def nanoseconds(text: str) -> int:
    """Return the time that a text in RFC 3339 names; 0 for the year of `NEVER`. Raises ValueError.

    A time without a zone is in UTC.
    """
    if not text:
        return 0
    match = RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time: {text!r}")
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not (1 <= month <= 12 and 1 <= day <= MONTHS[month - 1] + (month == 2 and is_leap)):  # noqa: PLR2004
        raise ValueError(f"not a day: {text!r}")
    if hour >= DAY or minute >= MINUTE or second >= MINUTE:
        raise ValueError(f"not a time of day: {text!r}")
    if year <= 1:
        return 0
    # Days since 1970 in the Gregorian calendar. Modules that know this cost the shim milliseconds to import.
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - DAYS_TO_1970 + day - 1
    days += sum(MONTHS[: month - 1]) + (month > 2 and is_leap)  # noqa: PLR2004
    zone = match[8] or "Z"
    offset = 0 if zone in "Zz" else (int(zone[1:3]) * MINUTE + int(zone[4:6])) * MINUTE * (1 if zone[0] == "+" else -1)
    seconds = ((days * DAY + hour) * MINUTE + minute) * MINUTE + second - offset
    return seconds * SECOND + int((match[7] or "0").ljust(9, "0")[:9])


def parse_since(text: str) -> int:
    """Return the time of `since` or `until`: seconds since 1970 with a fraction, or RFC 3339. Raises ValueError."""
    text = text.strip()
    if not text:
        return 0
    if "T" in text:
        return nanoseconds(text)
    whole, _, rest = text.partition(".")
    return int(whole) * SECOND + int(rest.ljust(9, "0")[:9] or 0)


def duration(text: str) -> int | None:
    """Return the nanoseconds in a duration such as `1m30s`, or None if Go can't read it."""
    if not DURATION.fullmatch(text):
        return None
    total = sum(float(number) * UNITS[unit] for number, unit in DURATION_PART.findall(text))
    return int(total) if total <= LONGEST_DURATION else None


def query_time(text: str) -> int:
    """Return the time of the query parameter `since` or `until`.

    Raises Fault with Go's message: Docker sends status 500 for a time that it can't read.
    """
    try:
        return parse_since(text)
    except ValueError:
        raise Fault(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def filter_time(text: str) -> int:
    """Return the time of the filter `until`: a time, or a duration before now (`10m`, `1h30m`). Raises Fault."""
    before_now = duration(text)
    if before_now is not None:
        return time.time_ns() - before_now
    return query_time(text if "T" in text or text.replace(".", "").isdigit() else f"{text}T00:00:00Z")


def time_ago(text: str) -> str:
    """Return how long ago a time was, as Docker writes it: `3 minutes`, `About an hour`."""
    seconds = (time.time_ns() - nanoseconds(text)) // SECOND
    hours = (seconds + HOUR // 2) // HOUR
    for limit, unit, words in SECONDS_AGO if seconds < HOUR else ():
        if seconds < limit:
            return words.format(seconds // unit)
    return next(words.format(hours // unit) for limit, unit, words in HOURS_AGO if hours < limit)
