"""Tables of stats, events and inspections, from recorded responses and from incomplete or unusual ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import ENGINES, recorded_documents

from dockerlab.tables import unfold
from dockerlab.tables.events import EVENTS, event_table
from dockerlab.tables.inspection import CONTAINERS, IMAGES, container_inspections, image_inspections
from dockerlab.tables.stats import STATS, stats_table

DOCKERS = [engine for engine in ENGINES if "docker" in engine]
MAKERS: list[tuple[str, Callable[[Any], pd.DataFrame]]] = [
    ("stats", stats_table), ("events", event_table), ("containers", container_inspections),
    ("images", image_inspections), ("containers", unfold.ports), ("containers", unfold.mounts),
    ("containers", unfold.env), ("containers", unfold.labels), ("containers", unfold.networks),
    ("images", unfold.layers), ("stats", unfold.interfaces),
]  # fmt: skip
NAMES = [f"{kind}-{make.__name__}" for kind, make in MAKERS]


@pytest.mark.parametrize(("kind", "make"), MAKERS, ids=NAMES)
@pytest.mark.parametrize("engine", ENGINES)
def test_dtypes_are_those_of_an_empty_table(engine: str, kind: str, make: Callable[[Any], pd.DataFrame]) -> None:
    table = make(recorded_documents(engine, kind))
    assert len(table) > 0
    assert table.dtypes.to_dict() == make([]).dtypes.to_dict() == make(None).dtypes.to_dict()


@pytest.mark.parametrize("columns", [STATS, EVENTS, CONTAINERS, IMAGES, unfold.PORTS, unfold.MOUNTS, unfold.INTERFACES])
def test_columns_are_documented_and_unique(columns: tuple[Any, ...]) -> None:
    names = [column.name for column in columns]
    assert len(names) == len(set(names))
    assert all(column.doc for column in columns)
    assert all(column.unit for column in columns if column.name.endswith(("_bytes", "_ns", "_percent")))


# -- fields that are missing, null, or of another type


ODD = ["missing", "null", "text", "number", "list", "object", "negative"]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inner for deeper in paths(item, (*path, key)))]


def with_change(document: Any, path: tuple[Any, ...], how: str) -> Any:
    """Return a copy of a document without the field at a path, or with another value there."""
    copied = copy.deepcopy(document)
    inner = copied
    for key in path[:-1]:
        inner = inner[key]
    if how == "missing":
        del inner[path[-1]]
    else:
        inner[path[-1]] = {"null": None, "text": "?", "number": 1 << 70, "list": [], "object": {}, "negative": -1}[how]
    return copied


@pytest.mark.parametrize("engine", ["docker-20.10", "podman-5.4"])
@pytest.mark.parametrize("kind", ["stats", "events"])
@given(data=st.data())
def test_any_field_may_be_missing_or_unusual(engine: str, kind: str, data: st.DataObject) -> None:
    make = {"stats": stats_table, "events": event_table}[kind]
    document = data.draw(st.sampled_from(recorded_documents(engine, kind)))
    for _ in range(3):
        choices = [path for path in paths(document) if path]
        path = data.draw(st.sampled_from(choices))
        document = with_change(document, path, data.draw(st.sampled_from(ODD)))
    assert make([document]).dtypes.to_dict() == make([]).dtypes.to_dict()


@given(data=st.data())
def test_any_field_of_an_inspection_may_be_missing_or_unusual(data: st.DataObject) -> None:
    document = recorded_documents("docker-28.5", "containers")[0]
    for _ in range(3):
        path = data.draw(st.sampled_from([path for path in paths(document) if path]))
        document = with_change(document, path, data.draw(st.sampled_from(ODD)))
    wide = container_inspections([document])
    assert wide.dtypes.to_dict() == container_inspections([]).dtypes.to_dict()
    for name in ("ports", "mounts", "env", "labels", "networks"):
        long = getattr(unfold, name)
        assert long(wide).dtypes.to_dict() == long([]).dtypes.to_dict()


# -- stats


@pytest.mark.parametrize("engine", DOCKERS)
def test_two_samples_give_a_cpu_percentage_and_one_does_not(engine: str) -> None:
    table = stats_table(recorded_documents(engine, "stats"))
    assert table["cpu_percent"].isna().tolist() == [True, True, False, False, True]
    assert table.loc[2, "preread"] < table.loc[2, "read"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_memory_limit_and_the_percentage_of_it(engine: str) -> None:
    table = stats_table(recorded_documents(engine, "stats"), name="?")
    limited = table[table["memory_limit_bytes"] == 64 << 20]
    assert len(limited) == 2
    share = limited["memory_used_bytes"] / limited["memory_limit_bytes"] * 100
    assert (share - limited["memory_percent"]).abs().max() < 1e-9


def test_the_caller_passes_the_name_that_docker_28_leaves_out() -> None:
    document = recorded_documents("docker-28.5", "stats")[0]
    assert "name" not in document
    assert "id" not in document
    table = stats_table([document], id="abc", name="/web")
    assert table.loc[0, ["id", "name"]].tolist() == ["abc", "web"]


def test_a_stopped_container_has_a_row_without_a_time() -> None:
    row = stats_table(recorded_documents("docker-28.5", "stats")).loc[4]
    assert (row["name"], row["read"] is pd.NaT, row["memory_used_bytes"] is pd.NA) == ("shop-admin", True, True)


def test_cpu_and_memory_are_those_of_docker_stats() -> None:
    document = copy.deepcopy(recorded_documents("docker-28.5", "stats")[2])
    before = document["precpu_stats"]
    # Half of one processor is a quarter of two.
    document["cpu_stats"]["system_cpu_usage"] = before["system_cpu_usage"] + 2_000_000_000
    document["cpu_stats"]["cpu_usage"]["total_usage"] = before["cpu_usage"]["total_usage"] + 500_000_000
    document["memory_stats"]["stats"]["total_inactive_file"] = 52256
    row = stats_table([document]).loc[0]
    assert row["cpu_percent"] == 50.0
    assert row["memory_used_bytes"] == document["memory_stats"]["usage"] - 52256
    # In cgroups 2 it is called inactive_file, and there is no total.
    details = document["memory_stats"]["stats"]
    details["inactive_file"] = details.pop("total_inactive_file") - 1
    assert stats_table([document]).loc[0, "memory_cache_bytes"] == 52255


@pytest.mark.parametrize("engine", ENGINES)
def test_half_a_processor_is_50_percent_on_every_engine(engine: str) -> None:
    first, second = stats_table(recorded_documents(engine, "stream"))["cpu_percent"]
    assert second == pytest.approx(50, abs=8)
    assert pd.isna(first) or engine.startswith("podman")


def test_reads_and_writes_are_summed_over_devices() -> None:
    document = copy.deepcopy(recorded_documents("docker-28.5", "stats")[2])
    document["blkio_stats"]["io_service_bytes_recursive"] = [
        {"major": 8, "minor": 0, "op": "Read", "value": 1}, {"major": 8, "minor": 16, "op": "read", "value": 2},
        {"major": 8, "minor": 0, "op": "Write", "value": 4}, {"major": 8, "minor": 0, "op": "Total", "value": 5},
    ]  # fmt: skip
    row = stats_table([document]).loc[0]
    assert (row["block_read_bytes"], row["block_write_bytes"]) == (3, 4)


# -- events


@pytest.mark.parametrize("engine", ENGINES)
def test_the_end_of_a_container_has_a_code_and_a_time(engine: str) -> None:
    table = event_table(recorded_documents(engine, "events"))
    ends = table[(table["action"] == "die") & (table["name"] == "shop-flaky")]
    assert len(ends) >= 2
    assert set(ends["exit_code"]) == {1}
    assert table["time"].notna().all()
    starts = table[table["action"] == "start"]
    assert starts["exit_code"].isna().all()


@pytest.mark.parametrize("engine", [*DOCKERS, "practice"])
def test_text_after_the_colon_of_an_action_is_its_detail(engine: str) -> None:
    table = event_table(recorded_documents(engine, "events")).set_index("action")
    assert table.loc["exec_create", "detail"] == "echo a: b"
    assert table.loc["exec_create", "name"] == "shop-web-1"
    assert pd.isna(table.loc["exec_die", "detail"])


def test_times_keep_their_nanoseconds() -> None:
    document = recorded_documents("docker-28.5", "events")[0]
    assert event_table([document]).loc[0, "time"].value == document["timeNano"]


# -- inspections


@pytest.mark.parametrize("engine", ENGINES)
def test_each_container_is_one_row(engine: str) -> None:
    table = container_inspections(recorded_documents(engine, "containers")).set_index("name")
    web = table.loc["shop-web-1"]
    assert (web["user"], web["memory_limit_bytes"], web["pids_limit"], web["readonly_rootfs"]) == (
        "1000:1000", 64 << 20, 64, True,
    )  # fmt: skip
    assert (web["command"], web["working_dir"], web["state"], web["running"]) == (
        "httpd -f -p 8080",
        "/www",
        "running",
        True,
    )
    assert table.loc["shop-admin", "state"] == "created"
    assert pd.isna(table.loc["shop-admin", "started"])
    assert bool(table.loc["shop-admin", "privileged"])


@pytest.mark.parametrize("engine", ENGINES)
def test_tables_can_be_joined_in_one_line(engine: str) -> None:
    wide = container_inspections(recorded_documents(engine, "containers"))
    joined = unfold.mounts(wide).merge(wide[["id", "user"]], on="id")
    pages = joined[joined["volume"] == "shop-pages"].set_index("name")
    assert pages["writable"].to_dict() == {"shop-web-1": False, "shop-web-2": True}


@pytest.mark.parametrize("engine", ENGINES)
def test_unfolded_ports_variables_labels_networks(engine: str) -> None:
    documents = recorded_documents(engine, "containers")
    ports = unfold.ports(documents)
    assert ports[ports["open"]]["host_port"].tolist() == [18480, 18481]
    assert {"8080", "9090"} >= {str(port) for port in ports["container_port"]}
    variables = unfold.env(documents)
    assert variables[variables["variable"] == "MODE"]["value"].tolist() == ["plain", "fast"]
    labels = unfold.labels(documents)
    names = labels[labels["label"] == "dockerlab.session"]["name"]
    assert set(names) == {"shop-web-1", "shop-web-2", "shop-flaky", "shop-admin"}
    joined = unfold.networks(documents).groupby("name")["network"].first()
    assert joined["shop-web-1"] == "shop-net"
    assert joined["shop-flaky"] in ("bridge", "podman")


def test_the_binding_of_a_port_that_is_not_exposed_is_ignored() -> None:
    """On Docker 20.10 and 28.5, such a container starts and publishes nothing."""
    document = recorded_documents("docker-28.5", "containers")[0]
    document["NetworkSettings"]["Ports"] = {}
    assert unfold.ports([document])["host_port"].tolist() == [18480]
    document["Config"]["ExposedPorts"] = {}
    assert len(unfold.ports([document])) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_images_with_the_same_base_share_their_lowest_layers(engine: str) -> None:
    layers = unfold.layers(recorded_documents(engine, "images"))
    assert layers.groupby("number")["chain_id"].nunique().loc[1] == 1
    assert layers.groupby("id").size().max() == 4
    assert (
        image_inspections(recorded_documents(engine, "images"))["layers"].map(len).tolist()
        == layers.groupby("id", sort=False).size().tolist()
    )
