"""Tables of stats, events and inspections: from what real engines said, and from what they might leave out."""

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
NAMES = [f"{what}-{make.__name__}" for what, make in MAKERS]


@pytest.mark.parametrize(("what", "make"), MAKERS, ids=NAMES)
@pytest.mark.parametrize("engine", ENGINES)
def test_dtypes_are_those_of_an_empty_table(engine: str, what: str, make: Callable[[Any], pd.DataFrame]) -> None:
    made = make(recorded_documents(engine, what))
    assert len(made) > 0
    assert made.dtypes.to_dict() == make([]).dtypes.to_dict() == make(None).dtypes.to_dict()


@pytest.mark.parametrize("columns", [STATS, EVENTS, CONTAINERS, IMAGES, unfold.PORTS, unfold.MOUNTS, unfold.INTERFACES])
def test_columns_are_documented_and_unique(columns: tuple[Any, ...]) -> None:
    names = [column.name for column in columns]
    assert len(names) == len(set(names))
    assert all(column.doc for column in columns)
    assert all(column.unit for column in columns if column.name.endswith(("_bytes", "_ns", "_percent")))


# -- what is left out, null, or of another kind


ODD = ["gone", "null", "text", "number", "list", "object", "negative"]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the places of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in paths(one, (*path, key)))]


def changed(document: Any, path: tuple[Any, ...], how: str) -> Any:
    """Give a document without the field at a path, or with something else in it."""
    made = copy.deepcopy(document)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if how == "gone":
        del inner[path[-1]]
    else:
        inner[path[-1]] = {"null": None, "text": "?", "number": 1 << 70, "list": [], "object": {}, "negative": -1}[how]
    return made


@pytest.mark.parametrize("engine", ["docker-20.10", "podman-5.4"])
@pytest.mark.parametrize("what", ["stats", "events"])
@given(data=st.data())
def test_any_field_may_be_missing_or_odd(engine: str, what: str, data: st.DataObject) -> None:
    make = {"stats": stats_table, "events": event_table}[what]
    document = data.draw(st.sampled_from(recorded_documents(engine, what)))
    for _ in range(3):
        places = [path for path in paths(document) if path]
        path = data.draw(st.sampled_from(places))
        document = changed(document, path, data.draw(st.sampled_from(ODD)))
    assert make([document]).dtypes.to_dict() == make([]).dtypes.to_dict()


@given(data=st.data())
def test_any_field_of_an_inspection_may_be_missing_or_odd(data: st.DataObject) -> None:
    document = recorded_documents("docker-28.5", "containers")[0]
    for _ in range(3):
        path = data.draw(st.sampled_from([path for path in paths(document) if path]))
        document = changed(document, path, data.draw(st.sampled_from(ODD)))
    wide = container_inspections([document])
    assert wide.dtypes.to_dict() == container_inspections([]).dtypes.to_dict()
    for name in ("ports", "mounts", "env", "labels", "networks"):
        long = getattr(unfold, name)
        assert long(wide).dtypes.to_dict() == long([]).dtypes.to_dict()


# -- stats


@pytest.mark.parametrize("engine", DOCKERS)
def test_two_samples_give_a_share_of_processors_and_one_does_not(engine: str) -> None:
    made = stats_table(recorded_documents(engine, "stats"))
    assert made["cpu_percent"].isna().tolist() == [True, True, False, False, True]
    assert made.loc[2, "preread"] < made.loc[2, "read"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_limit_and_a_share_of_it(engine: str) -> None:
    made = stats_table(recorded_documents(engine, "stats"), name="?")
    limited = made[made["memory_limit_bytes"] == 64 << 20]
    assert len(limited) == 2
    share = limited["memory_used_bytes"] / limited["memory_limit_bytes"] * 100
    assert (share - limited["memory_percent"]).abs().max() < 1e-9


def test_one_sample_of_docker_28_has_no_name_so_it_is_given() -> None:
    document = recorded_documents("docker-28.5", "stats")[0]
    assert "name" not in document
    assert "id" not in document
    made = stats_table([document], id="abc", name="/web")
    assert made.loc[0, ["id", "name"]].tolist() == ["abc", "web"]


def test_a_container_that_does_not_run_has_a_row_without_a_time() -> None:
    row = stats_table(recorded_documents("docker-28.5", "stats")).loc[4]
    assert (row["name"], row["read"] is pd.NaT, row["memory_used_bytes"] is pd.NA) == ("shop-admin", True, True)


def test_cpu_and_memory_are_what_docker_stats_would_show() -> None:
    document = copy.deepcopy(recorded_documents("docker-28.5", "stats")[2])
    before = document["precpu_stats"]
    # half of one processor: a quarter of what two have
    document["cpu_stats"]["system_cpu_usage"] = before["system_cpu_usage"] + 2_000_000_000
    document["cpu_stats"]["cpu_usage"]["total_usage"] = before["cpu_usage"]["total_usage"] + 500_000_000
    document["memory_stats"]["stats"]["total_inactive_file"] = 52256
    made = stats_table([document]).loc[0]
    assert made["cpu_percent"] == 50.0
    assert made["memory_used_bytes"] == document["memory_stats"]["usage"] - 52256
    # cgroups 2 call it inactive_file, and have no total
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
    made = stats_table([document]).loc[0]
    assert (made["block_read_bytes"], made["block_write_bytes"]) == (3, 4)


# -- events


@pytest.mark.parametrize("engine", ENGINES)
def test_an_end_has_its_code_and_its_moment(engine: str) -> None:
    made = event_table(recorded_documents(engine, "events"))
    ends = made[(made["action"] == "die") & (made["name"] == "shop-flaky")]
    assert len(ends) >= 2
    assert set(ends["exit_code"]) == {1}
    assert made["time"].notna().all()
    starts = made[made["action"] == "start"]
    assert starts["exit_code"].isna().all()


@pytest.mark.parametrize("engine", [*DOCKERS, "practice"])
def test_what_an_action_says_after_a_colon_is_its_detail(engine: str) -> None:
    made = event_table(recorded_documents(engine, "events")).set_index("action")
    assert made.loc["exec_create", "detail"] == "echo a: b"
    assert made.loc["exec_create", "name"] == "shop-web-1"
    assert pd.isna(made.loc["exec_die", "detail"])


def test_moments_keep_their_nanoseconds() -> None:
    document = recorded_documents("docker-28.5", "events")[0]
    assert event_table([document]).loc[0, "time"].value == document["timeNano"]


# -- inspections


@pytest.mark.parametrize("engine", ENGINES)
def test_a_container_is_one_row(engine: str) -> None:
    made = container_inspections(recorded_documents(engine, "containers")).set_index("name")
    web = made.loc["shop-web-1"]
    assert (web["user"], web["memory_limit_bytes"], web["pids_limit"], web["readonly_rootfs"]) == (
        "1000:1000", 64 << 20, 64, True,
    )  # fmt: skip
    assert (web["command"], web["working_dir"], web["state"], web["running"]) == (
        "httpd -f -p 8080",
        "/www",
        "running",
        True,
    )
    assert made.loc["shop-admin", "state"] == "created"
    assert pd.isna(made.loc["shop-admin", "started"])
    assert bool(made.loc["shop-admin", "privileged"])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_join_is_one_line(engine: str) -> None:
    wide = container_inspections(recorded_documents(engine, "containers"))
    joined = unfold.mounts(wide).merge(wide[["id", "user"]], on="id")
    pages = joined[joined["volume"] == "shop-pages"].set_index("name")
    assert pages["writable"].to_dict() == {"shop-web-1": False, "shop-web-2": True}


@pytest.mark.parametrize("engine", ENGINES)
def test_unfolded_ports_variables_labels_networks(engine: str) -> None:
    documents = recorded_documents(engine, "containers")
    opened = unfold.ports(documents)
    assert opened[opened["open"]]["host_port"].tolist() == [18480, 18481]
    assert {"8080", "9090"} >= {str(port) for port in opened["container_port"]}
    variables = unfold.env(documents)
    assert variables[variables["variable"] == "MODE"]["value"].tolist() == ["plain", "fast"]
    told = unfold.labels(documents)
    mine = told[told["label"] == "dockerlab.session"]["name"]
    assert set(mine) == {"shop-web-1", "shop-web-2", "shop-flaky", "shop-admin"}
    joined = unfold.networks(documents).groupby("name")["network"].first()
    assert joined["shop-web-1"] == "shop-net"
    assert joined["shop-flaky"] in ("bridge", "podman")


def test_a_binding_of_a_port_that_is_not_exposed_is_none() -> None:
    """Seen on Docker 20.10 and 28.5: such a container starts, and publishes nothing."""
    document = recorded_documents("docker-28.5", "containers")[0]
    document["NetworkSettings"]["Ports"] = {}
    assert unfold.ports([document])["host_port"].tolist() == [18480]
    document["Config"]["ExposedPorts"] = {}
    assert len(unfold.ports([document])) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_images_of_one_base_share_their_lowest_layers(engine: str) -> None:
    made = unfold.layers(recorded_documents(engine, "images"))
    assert made.groupby("number")["chain_id"].nunique().loc[1] == 1
    assert made.groupby("id").size().max() == 4
    assert (
        image_inspections(recorded_documents(engine, "images"))["layers"].map(len).tolist()
        == made.groupby("id", sort=False).size().tolist()
    )
