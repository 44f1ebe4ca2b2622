"""The engine's helpers are killed: it starts them again by itself, and containers and networks work as before."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import KillableEngine
from plain_http import ask
from processes import wait_until

from dockerlab.engine.processes.isolation import works

pytestmark = pytest.mark.skipif(
    not works("namespaces") and not works("userns"), reason="there are no networks without namespaces"
)
LOOP = ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"]


@pytest.fixture
def engine(isolation: str) -> Iterator[KillableEngine]:
    """Give a running engine, which is reset afterwards."""
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        own_engine = KillableEngine(Path(base), isolation)
        own_engine.start()
        yield own_engine
        own_engine.reset()


@pytest.fixture
def isolation() -> str:
    """Give the best rung that has networks."""
    return "namespaces" if works("namespaces") else "userns"


def must(engine: KillableEngine, method: str, path: str, body: object = None) -> Any:
    status, response = ask(engine.host, method, path, body)
    assert status < 400, (method, path, status, response)
    return response


def start(engine: KillableEngine, name: str, **host: Any) -> int:
    """Create and start a container, and return the pid of its main process."""
    body = {"Image": "busybox", "Cmd": LOOP, "HostConfig": host}
    must(engine, "POST", f"/containers/create?name={name}", body)
    must(engine, "POST", f"/containers/{name}/start")
    return int(must(engine, "GET", f"/containers/{name}/json")["State"]["Pid"])


def exit_code(engine: KillableEngine, name: str, *command: str) -> int:
    """Run a command in a container, and return its exit code."""
    identity = must(engine, "POST", f"/containers/{name}/exec", {"Cmd": command})["Id"]
    must(engine, "POST", f"/exec/{identity}/start", {"Detach": True})
    wait_until(lambda: not must(engine, "GET", f"/exec/{identity}/json")["Running"])
    return int(must(engine, "GET", f"/exec/{identity}/json")["ExitCode"])


def helper(engine: KillableEngine, name: str) -> int:
    """Return the pid in a helper's file; 0 if there is none."""
    path = engine.state / f"{name}.json"
    return int(json.loads(path.read_bytes())["pid"]) if path.exists() else 0


def kill_switch(engine: KillableEngine) -> int:
    pid = helper(engine, "switch")
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.fixture
def connected(engine: KillableEngine) -> KillableEngine:
    """Give an engine with two containers that know each other."""
    must(engine, "POST", "/networks/create", {"Name": "net"})
    for name in ("one", "two"):
        start(engine, name, NetworkMode="net")
    return engine


def test_a_killed_switch_is_replaced_and_running_containers_are_connected_again(connected: KillableEngine) -> None:
    assert exit_code(connected, "one", "ping", "-c1", "-W2", "two") == 0
    before = must(connected, "GET", "/networks/net")["Containers"]
    old = kill_switch(connected)
    wait_until(lambda: helper(connected, "switch") not in (0, old), what="another switch")
    wait_until(lambda: exit_code(connected, "one", "ping", "-c1", "-W2", "two") == 0, what="the network works")
    assert must(connected, "GET", "/networks/net")["Containers"] == before
    start(connected, "three", NetworkMode="net")
    assert exit_code(connected, "three", "ping", "-c1", "-W2", "one") == 0
    assert connected.network_traces(3) == []


def test_a_switch_that_was_killed_together_with_the_engine_is_replaced_at_the_next_start(
    connected: KillableEngine,
) -> None:
    connected.kill()
    old = kill_switch(connected)
    connected.start()
    assert helper(connected, "switch") not in (0, old)
    assert exit_code(connected, "two", "ping", "-c1", "-W2", "one") == 0
    start(connected, "three", NetworkMode="net")
    assert exit_code(connected, "three", "ping", "-c1", "-W2", "two") == 0


def test_a_killed_spawner_is_replaced_at_the_next_start_of_a_container(engine: KillableEngine) -> None:
    first = start(engine, "one")
    spawners = engine.helper_processes() - {helper(engine, "switch"), helper(engine, "keeper")}
    assert len(spawners) == 1
    for spawner in spawners:
        os.kill(spawner, signal.SIGKILL)
    start(engine, "two")
    assert exit_code(engine, "one", "true") == 0
    assert must(engine, "GET", "/containers/one/json")["State"]["Pid"] == first


@pytest.mark.skipif(not works("userns"), reason="this machine doesn't allow user namespaces")
class TestKeeper:
    """The keeper of a user namespace is killed."""

    @pytest.fixture
    def isolation(self) -> str:
        """Give the only rung that has a keeper."""
        return "userns"

    @pytest.mark.parametrize("engine_is_killed", [False, True], ids=["alone", "with the engine"])
    def test_containers_and_networks_work_as_before(self, connected: KillableEngine, engine_is_killed: bool) -> None:
        pid = must(connected, "GET", "/containers/one/json")["State"]["Pid"]
        old = helper(connected, "keeper")
        os.kill(old, signal.SIGKILL)
        if engine_is_killed:
            connected.kill()
            connected.start()
            assert helper(connected, "keeper") not in (0, old)
        start(connected, "three", NetworkMode="net")
        assert exit_code(connected, "three", "ping", "-c1", "-W2", "one") == 0
        assert must(connected, "GET", "/containers/one/json")["State"]["Pid"] == pid
        must(connected, "POST", "/containers/one/stop")
        assert must(connected, "GET", "/containers/one/json")["State"]["ExitCode"] == 7

    def test_after_a_restart_without_any_process_a_new_namespace_is_made(self, engine: KillableEngine) -> None:
        start(engine, "one")
        must(engine, "POST", "/containers/one/kill")
        os.kill(helper(engine, "keeper"), signal.SIGKILL)
        engine.kill()
        kill_switch(engine)
        engine.start()
        must(engine, "POST", "/containers/one/start")
        assert exit_code(engine, "one", "true") == 0
