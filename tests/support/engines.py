"""Practice engines for tests: the one of this test process, temporary ones, one that can be killed, and its network."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from plain_http import engine_pid

__all__ = [
    "KillableEngine",
    "chosen_engine",
    "engine_address",
    "listen_in_namespace",
    "network_namespace",
    "run_engine",
    "temporary_engine",
]

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
CLONE_NEWNET = 0x40000000


# -- the practice engine of this test process ----------------------------------------------------------------


def run_engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m dockerlab.engine` with arguments, as a client does."""
    command = [sys.executable, "-m", "dockerlab.engine", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def engine_address(process: subprocess.CompletedProcess[str]) -> str:
    """Return the address from the last line that `engine ensure` and `engine start` print."""
    lines = process.stdout.strip().splitlines()
    if process.returncode or not lines or not lines[-1].startswith("DOCKER_HOST="):
        output = process.stdout + process.stderr
        pytest.fail(f"the practice engine did not start (code {process.returncode}):\n{output}")
    return lines[-1].removeprefix("DOCKER_HOST=")


def chosen_engine() -> str:
    """Return the address of the engine that DOCKERLAB_ENGINE names. Start the practice engine if it is that one."""
    choice = os.environ["DOCKERLAB_ENGINE"]
    return engine_address(run_engine("ensure")) if choice == "practice" else choice


# -- engines of one test -------------------------------------------------------------------------------------


@contextmanager
def temporary_engine(isolation: str = "") -> Iterator[str]:
    """Give the address of a new practice engine. Its containers and its directory are removed afterwards."""
    base = Path(tempfile.mkdtemp(prefix="dlab-"))  # short, because a socket's path has at most 107 bytes
    location = ["--host", f"unix://{base}/e.sock", "--state", str(base / "state")]
    try:
        _run_without_settings("start", *location, *_isolation_option(isolation))
        yield f"unix://{base}/e.sock"
    finally:
        _run_without_settings("reset", *location)
        shutil.rmtree(base, ignore_errors=True)


class KillableEngine:
    """A practice engine below a directory that can be killed and started again. Each command has so many seconds."""

    def __init__(self, base: Path, isolation: str, seconds: float = SECONDS) -> None:
        self.base, self.isolation, self.seconds = base, isolation, seconds
        self.host, self.state = f"unix://{base}/e.sock", base / "state"

    def start(self) -> float:
        """Start the engine and return the seconds until it answers."""
        begin = time.perf_counter()
        self._run("start", *_isolation_option(self.isolation))
        return time.perf_counter() - begin

    def kill(self) -> None:
        """Kill the engine, but none of its containers."""
        os.kill(engine_pid(self.host), signal.SIGKILL)

    def stop(self) -> None:
        """Stop the engine, and leave its containers and its state."""
        self._run("stop")

    def reset(self) -> None:
        """Stop the engine and remove its containers and its state."""
        self._run("reset")

    def _run(self, verb: str, *options: str) -> None:
        _run_without_settings(verb, "--host", self.host, "--state", str(self.state), *options, seconds=self.seconds)

    # -- traces that it leaves on this machine --------------------------------------------------------------

    def directories(self, kind: str) -> set[str]:
        """Return the names of the directories of containers or volumes."""
        folder = self.state / kind
        return {entry.name for entry in folder.iterdir() if entry.is_dir()} if folder.is_dir() else set()

    def leftovers(self) -> set[str]:
        """Return the entries of the state directory that must not be there after a start."""
        usual = {"containers", "images", "volumes", "networks", "switch.sock", "start.lock"}
        usual |= {
            f"{name}.{suffix}"
            for name in ("engine", "identity", "keeper", "switch")
            for suffix in ("json", "lock", "log")
        }
        return {entry.name for entry in self.state.iterdir()} - usual

    def shims(self) -> set[int]:
        """Return the pids of processes that have a file of a container's directory open."""
        return {
            int(process.name)
            for process in Path("/proc").iterdir()
            if process.name.isdigit() and any(f"{self.state}/containers/" in path for path in _open_paths(process))
        }

    def control_groups(self) -> set[str]:
        """Return the ids of the containers for which the engine has control groups."""
        identity = json.loads((self.state / "identity.json").read_text("utf-8"))["id"]
        folders = [
            *Path("/sys/fs/cgroup").glob(f"*/dockerlab/{identity}"), Path(f"/sys/fs/cgroup/dockerlab/{identity}")
        ]  # fmt: skip
        return {entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir() if entry.is_dir()}

    def unfinished_files(self) -> list[str]:
        """Return the files that a killed engine has begun, and those of no image."""
        names = [*self.leftovers()]
        for _, directories, files in os.walk(self.state):  # something may disappear meanwhile
            directories[:] = [name for name in directories if name != "rootfs"]
            names += [name for name in files if name.startswith(".") and name.endswith(".new")]
        images = self.state / "images"
        names += [path.name for path in images.iterdir() if path.suffix not in (".json", ".config", "")]
        names += [path.name for path in images.glob("*.config") if not path.with_suffix(".json").exists()]
        names += [path.name for path in images.glob("*/*new*")]
        configs = [json.loads(path.read_bytes()) for path in images.glob("*.config")]
        layers = {layer.removeprefix("sha256:") for config in configs for layer in config["rootfs"]["diff_ids"] or []}
        return names + [path.name for path in (images / "layers").iterdir() if path.stem not in layers]

    def helper_processes(self) -> set[int]:
        """Return the children of the engine: its spawner, and those that outlive it, the switch and the keeper."""
        pid = engine_pid(self.host)
        return {
            int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _read(task / "children").split()
        }

    def still_running(self, pids: set[int]) -> set[int]:
        """Return which of these processes still run, except the switch and the keeper."""
        outliving = set()
        for name in ("switch.json", "keeper.json"):
            if (self.state / name).exists():
                outliving.add(json.loads((self.state / name).read_bytes())["pid"])
        end = time.monotonic() + 10
        while (running := {pid for pid in pids - outliving if _is_running(pid)}) and time.monotonic() < end:
            time.sleep(0.02)
        return running

    def _switch(self) -> int:
        try:
            return int(json.loads((self.state / "switch.json").read_bytes())["pid"])
        except OSError:
            return 0

    def network_traces(self, containers: int) -> list[str]:
        """Return the interfaces of no network and no container, and a count of namespaces that is too large."""
        pid = self._switch()
        if not pid:
            return []
        networks = len(list((self.state / "networks").glob("*.json"))) + 1  # the default one has no file
        names = _interfaces(pid)
        bridges = [name for name in names if name.startswith("br-")]
        namespaces = [path for path in _open_paths(Path(f"/proc/{pid}")) if path.startswith("net:")]
        traces = [f"bridges {bridges} for {networks} networks"] if len(bridges) > networks else []
        if len(namespaces) > containers + 1:  # its own is open, too
            traces.append(f"{len(namespaces) - 1} network namespaces for {containers} running containers")
        return traces

    def container_interfaces(self, details: dict[str, Any]) -> list[str] | None:
        """Return the interfaces in a running container but its loopback; None where networks don't work."""
        if not self._switch():
            return None
        return [name for name in _interfaces(details["State"]["Pid"]) if name.startswith("eth")]

    def mounts(self) -> list[str]:
        """Return this machine's mounts below the engine's directory."""
        lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
        return [line for line in lines if f" {self.base}" in line]


def _isolation_option(isolation: str) -> list[str]:
    return ["--isolation", isolation] if isolation else []


def _run_without_settings(*arguments: str, seconds: float = SECONDS) -> None:
    """Run the engine's command line without the settings of this test process. Exit if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "dockerlab.engine", *arguments]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    if process.returncode:
        output = process.stdout + process.stderr
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output}")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:  # the process has just ended
        return ""


def _is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    state = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return bool(state) and state[0] not in "ZX"


def _interfaces(pid: int) -> list[str]:
    """Return the names of the interfaces in a process's network namespace."""
    lines = _read(Path(f"/proc/{pid}/net/dev")).splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines]


def _open_paths(process: Path) -> list[str]:
    try:
        return [str(handle.readlink()) for handle in (process / "fd").iterdir()]
    except OSError:  # the process has just ended
        return []


# -- an engine's network namespace ---------------------------------------------------------------------------


def network_namespace(pid: int) -> str:
    """Return the path of a process's network namespace, or "" if it is ours.

    Raises OSError if this user may not look at that process.
    """
    path = f"/proc/{pid}/ns/net"
    return "" if os.path.samefile(path, "/proc/self/ns/net") else path  # noqa: PTH121 (Path would resolve the link)


def listen_in_namespace(network: str) -> socket.socket:
    """Return a socket that listens on a free port of 127.0.0.1 in a network namespace. It can be used outside."""
    results: list[socket.socket | OSError] = []

    def enter() -> None:
        try:
            if network:
                with open(network, "rb") as file:  # noqa: PTH123 (Path would resolve the link)
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(file.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
            results.append(socket.create_server(("127.0.0.1", 0)))
        except OSError as error:
            results.append(error)

    # Only the thread that calls setns changes its namespace, so a thread of its own leaves the others where they are.
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(10)
    if isinstance(results[0], OSError):
        raise results[0]
    return results[0]
