"""Every table keeps its columns and dtypes, whatever JSON an engine sends. A wrong value costs only its cell."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import recorded_documents

from dockerlab.errors import DockerlabError, StreamBroken
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.streams import Member
from dockerlab.tables import build, container, events, image, inspection, network, plugin, stats, swarm, system, volume
from dockerlab.tables.build import CHECKED, Column, array_table, object_table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("2026-11-24T03:22:02Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
Make = Callable[[Any], pd.DataFrame]
#: Tables made from a list of objects, with their columns.
LISTS: list[tuple[Make, tuple[Column, ...]]] = [
    *(
        (partial(array_table, columns), columns)
        for columns in (
            container.LIST, container.CHANGES, image.LIST, image.HISTORY, image.SEARCH, image.DELETED,
            image.ATTESTATIONS, network.LIST, plugin.LIST, plugin.PRIVILEGES, swarm.NODES, swarm.SERVICES, swarm.TASKS,
            swarm.SECRETS, swarm.CONFIGS,
        )
    ),
    (image.progress_table, image.PROGRESS), (stats.stats_table, stats.STATS), (events.event_table, events.EVENTS),
    (inspection.container_inspections, inspection.CONTAINERS), (inspection.image_inspections, inspection.IMAGES),
]  # fmt: skip
#: Tables made from one object that has lists: the names of these lists, and the columns.
OBJECTS: list[tuple[Make, list[str], tuple[Column, ...]]] = [
    (volume.volume_list, ["Volumes"], volume.LIST),
    (system.data_usage_table, [name for pair in system.RESPONSE_FIELDS.values() for name in pair], system.DATA_USAGE),
    (container.path_table, ["name", "size", "mode", "mtime", "linkTarget"], container.PATH),
]
#: Fields from which tables compute values, besides those that their columns name.
COMPUTED = [
    "Actor.Attributes", "Actor.Attributes.name", "Actor.ID", "Action", "Type", "time", "timeNano", "status", "from",
    "precpu_stats", "cpu_stats.cpu", "cpu_stats.cpu_usage.percpu_usage", "memory_stats.stats", "networks",
    "memory_stats.stats.inactive_file", "blkio_stats.io_service_bytes_recursive", "Args", "Path", "errorDetail",
    "Size", "RepoTags", "Names", "Containers", "UsageData", "UsageData.RefCount", "State",
]  # fmt: skip


@st.composite
def documents(draw: st.DrawFn, columns: tuple[Column, ...]) -> Any:
    """Return an object with some of the fields that a table reads, each with any JSON in it."""
    document: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from([column.key for column in columns] + COMPUTED), max_size=8)):
        inner = document
        *parents, last = key.split(".")
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                break
        else:
            inner[last] = draw(JSON)
    return document


def check_table(table: pd.DataFrame, columns: tuple[Column, ...], length: int) -> None:
    assert list(table.columns) == [column.name for column in columns]
    assert table.dtypes.to_dict() == array_table(columns, []).dtypes.to_dict()
    assert len(table) == length


@pytest.mark.parametrize(("make", "columns"), LISTS, ids=[f"{number}" for number in range(len(LISTS))])
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_list_of_objects_is_a_table(make: Make, columns: tuple[Column, ...], data: st.DataObject) -> None:
    objects = data.draw(st.lists(documents(columns), max_size=3))
    check_table(make(copy.deepcopy(objects)), columns, len(objects))
    odd = data.draw(st.lists(JSON, max_size=4))
    check_table(make([*odd, *objects]), columns, len(objects) + sum(isinstance(item, dict) for item in odd))


@pytest.mark.parametrize(("make", "names", "columns"), OBJECTS, ids=["volumes", "usage", "path"])
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_object_is_a_table_or_an_error(
    make: Make, names: list[str], columns: tuple[Column, ...], data: st.DataObject
) -> None:
    values = JSON | st.lists(documents(columns), max_size=2)
    document = data.draw(st.dictionaries(st.sampled_from(names), values, max_size=4))
    try:
        table = make(document)
    except StreamBroken as error:
        assert str(error).endswith("that the address belongs to an engine.")
    else:
        check_table(table, columns, len(table))


@given(st.dictionaries(st.sampled_from(["Titles", "Processes"]), JSON | st.lists(st.lists(JSON, max_size=3))) | JSON)
def test_any_process_list_is_a_table_or_an_error(document: Any) -> None:
    try:
        table = container.process_table(document)
    except DockerlabError as error:
        assert str(error).endswith("that the address belongs to an engine.")
    else:
        assert {str(dtype) for dtype in table.dtypes} <= {"string", "Int64", "Float64"}


@pytest.mark.parametrize("make", [make for make, _ in LISTS])
@pytest.mark.parametrize("body", [{"message": "no"}, "no", 5, True])
def test_a_body_that_is_no_list_is_an_error(make: Make, body: object) -> None:
    with pytest.raises(StreamBroken, match=r"not a list, as the API requires.*Check with `dockerlab doctor`"):
        make(body)


@given(st.text(max_size=20), st.integers(100, 599), st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_any_ping_is_a_table(body: str, status: int, headers: dict[str, str]) -> None:
    row = OPERATIONS["SystemPing"]
    exchange = Exchange(row, {}, row.method, row.path, {}, b"", "unix:///s", datetime.now(UTC), status=status)
    exchange.body, exchange.headers = body.encode("utf-8", "surrogatepass"), list(headers.items())
    check_table(system.ping_table(exchange), system.PING, 1)


NUMBER = st.integers(-(1 << 90), 1 << 90)
MEMBER = st.builds(
    Member, st.text(), st.text(), st.text(), st.text(), st.text(), NUMBER, NUMBER, NUMBER,
    st.none() | st.datetimes(timezones=st.just(UTC)), st.text(),
)  # fmt: skip


@given(st.lists(MEMBER, max_size=4))
def test_any_members_are_a_table(members: list[Member]) -> None:
    check_table(container.member_table(members), container.MEMBERS, len(members))


# -- which values a cell accepts


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (build.TEXT, "a", "a"), (build.TEXT, 5, "5"), (build.TEXT, ["a"], None), (build.TEXT, True, None),
        (build.INTEGER, 5, 5), (build.INTEGER, 5.0, 5), (build.INTEGER, 5.5, None), (build.INTEGER, "5", None),
        (build.INTEGER, True, None), (build.INTEGER, 1 << 63, None), (build.INTEGER, float("inf"), None),
        (build.FLOAT, 5, 5.0), (build.FLOAT, float("nan"), None), (build.FLOAT, 10**400, None),
        (build.FLOAT, "5", None), (build.BOOLEAN, True, True), (build.BOOLEAN, 1, None), (build.BOOLEAN, "true", None),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_na(dtype: str, value: object, expected: object) -> None:
    assert CHECKED[dtype](value) == expected
    table = array_table((Column("a", "a", dtype, "a"),), [{"a": value}, {"a": None}])
    assert pd.isna(table.loc[0, "a"]) if expected is None else table.loc[0, "a"] == expected
    assert pd.isna(table.loc[1, "a"])


@pytest.mark.parametrize(
    ("kind", "make", "columns"),
    [
        ("containers", inspection.container_inspections, inspection.CONTAINERS),
        ("images", inspection.image_inspections, inspection.IMAGES),
        ("stats", stats.stats_table, stats.STATS),
        ("events", events.event_table, events.EVENTS),
    ],
)
@given(data=st.data())
def test_one_broken_record_does_not_change_the_others(
    kind: str, make: Make, columns: tuple[Column, ...], data: st.DataObject
) -> None:
    record = data.draw(st.sampled_from(recorded_documents("docker-20.10", kind)))
    both = make([record, data.draw(documents(columns))])
    pd.testing.assert_frame_equal(make([record]), both.head(1))


def test_a_deeply_nested_object_is_one_row() -> None:
    document: Any = {"a": 1}
    for _ in range(5000):
        document = {"a": document}
    table = object_table(document)
    assert len(table) == 1
    assert table.loc[0, "field"] == ".".join(["a"] * build.MAX_DEPTH)


# -- the fast ways equal the slow ones

CELLS: list[tuple[str, list[Any]]] = [
    (build.TEXT, ["a", None, ""]), (build.INTEGER, [1, None, -1]), (build.FLOAT, [0.5, None, 2.0]),
    (build.BOOLEAN, [True, None, False]), (build.TIME, ["2026-11-24T03:22:02.000000001Z", None, 1]),
    (build.OBJECT, ["a", ["b"], ["c"]]), (build.OBJECT, ["a", "b", "c"]),
]  # fmt: skip


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_table_equals_the_one_of_the_constructor(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {f"c{number}": (values[:length], dtype) for number, (dtype, values) in enumerate(CELLS)}
    quick = build.typed_table(columns, length)
    monkeypatch.delattr(pd.DataFrame, "_from_arrays")  # as in a future pandas without it
    slow = build.typed_table(columns, length)
    monkeypatch.undo()
    pd.testing.assert_frame_equal(quick, slow, check_column_type="exact")
    assert list(quick.dtypes) == list(slow.dtypes)
    changed = pd.concat([quick, quick], ignore_index=True).assign(c0="x", more=1)
    pd.testing.assert_frame_equal(changed[["c1"]].head(length), slow[["c1"]])
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(quick)), slow)
    assert quick.to_html() == slow.to_html()


@pytest.mark.parametrize("length", [0, 2, 4])
def test_a_column_of_another_length_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match=f"a column does not have {length} values"):
        build.typed_table({f"c{number}": (values, dtype) for number, (dtype, values) in enumerate(CELLS)}, length)


@given(st.lists(st.none() | st.integers(-(1 << 70), 1 << 70) | st.integers(-(1 << 34), 1 << 34), max_size=4))
def test_seconds_are_the_same_times_alone_and_among_texts(seconds: list[int | None]) -> None:
    text = "2026-11-24T03:22:02Z"
    assert build.datetimes(seconds).equals(build.datetimes([*seconds, text])[:-1])
    assert str(build.datetimes(seconds).dtype) == "datetime64[ns, UTC]"
