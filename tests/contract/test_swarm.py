"""A swarm of one node: every operation of swarm, nodes, services, tasks, secrets and configs.

A swarm changes the engine itself, so DOCKERLAB_TEST_SWARM=1 must say that the engine is only for tests. Without it, the
tests check that an engine without a swarm refuses every operation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from containers import field, removed_afterwards, unique_name
from judge import note_verified
from processes import wait_until

from dockerlab.errors import ArgumentError, EngineError, ServerError
from dockerlab.tables import swarm as swarm_tables

ALLOWED = os.environ.get("DOCKERLAB_TEST_SWARM") == "1"
needs_swarm = pytest.mark.skipif(not ALLOWED, reason="makes a swarm: allow it with DOCKERLAB_TEST_SWARM=1")


@pytest.fixture(scope="module")
def manager(host: str) -> Iterator[Any]:
    """Give a Lab on an engine that is the only manager of a swarm during these tests."""
    import dockerlab

    with dockerlab.connect(host) as lab:
        lab.swarm.init("127.0.0.1:0", advertise_addr="127.0.0.1")
        try:
            yield lab
        finally:
            lab.swarm.leave(force=True)
            note_verified(lab.wire)


@pytest.fixture
def swarm(manager: Any, lab: Any) -> Any:
    """Give a Lab on the manager, whose verified operations are noted."""
    assert manager.endpoint == lab.endpoint
    return lab


def columns(table: Any) -> list[str]:
    return list(table.columns)


def names(row: Any) -> list[str]:
    return [column.name for column in row]


def template(labels: dict[str, str], *command: str) -> dict[str, Any]:
    return {"ContainerSpec": {"Image": "busybox", "Command": list(command), "Labels": labels}}


@needs_swarm
def test_the_swarm_itself(swarm: Any) -> None:
    details = swarm.swarm.inspect()
    assert field(details, "JoinTokens.Worker").startswith("SWMTKN")
    assert "SWMTKN" not in swarm.last.raw
    document = swarm.last.json()
    version = document["Version"]["Index"]
    done = swarm.swarm.update(version=version, rotate_worker_token=True, body=document["Spec"])
    assert done["changed"].tolist() == [True]
    assert field(swarm.swarm.inspect(), "JoinTokens.Worker") != document["JoinTokens"]["Worker"]
    assert field(swarm.swarm.unlockkey(), "UnlockKey") == ""
    with pytest.raises(EngineError):
        swarm.swarm.unlock("SWMKEY-1-nothing")
    with pytest.raises(EngineError):
        swarm.swarm.join(["127.0.0.1:1"], "SWMTKN-1-nothing")


@needs_swarm
def test_nodes(swarm: Any) -> None:
    table = swarm.node.list()
    assert columns(table) == names(swarm_tables.NODES)
    assert table[["role", "state", "leader"]].to_numpy().tolist() == [["manager", "ready", True]]
    node = table["id"].iloc[0]
    assert field(swarm.node.inspect(node), "Status.State") == "ready"
    version = swarm.last.json()["Version"]["Index"]
    swarm.node.update(node, version=version, role="manager", availability="active", labels={"dockerlab": "test"})
    assert swarm.node.list()["labels"].tolist() == [{"dockerlab": "test"}]
    with pytest.raises(EngineError):
        swarm.node.delete(node)


@needs_swarm
def test_a_service_and_its_tasks(swarm: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "service")
    with removed_afterwards(lambda: swarm.service.delete(name)):
        command = ("sh", "-c", "echo from a task; echo err >&2; exec sleep 600")
        created = swarm.service.create(
            name,
            task_template=template(labels, *command),
            mode={"Replicated": {"Replicas": 2}},
            labels=labels,
            timeout=60,
        )
        service = field(created, "ID")

        def running() -> int:
            return int((swarm.task.list(filters={"service": [name]})["state"] == "running").sum())

        wait_until(lambda: running() == 2, 60)
        table = swarm.service.list(status=True)
        assert columns(table) == names(swarm_tables.SERVICES)
        row = table[table["id"] == service].iloc[0]
        assert (row["name"], row["mode"], row["replicas"], row["running_tasks"]) == (name, "replicated", 2, 2)
        tasks = swarm.task.list(filters={"service": [name]})
        assert columns(tasks) == names(swarm_tables.TASKS)
        assert sorted(tasks["slot"]) == [1, 2]
        assert tasks["container_id"].notna().all()
        task = tasks["id"].iloc[0]
        assert field(swarm.task.inspect(task), "DesiredState") == "running"
        wait_until(lambda: len(swarm.service.logs(name, stderr=False)) == 2)
        assert set(swarm.service.logs(name, timestamps=True)["message"]) == {"from a task", "err"}
        assert swarm.task.logs(task, stderr=False)["message"].tolist() == ["from a task"]
        with swarm.service.logs(name, follow=True, timeout=20) as lines:
            assert next(lines).message in ("from a task", "err")
        swarm.service.inspect(name, insert_defaults=True)
        document = swarm.last.json()
        spec = document["Spec"] | {"Mode": {"Replicated": {"Replicas": 1}}}
        swarm.service.update(name, version=document["Version"]["Index"], body=spec)
        wait_until(lambda: running() == 1, 60)
        assert swarm.service.delete(name)["changed"].tolist() == [True]


@needs_swarm
def test_secrets(swarm: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "secret")
    with removed_afterwards(lambda: swarm.secret.delete(name)):
        created = swarm.secret.create(name, "nobody may see this", labels=labels)
        assert "nobody may see" not in swarm.last.raw + swarm.last.curl
        table = swarm.secret.list(filters={"name": [name]})
        assert columns(table) == names(swarm_tables.SECRETS)
        assert table[["name", "id"]].to_numpy().tolist() == [[name, field(created, "ID")]]
        version = int(table["version"].iloc[0])
        swarm.secret.update(field(created, "ID"), version=version, name=name, labels={**labels, "more": "x"})
        assert field(swarm.secret.inspect(name), "Spec.Labels.more") == "x"
        swarm.secret.delete(name)
        assert len(swarm.secret.list(filters={"name": [name]})) == 0


@needs_swarm
def test_configs(swarm: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "config")
    with removed_afterwards(lambda: swarm.config.delete(name)):
        created = swarm.config.create(name, "everybody may see this", labels=labels)
        assert (
            f'lab.config.create(name="{name}"' in swarm.last.helper
            or f'lab.config.create("{name}"' in swarm.last.helper
        )
        assert "everybody may see this" in swarm.last.helper
        table = swarm.config.list(filters={"name": [name]})
        assert columns(table) == names(swarm_tables.CONFIGS)
        assert table["data"].tolist() == ["ZXZlcnlib2R5IG1heSBzZWUgdGhpcw=="]
        version = int(table["version"].iloc[0])
        swarm.config.update(
            field(created, "ID"), version=version, name=name, data="everybody may see this", labels=labels
        )
        assert field(swarm.config.inspect(name), "Spec.Name") == name
        swarm.config.delete(name)


@needs_swarm
def test_a_volume_of_a_swarm(swarm: Any) -> None:
    with pytest.raises((EngineError, ArgumentError)):  # API 1.41 does not have this operation
        swarm.volume.update("dockerlab-nobody", version=1, spec={"AccessMode": {"Availability": "active"}})


@pytest.mark.skipif(ALLOWED, reason="this engine is in a swarm")
def test_an_engine_without_a_swarm_refuses(lab: Any) -> None:
    for call in (
        lab.swarm.inspect,
        lab.swarm.unlockkey,
        lab.node.list,
        lab.service.list,
        lab.task.list,
        lab.secret.list,
        lab.config.list,
        lambda: lab.node.inspect("x"),
        lambda: lab.service.logs("x"),
        lambda: lab.secret.create("x", "y"),
    ):
        with pytest.raises(ServerError, match="swarm"):
            call()
