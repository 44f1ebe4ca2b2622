"""One engine per user: the first client starts it, the others find it, and nothing is lost when it is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from plain_http import ask
from processes import wait_until

from dockerlab.engine.processes.isolation import works

WEB = ["sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"]


class ControlledEngine:
    """An engine of the test's own below one directory, controlled by its command line."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.state = base / "state"
        self.socket = base / "e.sock"
        self.host = f"unix://{self.socket}"

    def run(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run the engine's command line."""
        environment = {**os.environ, "DOCKERLAB_STATE": str(self.state), "DOCKERLAB_SOCKET": str(self.socket)}
        command = [sys.executable, "-m", "dockerlab.engine", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment, **more)

    @property
    def pid(self) -> int:
        """The engine's pid."""
        return int(json.loads(self.run("status").stdout)["pid"])

    def kill(self) -> None:
        """Kill the engine, and wait for its end."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)

    def make(self, name: str, start: bool = True, **body: Any) -> str:
        """Create a container and, unless start is False, start it. Return its id."""
        body = {"Image": "busybox", "Cmd": WEB, **body}
        status, container = ask(self.host, "POST", f"/containers/create?name={name}", body)
        assert status == 201, container
        if start:
            assert ask(self.host, "POST", f"/containers/{name}/start")[0] == 204
        return str(container["Id"])

    def inspect(self, name: str) -> Any:
        """Return the inspect response of a container."""
        status, details = ask(self.host, "GET", f"/containers/{name}/json")
        assert status == 200, details
        return details

    def wait_for(self, name: str, state: str, seconds: float = 10) -> Any:
        """Wait for a state, and return the inspect response."""
        deadline = time.monotonic() + seconds
        while (details := self.inspect(name))["State"]["Status"] != state and time.monotonic() < deadline:
            time.sleep(0.02)
        assert details["State"]["Status"] == state
        return details


def alive(pid: int) -> bool:
    """Return whether a process is running. A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlledEngine]:
    """Give an engine that is not started. It is reset afterwards."""
    own_engine = ControlledEngine(Path(os.environ["DOCKERLAB_STATE"]).parent / f"d{time.monotonic_ns()}")
    own_engine.base.mkdir()
    yield own_engine
    own_engine.run("reset")


@pytest.fixture
def running_engine(engine: ControlledEngine) -> ControlledEngine:
    """Give a running engine."""
    process = engine.run("ensure")
    assert process.returncode == 0, process.stderr
    return engine


def test_ensure_prints_the_address_last(engine: ControlledEngine) -> None:
    process = engine.run("ensure")
    assert process.stdout.splitlines()[-1] == f"DOCKER_HOST={engine.host}"
    assert ask(engine.host, "GET", "/info")[0] == 200


def test_simultaneous_clients_start_one_engine(engine: ControlledEngine) -> None:
    with ThreadPoolExecutor(6) as pool:
        processes = list(pool.map(lambda _: engine.run("ensure"), range(6)))
    assert {process.returncode for process in processes} == {0}
    assert {process.stdout.splitlines()[-1] for process in processes} == {f"DOCKER_HOST={engine.host}"}
    assert engine.run("logs").stdout.count("serving on") == 1


def test_the_engine_is_private_and_detached(running_engine: ControlledEngine) -> None:
    assert stat.S_IMODE(running_engine.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(running_engine.state.stat().st_mode) == 0o700
    pid = running_engine.pid
    assert os.getsid(pid) == pid
    assert str(Path(f"/proc/{pid}/fd/0").readlink()) == "/dev/null"
    assert str(Path(f"/proc/{pid}/cwd").readlink()) == "/"


def test_the_verbs_print_their_result(engine: ControlledEngine) -> None:
    assert engine.run("status").returncode == 1
    assert engine.run("stop").stdout.strip() == "no engine was running"
    assert engine.run("start").stdout.splitlines()[-1] == f"DOCKER_HOST={engine.host}"
    assert engine.run("start").returncode == 0
    status = json.loads(engine.run("status").stdout)
    assert status["host"] == engine.host
    assert "serving on" in engine.run("logs").stdout
    assert engine.run("stop").stdout.strip() == "stopped"
    assert not engine.socket.exists()
    assert engine.run("status").returncode == 1


def test_a_stale_socket_and_a_stale_pid_are_ignored(engine: ControlledEngine) -> None:
    engine.state.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(engine.socket))
    (engine.state / "engine.json").write_text(json.dumps({"pid": os.getpid(), "isolation": "plain"}))
    assert engine.run("ensure").returncode == 0
    assert ask(engine.host, "GET", "/info")[0] == 200
    assert engine.pid != os.getpid()


def test_the_error_for_an_unknown_isolation_lists_the_rungs(engine: ControlledEngine) -> None:
    process = engine.run("start", "--isolation", "magic")
    assert process.returncode == 1
    assert "magic" in process.stderr
    assert "namespaces, userns, proot, plain" in process.stderr


@pytest.mark.parametrize(("system", "missing"), [("darwin", []), ("win32", ["fcntl", "pwd", "resource", "termios"])])
def test_on_other_systems_the_error_names_the_alternatives(system: str, missing: list[str]) -> None:
    program = (
        f"import runpy, sys; sys.platform = {system!r}; sys.modules |= dict.fromkeys({missing}); "
        "sys.argv = ['engine', 'ensure']; runpy.run_module('dockerlab.engine', run_name='__main__')"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert process.returncode == 1
    assert process.stderr.strip() == (
        "The practice engine runs on Linux only. On this system use Docker Desktop with DOCKERLAB_ENGINE=docker, "
        "WSL 2 on Windows, or the hosted course (binder)."
    )


def test_only_a_unix_socket_is_accepted(engine: ControlledEngine) -> None:
    process = engine.run("start", "--host", "tcp://127.0.0.1:2375")
    assert process.returncode == 1
    assert "unix:///PATH" in process.stderr


def test_a_socket_path_that_is_too_long_is_refused(engine: ControlledEngine) -> None:
    process = engine.run("start", "--host", "unix:///" + "x" * 120)
    assert process.returncode == 1
    assert "107 bytes" in process.stderr


def test_containers_keep_running_when_the_engine_is_stopped_or_killed(running_engine: ControlledEngine) -> None:
    running_engine.make("web")
    pid = running_engine.inspect("web")["State"]["Pid"]
    for stop in (lambda: running_engine.run("stop"), running_engine.kill):
        stop()
        assert alive(pid)
        assert running_engine.run("ensure").returncode == 0
        details = running_engine.inspect("web")
        assert details["State"]["Pid"] == pid
        assert details["State"]["Running"] is True
    assert ask(running_engine.host, "POST", "/containers/web/stop?t=5")[0] == 204
    assert running_engine.inspect("web")["State"]["ExitCode"] == 7


def test_containers_that_ended_without_an_engine_have_their_exit_codes(running_engine: ControlledEngine) -> None:
    running_engine.make("web")
    running_engine.make("brief", Cmd=["sh", "-c", "sleep 0.5; exit 9"])
    pids = [running_engine.inspect(name)["State"]["Pid"] for name in ("web", "brief")]
    running_engine.kill()
    os.kill(pids[0], signal.SIGTERM)
    wait_until(lambda: not any(alive(pid) for pid in pids), what="both containers have ended")
    assert running_engine.run("ensure").returncode == 0
    assert running_engine.wait_for("web", "exited")["State"]["ExitCode"] == 7
    assert running_engine.wait_for("brief", "exited")["State"]["ExitCode"] == 9


def test_a_container_whose_shim_was_killed_has_ended(running_engine: ControlledEngine) -> None:
    identity = running_engine.make("web")
    pids = json.loads((running_engine.state / "containers" / identity / "pid.json").read_text())
    running_engine.kill()
    os.kill(pids["shim"], signal.SIGKILL)
    assert running_engine.run("ensure").returncode == 0
    details = running_engine.wait_for("web", "exited")
    assert details["State"]["ExitCode"] == 137
    assert not alive(pids["pid"])
    running_engine.kill()
    assert running_engine.run("ensure").returncode == 0
    assert running_engine.inspect("web")["State"] == details["State"]  # it ends only once


def test_restart_policies_continue_after_a_kill(running_engine: ControlledEngine) -> None:
    policy = {"HostConfig": {"RestartPolicy": {"Name": "always"}}}
    running_engine.make("again", Cmd=["sh", "-c", "sleep 0.3; exit 1"], **policy)
    wait_until(lambda: running_engine.inspect("again")["RestartCount"], what="it was started again")
    running_engine.kill()
    assert running_engine.run("ensure").returncode == 0
    before = running_engine.inspect("again")["RestartCount"]
    wait_until(lambda: running_engine.inspect("again")["RestartCount"] > before, what="it is started again")


def test_no_container_is_lost_when_the_engine_is_killed_repeatedly(engine: ControlledEngine) -> None:
    ids: set[str] = set()
    for turn in range(6):
        assert engine.run("ensure").returncode == 0
        for number in range(4):
            ids.add(engine.make(f"c{turn}-{number}", start=number % 2 == 0))
        engine.kill()
    assert engine.run("ensure").returncode == 0
    containers = ask(engine.host, "GET", "/containers/json?all=1")[1]
    assert {container["Id"] for container in containers} == ids
    assert sum(container["State"] == "running" for container in containers) == 12
    assert sum(container["State"] == "created" for container in containers) == 12


def test_an_incomplete_pause_is_undone_after_a_kill(running_engine: ControlledEngine) -> None:
    running_engine.make("web")
    pid = running_engine.inspect("web")["State"]["Pid"]
    running_engine.kill()
    freeze(pid)
    assert running_engine.run("ensure").returncode == 0
    assert running_engine.inspect("web")["State"]["Status"] == "running"
    assert ask(running_engine.host, "DELETE", "/containers/web?force=1")[0] == 204
    assert not alive(pid)


def freeze(pid: int) -> None:
    """Freeze a container as the engine does, just before it stores that the container is paused."""
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    folders = [
        Path(f"/sys/fs/cgroup/{'freezer' if names else ''}{path}")
        for _, names, path in lines
        if names in ("", "freezer")
    ]
    for folder in folders:
        for name, word in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1")):
            if "dockerlab" in str(folder) and os.access(folder / name, os.W_OK):
                (folder / name).write_text(word)
                return
    os.kill(pid, signal.SIGSTOP)


def test_incomplete_files_are_ignored(running_engine: ControlledEngine) -> None:
    running_engine.make("web", start=False)
    running_engine.kill()
    broken = running_engine.state / "containers" / ("f" * 64)
    broken.mkdir()
    (broken / "container.json").write_text('{"Id": "fff')
    assert running_engine.run("ensure").returncode == 0
    assert [container["Names"] for container in ask(running_engine.host, "GET", "/containers/json?all=1")[1]] == [
        ["/web"]
    ]


def test_reset_removes_everything(running_engine: ControlledEngine) -> None:
    running_engine.make("web")
    pid = running_engine.inspect("web")["State"]["Pid"]
    assert running_engine.run("reset").returncode == 0
    assert not alive(pid)
    assert not (running_engine.state / "containers").exists()
    assert running_engine.run("ensure").returncode == 0
    assert ask(running_engine.host, "GET", "/containers/json?all=1")[1] == []


@pytest.mark.skipif(not works("userns"), reason="this machine doesn't allow user namespaces")
def test_the_namespace_ends_when_its_state_directory_is_deleted(engine: ControlledEngine) -> None:
    assert engine.run("start", "--isolation", "userns").returncode == 0
    assert engine.run("stop").returncode == 0
    keeper = json.loads((engine.state / "keeper.json").read_text())["pid"]
    assert alive(keeper)
    shutil.rmtree(engine.state)  # as a user might do, without a reset
    wait_until(lambda: not alive(keeper), 30, "its keeper has ended")


def test_an_idle_engine_ends_by_itself(engine: ControlledEngine) -> None:
    assert engine.run("start", "--idle", "0.5").returncode == 0
    pid = engine.pid
    wait_until(lambda: not alive(pid), what="it has ended")
    assert not engine.socket.exists()


def test_an_engine_with_a_running_container_does_not_end(engine: ControlledEngine) -> None:
    assert engine.run("start", "--idle", "1").returncode == 0
    engine.make("web")
    pid = engine.pid
    time.sleep(2)
    assert alive(pid)


def test_the_engine_needs_little_memory(running_engine: ControlledEngine) -> None:
    status = Path(f"/proc/{running_engine.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 40 * 1024
