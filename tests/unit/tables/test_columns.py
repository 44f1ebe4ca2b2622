"""Tables keep their columns and dtypes, even if an engine leaves fields out or sends null."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.tables.build import array_table, datetimes, object_table
from dockerlab.tables.container import LIST, process_table
from dockerlab.tables.log import log_table

LIST_DTYPES = {column.name: array_table(LIST, [])[column.name].dtype for column in LIST}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)
RECORD: dict[str, Any] = {
    "Id": "ab" * 32,
    "Names": ["/other/alias", "/web"],
    "Image": "busybox",
    "Created": 1_700_000_000,
    "Ports": [
        {"PrivatePort": 443, "Type": "tcp"},
        {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
    ],
    "Labels": {"a": "b"},
    "State": "running",
    "NetworkSettings": {"Networks": {"b": {}, "a": {}}},
    "Mounts": [{"Name": "data"}, {"Source": "/srv"}],
}
FIELDS = ["Names", "Ports", "Labels", "NetworkSettings", "Mounts", "SizeRw", "HostConfig", "Command"]


def test_each_record_of_a_list_is_a_row() -> None:
    row = array_table(LIST, [RECORD]).loc[0]
    assert (row["name"], row["image"], row["state"]) == ("web", "busybox", "running")
    assert row["ports"] == "127.0.0.1:8080->80/tcp, [::]:8080->80/tcp, 443/tcp"
    assert (row["networks"], row["mounts"], row["labels"]) == ("a, b", "data, /srv", {"a": "b"})
    assert row["created"] == pd.Timestamp("2023-11-14T22:13:20Z")
    assert row["size_rw_bytes"] is pd.NA


@given(st.lists(st.sets(st.sampled_from(FIELDS)), max_size=4), st.booleans())
def test_missing_and_null_fields_change_no_column_and_no_dtype(missing: list[set[str]], null: bool) -> None:
    records = []
    for names in missing:
        record = {key: value for key, value in RECORD.items() if key not in names}
        records.append(record | (dict.fromkeys(names) if null else {}))
    table = array_table(LIST, records)
    assert {name: table[name].dtype for name in table.columns} == LIST_DTYPES
    assert len(table) == len(records)


def test_an_empty_list_and_null_give_an_empty_table_with_the_same_dtypes() -> None:
    for records in ([], None):
        table = array_table(LIST, records)
        assert len(table) == 0
        assert {name: str(table[name].dtype) for name in ("name", "created", "size_rw_bytes", "labels")} == {
            "name": "string",
            "created": "datetime64[ns, UTC]",
            "size_rw_bytes": "Int64",
            "labels": "object",
        }


def test_unknown_fields_are_ignored() -> None:
    assert list(array_table(LIST, [RECORD | {"Novelty": {"a": 1}}]).columns) == [column.name for column in LIST]


@given(JSON)
def test_an_object_has_one_row_per_leaf(document: Any) -> None:
    table = object_table(document)
    assert list(table.columns) == ["field", "value"]
    assert len(table) == leaves(document)


def leaves(document: Any) -> int:
    if isinstance(document, (dict, list)) and document:
        return sum(leaves(item) for item in (document.values() if isinstance(document, dict) else document))
    return 1


def test_an_object_keeps_its_values_and_its_order() -> None:
    table = object_table({"B": [{"c": None}, 2], "A": {}, "D": []})
    assert list(zip(table["field"], table["value"], strict=True)) == [("B.0.c", None), ("B.1", 2), ("A", {}), ("D", [])]


# -- times


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-24T03:22:02.123456789Z", "2026-11-24T03:22:02.123456789Z"),
        ("2026-11-24T05:22:02+02:00", "2026-11-24T03:22:02Z"),
        ("2026-11-24T03:22:02.1Z", "2026-11-24T03:22:02.1Z"),
        (1_700_000_000, "2023-11-14T22:13:20Z"),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        (0, None),
        (10**30, None),
        ("soon", None),
        ("", None),
        (None, None),
        (True, None),
    ],
)
def test_times(value: object, expected: str | None) -> None:
    (time,) = datetimes([value])
    assert pd.isna(time) if expected is None else time == pd.Timestamp(expected)


@given(st.lists(st.text(max_size=30) | st.integers() | st.floats() | st.none(), max_size=10))
def test_any_value_is_a_time_or_missing(values: list[Any]) -> None:
    assert str(datetimes(values).dtype) == "datetime64[ns, UTC]"
    assert len(datetimes(values)) == len(values)


# -- ps


def test_a_process_table_has_a_column_for_each_title_of_ps() -> None:
    processes = [["root", "7", "0.5", "1000", "-", "sleep 1"], ["me", "8", "0.0"]]
    table = process_table({"Titles": ["USER", "PID", "%CPU", "RSS", "NI", "COMMAND"], "Processes": processes})
    assert [str(dtype) for dtype in table.dtypes] == ["string", "Int64", "Float64", "Int64", "Int64", "string"]
    assert list(table.columns) == ["user", "pid", "cpu_percent", "rss_kib", "ni", "command"]
    assert table.loc[0].tolist() == ["root", 7, 0.5, 1000, pd.NA, "sleep 1"]
    assert table.loc[1, "command"] is pd.NA


def test_repeated_and_empty_titles_are_columns_too() -> None:
    table = process_table({"Titles": ["PID", "PID", "", "%"], "Processes": [["1", "2", "3", "4"]]})
    assert list(table.columns) == ["pid", "pid_again", "column", "column_again"]
    assert len(process_table({"Titles": ["PID"], "Processes": None})) == 0
    assert len(process_table({})) == 0


# -- logs


@given(st.lists(st.binary(max_size=20).filter(lambda data: b"\n" not in data), max_size=10))
def test_a_log_has_one_row_per_line_whatever_its_bytes(texts: list[bytes]) -> None:
    table = log_table([("", "stdout", text) for text in texts], timestamps=False)
    assert table["message"].tolist() == [text.decode("utf-8", "backslashreplace") for text in texts]
    raw = log_table([("", "stdout", text) for text in texts], timestamps=False, text=False)
    assert raw["message"].tolist() == texts


def test_a_log_with_timestamps_has_a_time_column() -> None:
    table = log_table([("2026-11-24T03:22:02.123456789Z", "stderr", b"x"), ("broken", "stdout", b"y")], timestamps=True)
    assert list(table.columns) == ["time", "stream", "message"]
    assert table.loc[0, "time"] == pd.Timestamp("2026-11-24T03:22:02.123456789Z")
    assert pd.isna(table.loc[1, "time"])
    assert str(log_table([], timestamps=True)["time"].dtype) == "datetime64[ns, UTC]"


def test_array_table_counts_rows_even_without_columns() -> None:
    assert len(array_table((), [{}, {}])) == 2
