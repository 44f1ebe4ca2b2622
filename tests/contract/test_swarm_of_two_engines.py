"""A swarm of two engines: one joins, leaves and is deleted; and a locked manager, which is unlocked after its restart.

DOCKERLAB_TEST_SECOND=unix:///… names the second engine, which must be there for tests alone and be reached by the one
under test (DOCKERLAB_TEST_HOST), as that one by it; DOCKERLAB_TEST_SWARM=1 says that the first may make a swarm.
DOCKERLAB_TEST_RESTART is a command that restarts the second. `tests/engines/docker20.sh` has all of this: two `up`,
one `link`, and `restart`.
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
ASKED = os.environ.get("DOCKERLAB_TEST_SWARM") == "1"
pytestmark = pytest.mark.skipif(not SECOND, reason="needs a second engine: DOCKERLAB_TEST_SECOND=unix:///…")
#: Seconds until nodes know of one another, and of one that has left.
KNOWN = 60


@pytest.fixture
def second() -> Iterator[Any]:
    """Give a Lab on the second engine, which is in no swarm, and in none afterwards."""
    with dockerlab.connect(SECOND) as lab:
        assert state(lab) == "inactive", "the second engine is in a swarm of somebody's"
        with removed_afterwards(lambda: lab.swarm.leave(force=True)):
            yield lab
        note_verified(lab.wire)


def state(lab: Any) -> str:
    """Say what an engine is in a swarm: inactive, active, locked, …"""
    return str(field(lab.system.info(), "Swarm.LocalNodeState"))


def shows(lab: Any, secret: str) -> bool:
    """Tell whether a secret is anywhere in what the Lab keeps of its requests."""
    return any(secret in "\n".join((one.raw, one.curl, one.requests, one.helper, one.cli)) for one in lab.wire)


def seen(lab: Any, node: str) -> str:
    """Say how a manager sees a node; empty if it knows none of that id."""
    table = lab.node.list()
    return "".join(table[table["id"] == node]["state"])


@pytest.fixture
def swarm(lab: Any) -> Iterator[Any]:
    """Give a Lab on the engine under test, the first of a swarm; and the address where others join."""
    if not ASKED:
        pytest.skip("makes a swarm: DOCKERLAB_TEST_SWARM=1 says that it may")
    lab.swarm.init("0.0.0.0:2377", timeout=60)
    with removed_afterwards(lambda: lab.swarm.leave(force=True)):
        yield lab


def joined(swarm: Any, second: Any, role: str) -> str:
    """Let the second engine join; give its node's id once the first sees it."""
    address = field(swarm.system.info(), "Swarm.RemoteManagers.0.Addr")
    done = second.swarm.join([address], field(swarm.swarm.inspect(), f"JoinTokens.{role}"), timeout=60)
    assert done[["status", "changed"]].to_numpy().tolist() == [[200, True]]
    node = str(field(second.system.info(), "Swarm.NodeID"))
    wait_until(lambda: seen(swarm, node) == "ready", KNOWN)
    return node


@pytest.mark.timeout(300)
def test_a_worker_joins_leaves_and_is_deleted(swarm: Any, second: Any) -> None:
    address = field(swarm.system.info(), "Swarm.RemoteManagers.0.Addr")
    with pytest.raises(EngineError, match="invalid join token"):
        second.swarm.join([address], "SWMTKN-1-nothing", timeout=60)
    node = joined(swarm, second, "Worker")
    table = swarm.node.list().set_index("role")
    assert table["id"]["worker"] == node
    assert table["leader"]["manager"]
    assert table["leader"].isna()["worker"]
    with pytest.raises(BadRequest, match=r"is not down(.|\n)*force=True"):
        swarm.node.delete(node)
    with pytest.raises(ServerError, match=r"already part of a swarm(.|\n)*lab\.system\.info"):
        second.swarm.join([address], "SWMTKN-1-nothing", timeout=60)
    assert second.swarm.leave()["changed"].tolist() == [True]
    wait_until(lambda: seen(swarm, node) == "down", KNOWN)
    assert swarm.node.delete(node)["object"].tolist() == [node]
    assert seen(swarm, node) == ""
    token = field(swarm.swarm.inspect(), "JoinTokens.Worker")
    assert not shows(second, token)
    assert not shows(swarm, token)


@pytest.mark.timeout(300)
def test_force_deletes_a_node_that_is_there(swarm: Any, second: Any) -> None:
    node = joined(swarm, second, "Worker")
    assert swarm.node.delete(node, force=True)["changed"].tolist() == [True]
    assert seen(swarm, node) == ""


@pytest.mark.timeout(300)
def test_a_second_manager_becomes_a_worker(swarm: Any, second: Any) -> None:
    node = joined(swarm, second, "Manager")
    table = swarm.node.list().set_index("id").sort_values("leader")
    assert table["role"].tolist() == ["manager", "manager"]
    assert table["leader"].tolist() == [False, True]
    assert table.index[0] == node
    assert set(second.node.list()["id"]) == set(table.index)
    version = int(swarm.node.list().set_index("id")["version"][node])
    swarm.node.update(node, version=version, role="worker", availability="active")
    wait_until(lambda: not field(second.system.info(), "Swarm.ControlAvailable"), KNOWN)
    wait_until(lambda: swarm.node.list()["role"].tolist().count("worker") == 1, KNOWN)
    with pytest.raises(ServerError, match="not a swarm manager"):
        second.node.list()


@pytest.mark.skipif(not RESTART, reason="restarts the second engine: DOCKERLAB_TEST_RESTART is the command that does")
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
        with contextlib.suppress(DockerlabError):  # it may not be there yet
            return state(second) == "locked"
        return False

    wait_until(is_locked, KNOWN)
    with pytest.raises(ServerError, match="encrypted"):
        second.swarm.inspect()
    with pytest.raises(EngineError, match="invalid key"):
        second.swarm.unlock("SWMKEY-1-" + "A" * 43)
    assert second.swarm.unlock(key, timeout=60)["changed"].tolist() == [True]
    wait_until(lambda: state(second) == "active", KNOWN)
    assert field(second.swarm.unlockkey(), "UnlockKey") == key
    assert not shows(second, key.rpartition("-")[2])
