"""Times in RFC 3339, from the engine itself and from images that others built."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.engine.common.timestamps import NEVER, duration, nanoseconds


@given(st.datetimes(min_value=datetime(2, 1, 1), timezones=st.just(UTC)))
def test_every_time_is_read_as_python_reads_it(moment: datetime) -> None:
    whole = moment.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (whole.days * 86400 + whole.seconds) * 10**9 + moment.microsecond * 1000
    assert nanoseconds(moment.isoformat()) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        (NEVER, 0),
        ("", 0),
    ],
)
def test_times_with_a_zone(text: str, seconds: int) -> None:
    assert nanoseconds(text) == seconds * 10**9


@pytest.mark.parametrize(
    "text", ["x", "2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01", "2024-01-01T24:00:00Z"]
)
def test_what_is_not_a_time(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        nanoseconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1m30s", 90 * 10**9), ("1.5h", 5400 * 10**9), ("2ms3us4µs5ns", 2_007_005), ("0s", 0), ("2h2h", 4 * 3600 * 10**9)],
)
def test_durations(text: str, expected: int) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", "1x", "1.5.5s", "1s ", "-", "9999999h", "1" * 400 + "s", "1" * 200_000])
def test_what_is_not_a_duration(text: str) -> None:
    assert duration(text) is None
