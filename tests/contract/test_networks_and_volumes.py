"""Volumes, networks, events and the engine itself."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pandas as pd
import pytest
from containers import container, field, removed_afterwards, unique_name

from dockerlab.errors import Conflict, EngineError, NotFound
from dockerlab.tables import events as event_tables
from dockerlab.tables import network as network_tables
from dockerlab.tables import plugin as plugin_tables
from dockerlab.tables import system as system_tables
from dockerlab.tables import volume as volume_tables


def names(columns: Any) -> list[str]:
    return [column.name for column in columns]


def test_a_volume(lab: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "volume")
    with removed_afterwards(lambda: lab.volume.delete(name, force=True)):
        details = lab.volume.create(name, labels=labels)
        assert field(details, "Driver") == "local"
        with container(lab, labels, "sh", "-c", "echo x >/data/x", host_config={"Binds": [f"{name}:/data"]}) as box:
            lab.container.wait(box, timeout=20)
            table = lab.volume.list(filters={"label": labels})
            assert list(table.columns) == names(volume_tables.LIST)
            assert table["name"].tolist() == [name]
            assert str(table["created"].dtype) == "datetime64[ns, UTC]"
            assert field(lab.volume.inspect(name), "Mountpoint")
            with pytest.raises(Conflict):
                lab.volume.delete(name)
            lab.container.delete(box)
        assert lab.volume.delete(name)["changed"].tolist() == [True]
        with pytest.raises(NotFound):
            lab.volume.inspect(name)


def test_a_volume_without_a_name_and_prune_by_filter(lab: Any, labels: dict[str, str]) -> None:
    volume = lab.volume.create(labels=labels)
    result = lab.volume.prune(filters={"label": labels} | ({"all": ["true"]} if lab.version != "1.41" else {}))
    assert field(result, "VolumesDeleted.0") == field(volume, "Name")


def test_a_network(lab: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "network")
    with removed_afterwards(lambda: lab.network.delete(name)), container(lab, labels, "sleep", "60") as box:
        network = lab.network.create(name, labels=labels, ipam={"Config": [{"Subnet": "10.213.97.0/24"}]})
        assert field(network, "Id")
        table = lab.network.list(filters={"label": labels})
        assert list(table.columns) == names(network_tables.LIST)
        assert table[["name", "subnets"]].to_numpy().tolist() == [[name, "10.213.97.0/24"]]
        lab.network.connect(name, box, endpoint_config={"Aliases": ["other"]})
        details = lab.container.inspect(box).set_index("field")["value"]
        assert details[f"NetworkSettings.Networks.{name}.IPAddress"].startswith("10.213.97.")
        assert field(lab.network.inspect(name), "Driver") == "bridge"
        with pytest.raises(EngineError):
            lab.network.delete(name)
        lab.network.disconnect(name, box, force=True)
        assert lab.network.delete(name)["status"].tolist() == [204]
        lab.container.kill(box)


def test_prune_of_networks_by_filter(lab: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "network")
    with removed_afterwards(lambda: lab.network.delete(name)):
        lab.network.create(name, labels=labels)
        assert field(lab.network.prune(filters={"label": labels}), "NetworksDeleted.0") == name


def test_events_up_to_now_and_following(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "true") as box:
        lab.container.wait(box, timeout=20)
        time.sleep(1.1)  # the requested end must be in the past
        table = lab.system.events(
            since=datetime.timedelta(minutes=1),
            until=datetime.timedelta(seconds=0.1),
            filters={"label": labels, "type": ["container"]},
        )
        assert list(table.columns) == names(event_tables.EVENTS)
        assert {"create", "start", "die"} <= set(table["action"])
        assert table["time"].max() < pd.Timestamp.now("UTC") + pd.Timedelta(seconds=5)
        with lab.system.events(since=datetime.timedelta(minutes=1), filters={"label": labels}, timeout=20) as events:
            followed = events.table(2)
        assert len(followed) == 2


def test_events_end_at_their_limit(lab: Any, labels: dict[str, str]) -> None:
    begin = time.monotonic()
    assert list(lab.system.events(filters={"label": labels}, limit=0.5)) == []
    assert time.monotonic() - begin < 5


def test_data_usage(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sh", "-c", "head -c 100000 /dev/zero >/x") as box:
        lab.container.wait(box, timeout=20)
        table = lab.system.data_usage()
        assert list(table.columns) == names(system_tables.DATA_USAGE)
        row = table[(table["kind"] == "container") & (table["name"] == box)]
        assert row["size_bytes"].iloc[0] >= 100_000
        assert (table["kind"] == "image").any()


def test_ping_head(lab: Any) -> None:
    table = lab.system.ping_head()
    assert table["status"].tolist() == [200]
    assert table["api_version"].iloc[0]


def test_plugins(lab: Any) -> None:
    table = lab.plugin.list()
    assert list(table.columns) == names(plugin_tables.LIST)
    with pytest.raises(NotFound):
        lab.plugin.inspect("dockerlab/nobody")


def test_what_needs_a_registry_that_is_not_there_is_an_error(lab: Any) -> None:
    for call in (
        lambda: lab.distribution.inspect("127.0.0.1:1/dockerlab/nothing"),
        lambda: lab.image.search("127.0.0.1:1/dockerlab"),
        lambda: lab.system.auth("me", "secret", serveraddress="127.0.0.1:1"),
    ):
        with pytest.raises(EngineError):
            call()
