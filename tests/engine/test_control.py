"""One engine a user: started once by whoever comes first, found by the others, and nothing is lost when it dies."""

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

from dockerlab.engine.processes.isolation import works

WEB = ["sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"]


class Daemon:
    """An engine of its own, under one directory."""

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
        """Kill the engine as hard as can be, and wait for its end."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)

    def make(self, name: str, start: bool = True, **body: Any) -> str:
        """Create a container, and start it."""
        body = {"Image": "busybox", "Cmd": WEB, **body}
        status, made = ask(self.host, "POST", f"/containers/create?name={name}", body)
        assert status == 201, made
        if start:
            assert ask(self.host, "POST", f"/containers/{name}/start")[0] == 204
        return str(made["Id"])

    def inspect(self, name: str) -> Any:
        """Give a container's inspect document."""
        status, told = ask(self.host, "GET", f"/containers/{name}/json")
        assert status == 200, told
        return told

    def until(self, name: str, state: str, seconds: float = 10) -> Any:
        """Wait for a state; give inspect."""
        deadline = time.monotonic() + seconds
        while (told := self.inspect(name))["State"]["Status"] != state and time.monotonic() < deadline:
            time.sleep(0.02)
        assert told["State"]["Status"] == state
        return told


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie doesn't)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give an engine's place; it is reset afterwards."""
    made = Daemon(Path(os.environ["DOCKERLAB_STATE"]).parent / f"d{time.monotonic_ns()}")
    made.base.mkdir()
    yield made
    made.run("reset")


@pytest.fixture
def running(daemon: Daemon) -> Daemon:
    """Give a running engine."""
    ran = daemon.run("ensure")
    assert ran.returncode == 0, ran.stderr
    return daemon


def test_ensure_prints_the_address_last(daemon: Daemon) -> None:
    ran = daemon.run("ensure")
    assert ran.stdout.splitlines()[-1] == f"DOCKER_HOST={daemon.host}"
    assert ask(daemon.host, "GET", "/info")[0] == 200


def test_many_at_once_find_one_engine(daemon: Daemon) -> None:
    with ThreadPoolExecutor(6) as pool:
        ran = list(pool.map(lambda _: daemon.run("ensure"), range(6)))
    assert {one.returncode for one in ran} == {0}
    assert {one.stdout.splitlines()[-1] for one in ran} == {f"DOCKER_HOST={daemon.host}"}
    assert daemon.run("logs").stdout.count("serving on") == 1


def test_it_is_private_and_detached(running: Daemon) -> None:
    assert stat.S_IMODE(running.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(running.state.stat().st_mode) == 0o700
    pid = running.pid
    assert os.getsid(pid) == pid
    assert str(Path(f"/proc/{pid}/fd/0").readlink()) == "/dev/null"
    assert str(Path(f"/proc/{pid}/cwd").readlink()) == "/"


def test_the_verbs_say_what_they_did(daemon: Daemon) -> None:
    assert daemon.run("status").returncode == 1
    assert daemon.run("stop").stdout.strip() == "no engine was running"
    assert daemon.run("start").stdout.splitlines()[-1] == f"DOCKER_HOST={daemon.host}"
    assert daemon.run("start").returncode == 0
    told = json.loads(daemon.run("status").stdout)
    assert told["host"] == daemon.host
    assert "serving on" in daemon.run("logs").stdout
    assert daemon.run("stop").stdout.strip() == "stopped"
    assert not daemon.socket.exists()
    assert daemon.run("status").returncode == 1


def test_a_stale_socket_and_a_stale_pid_are_no_trouble(daemon: Daemon) -> None:
    daemon.state.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(daemon.socket))
    (daemon.state / "engine.json").write_text(json.dumps({"pid": os.getpid(), "isolation": "plain"}))
    assert daemon.run("ensure").returncode == 0
    assert ask(daemon.host, "GET", "/info")[0] == 200
    assert daemon.pid != os.getpid()


def test_an_unknown_isolation_is_refused_with_those_that_there_are(daemon: Daemon) -> None:
    ran = daemon.run("start", "--isolation", "magic")
    assert ran.returncode == 1
    assert "magic" in ran.stderr
    assert "namespaces, userns, proot, plain" in ran.stderr


@pytest.mark.parametrize(("system", "lacks"), [("darwin", []), ("win32", ["fcntl", "pwd", "resource", "termios"])])
def test_elsewhere_than_on_linux_it_says_what_works_there(system: str, lacks: list[str]) -> None:
    program = (
        f"import runpy, sys; sys.platform = {system!r}; sys.modules |= dict.fromkeys({lacks}); "
        "sys.argv = ['engine', 'ensure']; runpy.run_module('dockerlab.engine', run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 1
    assert ran.stderr.strip() == (
        "The practice engine runs on Linux only. On this system use Docker Desktop with DOCKERLAB_ENGINE=docker, "
        "WSL 2 on Windows, or the hosted course (binder)."
    )


def test_only_a_unix_socket_will_do(daemon: Daemon) -> None:
    ran = daemon.run("start", "--host", "tcp://127.0.0.1:2375")
    assert ran.returncode == 1
    assert "unix:///PATH" in ran.stderr


def test_a_long_path_for_the_socket_is_refused(daemon: Daemon) -> None:
    ran = daemon.run("start", "--host", "unix:///" + "x" * 120)
    assert ran.returncode == 1
    assert "107 bytes" in ran.stderr


def test_containers_outlive_a_stop_and_a_kill(running: Daemon) -> None:
    running.make("web")
    pid = running.inspect("web")["State"]["Pid"]
    for end in (lambda: running.run("stop"), running.kill):
        end()
        assert alive(pid)
        assert running.run("ensure").returncode == 0
        told = running.inspect("web")
        assert told["State"]["Pid"] == pid
        assert told["State"]["Running"] is True
    assert ask(running.host, "POST", "/containers/web/stop?t=5")[0] == 204
    assert running.inspect("web")["State"]["ExitCode"] == 7


def test_what_ended_without_an_engine_has_its_true_exit_code(running: Daemon) -> None:
    running.make("web")
    running.make("brief", Cmd=["sh", "-c", "sleep 0.5; exit 9"])
    pid = running.inspect("web")["State"]["Pid"]
    running.kill()
    os.kill(pid, signal.SIGTERM)
    time.sleep(1)
    assert not alive(pid)
    assert running.run("ensure").returncode == 0
    assert running.until("web", "exited")["State"]["ExitCode"] == 7
    assert running.until("brief", "exited")["State"]["ExitCode"] == 9


def test_a_container_without_its_shim_is_over(running: Daemon) -> None:
    identity = running.make("web")
    begun = json.loads((running.state / "containers" / identity / "pid.json").read_text())
    running.kill()
    os.kill(begun["shim"], signal.SIGKILL)
    assert running.run("ensure").returncode == 0
    told = running.until("web", "exited")
    assert told["State"]["ExitCode"] == 137
    assert not alive(begun["pid"])
    running.kill()
    assert running.run("ensure").returncode == 0
    assert running.inspect("web")["State"] == told["State"]  # it doesn't end a second time


def test_restart_policies_go_on_after_a_kill(running: Daemon) -> None:
    policy = {"HostConfig": {"RestartPolicy": {"Name": "always"}}}
    running.make("again", Cmd=["sh", "-c", "sleep 0.3; exit 1"], **policy)
    time.sleep(1)
    running.kill()
    assert running.run("ensure").returncode == 0
    before = running.inspect("again")["RestartCount"]
    deadline = time.monotonic() + 10
    while running.inspect("again")["RestartCount"] <= before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running.inspect("again")["RestartCount"] > before


def test_nothing_that_was_created_is_lost_when_the_engine_is_killed_again_and_again(daemon: Daemon) -> None:
    made: set[str] = set()
    for turn in range(6):
        assert daemon.run("ensure").returncode == 0
        for number in range(4):
            made.add(daemon.make(f"c{turn}-{number}", start=number % 2 == 0))
        daemon.kill()
    assert daemon.run("ensure").returncode == 0
    listed = ask(daemon.host, "GET", "/containers/json?all=1")[1]
    assert {one["Id"] for one in listed} == made
    assert sum(one["State"] == "running" for one in listed) == 12
    assert sum(one["State"] == "created" for one in listed) == 12


def test_a_pause_that_was_half_done_when_the_engine_was_killed_is_undone(running: Daemon) -> None:
    running.make("web")
    pid = running.inspect("web")["State"]["Pid"]
    running.kill()
    halt(pid)
    assert running.run("ensure").returncode == 0
    assert running.inspect("web")["State"]["Status"] == "running"
    assert ask(running.host, "DELETE", "/containers/web?force=1")[0] == 204
    assert not alive(pid)


def halt(pid: int) -> None:
    """Do what an engine does before it writes down that a container is paused."""
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    places = [
        Path(f"/sys/fs/cgroup/{'freezer' if names else ''}{path}")
        for _, names, path in lines
        if names in ("", "freezer")
    ]
    for place in places:
        for name, word in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1")):
            if "dockerlab" in str(place) and os.access(place / name, os.W_OK):
                (place / name).write_text(word)
                return
    os.kill(pid, signal.SIGSTOP)


def test_half_written_files_are_not_read(running: Daemon) -> None:
    running.make("web", start=False)
    running.kill()
    broken = running.state / "containers" / ("f" * 64)
    broken.mkdir()
    (broken / "container.json").write_text('{"Id": "fff')
    assert running.run("ensure").returncode == 0
    assert [one["Names"] for one in ask(running.host, "GET", "/containers/json?all=1")[1]] == [["/web"]]


def test_reset_ends_everything(running: Daemon) -> None:
    running.make("web")
    pid = running.inspect("web")["State"]["Pid"]
    assert running.run("reset").returncode == 0
    assert not alive(pid)
    assert not (running.state / "containers").exists()
    assert running.run("ensure").returncode == 0
    assert ask(running.host, "GET", "/containers/json?all=1")[1] == []


@pytest.mark.skipif(not works("userns"), reason="this machine lets nobody make user namespaces")
def test_nobody_keeps_the_namespace_of_a_state_that_is_gone(daemon: Daemon) -> None:
    assert daemon.run("start", "--isolation", "userns").returncode == 0
    assert daemon.run("stop").returncode == 0
    keeper = json.loads((daemon.state / "keeper.json").read_text())["pid"]
    assert alive(keeper)
    shutil.rmtree(daemon.state)  # by hand, and not by a reset
    deadline = time.monotonic() + 30
    while alive(keeper) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not alive(keeper)


def test_it_ends_by_itself_when_nothing_is_to_do(daemon: Daemon) -> None:
    assert daemon.run("start", "--idle", "0.5").returncode == 0
    pid = daemon.pid
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)
    assert not daemon.socket.exists()


def test_it_stays_while_a_container_runs(daemon: Daemon) -> None:
    assert daemon.run("start", "--idle", "1").returncode == 0
    daemon.make("web")
    pid = daemon.pid
    time.sleep(2)
    assert alive(pid)


def test_it_is_small(running: Daemon) -> None:
    status = Path(f"/proc/{running.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 40 * 1024
