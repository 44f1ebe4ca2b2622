"""A swarm of two engines: one joins, leaves and is deleted; and a locked manager, which is unlocked after its restart.

DOCKERLAB_TEST_SECOND=unix:///… names the second engine, which must be only for tests. It and the engine under test
(DOCKERLAB_TEST_HOST) must reach each other. DOCKERLAB_TEST_SWARM=1 allows the first one to make a swarm.
DOCKERLAB_TEST_RESTART is a command that restarts the second. `tests/real_engines/docker20.sh` has all of this: two
`up`, one `link`, and `restart`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from containers import field, removed_afterwards
from judge import note_verified
from processes import wait_until

import dockerlab
from dockerlab.errors import BadRequest, DockerlabError, EngineError, ServerError

SECOND, RESTART = os.environ.get("DOCKERLAB_TEST_SECOND"), os.environ.get("DOCKERLAB_TEST_RESTART", "")
ALLOWED = os.environ.get("DOCKERLAB_TEST_SWARM") == "1"
pytestmark = pytest.mark.skipif(not SECOND, reason="needs a second engine: DOCKERLAB_TEST_SECOND=unix:///…")
#: Seconds until a node notices that another one has joined or left.
NOTICE_SECONDS = 60


@pytest.fixture
def second() -> Iterator[Any]:
    """Give a Lab on the second engine, which is in no swarm before and after the test."""
    with dockerlab.connect(SECOND) as lab:
        assert state(lab) == "inactive", "the second engine is already in a swarm"
        with removed_afterwards(lambda: lab.swarm.leave(force=True)):
            yield lab
        note_verified(lab.wire)


def state(lab: Any) -> str:
    """Return an engine's swarm state: inactive, active, locked, …"""
    return str(field(lab.system.info(), "Swarm.LocalNodeState"))


def shows(lab: Any, secret: str) -> bool:
    """Return whether a secret is in the requests that the Lab keeps."""
    return any(secret in "\n".join((item.raw, item.curl, item.requests, item.helper, item.cli)) for item in lab.wire)


def node_state(lab: Any, node: str) -> str:
    """Return the state of a node as a manager sees it, or "" if it knows no such node."""
    table = lab.node.list()
    return "".join(table[table["id"] == node]["state"])


@pytest.fixture
def swarm(lab: Any) -> Iterator[Any]:
    """Give a Lab on the engine under test, the first manager of a swarm."""
    if not ALLOWED:
        pytest.skip("makes a swarm: allow it with DOCKERLAB_TEST_SWARM=1")
    lab.swarm.init("0.0.0.0:2377", timeout=60)
    with removed_afterwards(lambda: lab.swarm.leave(force=True)):
        yield lab


def join(swarm: Any, second: Any, role: str) -> str:
    """Let the second engine join. Return its node's id when the first engine sees it as ready."""
    address = field(swarm.system.info(), "Swarm.RemoteManagers.0.Addr")
    done = second.swarm.join([address], field(swarm.swarm.inspect(), f"JoinTokens.{role}"), timeout=60)
    assert done[["status", "changed"]].to_numpy().tolist() == [[200, True]]
    node = str(field(second.system.info(), "Swarm.NodeID"))
    wait_until(lambda: node_state(swarm, node) == "ready", NOTICE_SECONDS)
    return node


@pytest.mark.timeout(300)
def test_a_worker_joins_leaves_and_is_deleted(swarm: Any, second: Any) -> None:
    address = field(swarm.system.info(), "Swarm.RemoteManagers.0.Addr")
    with pytest.raises(EngineError, match="invalid join token"):
        second.swarm.join([address], "SWMTKN-1-nothing", timeout=60)
    node = join(swarm, second, "Worker")
    table = swarm.node.list().set_index("role")
    assert table["id"]["worker"] == node
    assert table["leader"]["manager"]
    assert table["leader"].isna()["worker"]
    with pytest.raises(BadRequest, match=r"is not down(.|\n)*force=True"):
        swarm.node.delete(node)
    with pytest.raises(ServerError, match=r"already part of a swarm(.|\n)*lab\.system\.info"):
        second.swarm.join([address], "SWMTKN-1-nothing", timeout=60)
    assert second.swarm.leave()["changed"].tolist() == [True]
    wait_until(lambda: node_state(swarm, node) == "down", NOTICE_SECONDS)
    assert swarm.node.delete(node)["object"].tolist() == [node]
    assert node_state(swarm, node) == ""
    token = field(swarm.swarm.inspect(), "JoinTokens.Worker")
    assert not shows(second, token)
    assert not shows(swarm, token)


@pytest.mark.timeout(300)
def test_force_deletes_a_running_node(swarm: Any, second: Any) -> None:
    node = join(swarm, second, "Worker")
    assert swarm.node.delete(node, force=True)["changed"].tolist() == [True]
    assert node_state(swarm, node) == ""


@pytest.mark.timeout(300)
def test_a_second_manager_becomes_a_worker(swarm: Any, second: Any) -> None:
    node = join(swarm, second, "Manager")
    table = swarm.node.list().set_index("id").sort_values("leader")
    assert table["role"].tolist() == ["manager", "manager"]
    assert table["leader"].tolist() == [False, True]
    assert table.index[0] == node
    assert set(second.node.list()["id"]) == set(table.index)
    version = int(swarm.node.list().set_index("id")["version"][node])
    swarm.node.update(node, version=version, role="worker", availability="active")
    wait_until(lambda: not field(second.system.info(), "Swarm.ControlAvailable"), NOTICE_SECONDS)
    wait_until(lambda: swarm.node.list()["role"].tolist().count("worker") == 1, NOTICE_SECONDS)
    with pytest.raises(ServerError, match="not a swarm manager"):
        second.node.list()


@pytest.mark.skipif(not RESTART, reason="needs a command that restarts the second engine: DOCKERLAB_TEST_RESTART")
@pytest.mark.timeout(300)
def test_a_locked_manager_is_unlocked(second: Any) -> None:
    locked = {"EncryptionConfig": {"AutoLockManagers": True}}
    second.swarm.init("127.0.0.1:0", advertise_addr="127.0.0.1", spec=locked, timeout=60)
    key = field(second.swarm.unlockkey(), "UnlockKey")
    assert key.startswith("SWMKEY-1-")
    with pytest.raises(EngineError, match="not locked"):
        second.swarm.unlock(key)
    subprocess.run(shlex.split(RESTART), check=True, timeout=120)

    def is_locked() -> bool:
        with contextlib.suppress(DockerlabError):  # the engine may not be back yet
            return state(second) == "locked"
        return False

    wait_until(is_locked, NOTICE_SECONDS)
    with pytest.raises(ServerError, match="encrypted"):
        second.swarm.inspect()
    with pytest.raises(EngineError, match="invalid key"):
        second.swarm.unlock("SWMKEY-1-" + "A" * 43)
    assert second.swarm.unlock(key, timeout=60)["changed"].tolist() == [True]
    wait_until(lambda: state(second) == "active", NOTICE_SECONDS)
    assert field(second.swarm.unlockkey(), "UnlockKey") == key
    assert not shows(second, key.rpartition("-")[2])
