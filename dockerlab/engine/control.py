"""One practice engine a user: where it is, starting it, finding it, stopping it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.common import json_files
from dockerlab.engine.common.proc import is_same_process

__all__ = ["EngineTrouble", "Place", "answers", "ensure", "logs", "place", "reset", "start", "status", "stop"]

LONGEST_PATH = 107
START_SECONDS, STOP_SECONDS = 20, 15


class EngineTrouble(Exception):
    """The engine can't do what was asked of it from outside; the text names the mend."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine has its state and its socket."""

    state: Path
    socket: Path

    @property
    def host(self) -> str:
        """The address as DOCKER_HOST writes it."""
        return f"unix://{self.socket}"

    @property
    def log(self) -> Path:
        """The engine's log."""
        return self.state / "engine.log"


def place(host: str | None = None, state: str | None = None) -> Place:
    """Find the places: as asked for, from DOCKERLAB_STATE and DOCKERLAB_SOCKET, or this user's own."""
    chosen = state or os.environ.get("DOCKERLAB_STATE")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    directory = Path(chosen or Path(base) / "dockerlab").expanduser().absolute()
    named = host.removeprefix("unix://") if host else os.environ.get("DOCKERLAB_SOCKET")
    if host and not host.startswith("unix:///"):
        raise EngineTrouble(f"The practice engine listens on a unix socket: --host unix:///PATH, not {host}.")
    if named:
        path = Path(named).absolute()
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise EngineTrouble(f"A socket's path has at most {LONGEST_PATH} bytes: choose a shorter one than {path}.")
        return Place(directory, path)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(runtime) / "dockerlab/engine.sock" if runtime and not state else directory / "engine.sock"
    if len(os.fsencode(path)) > LONGEST_PATH:
        path = Path(tempfile.gettempdir()) / f"dockerlab-{os.getuid()}" / "engine.sock"
    return Place(directory, path)


def _private(directory: Path) -> None:
    """Make a directory that is ours alone; refuse one that somebody else has made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = directory.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise EngineTrouble(f"{directory} belongs to somebody else: name another with DOCKERLAB_SOCKET.")


def answers(where: Place) -> bool:
    """Does an engine answer on the socket?"""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(where.socket))
            probe.sendall(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return probe.recv(12).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


def status(where: Place) -> dict[str, object] | None:
    """Tell what runs there: pid, rung, since when; None if nothing does."""
    told = json_files.read(where.state / "engine.json")
    if not isinstance(told, dict) or not _alive(told):
        return None
    return told


def _alive(told: dict[str, object]) -> bool:
    """Is it still that process, and not a later one with its number?"""
    return is_same_process(told.get("pid"), told.get("ticks"))


@contextlib.contextmanager
def _alone(where: Place) -> Iterator[None]:
    """Let one process at a time start or stop this engine."""
    where.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (where.state / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(where: Place, rung: str | None = None, idle: float | None = None) -> Place:
    """Find the engine, or start it. Raises EngineTrouble if it does not come up."""
    if answers(where):
        return where
    with _alone(where):
        if not answers(where):
            _launch(where, rung, idle)
    return where


def start(where: Place, rung: str | None = None, idle: float | None = None) -> Place:
    """Start the engine; refuse if it runs with another isolation than the one asked for."""
    told = status(where)
    if told and rung and told.get("isolation") != rung:
        raise EngineTrouble(f"It runs already, with the isolation {told['isolation']}: stop it first, then start it.")
    return ensure(where, rung, idle)


def _launch(where: Place, rung: str | None, idle: float | None) -> None:
    _private(where.socket.parent)
    command = [sys.executable, "-m", "dockerlab.engine", "serve", "--host", where.host, "--state", str(where.state)]
    command += ["--isolation", rung] if rung else []
    command += ["--idle", str(idle)] if idle is not None else []
    with where.log.open("ab") as log:
        mark = log.tell()
        child = subprocess.Popen(  # noqa: S603  (our own module, by this same interpreter)
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=_environment(),
        )
    deadline = time.monotonic() + START_SECONDS
    while not answers(where):
        if child.poll() is not None or time.monotonic() > deadline:
            with where.log.open("rb") as log:
                log.seek(mark)
                last = log.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise EngineTrouble(last or f"The engine did not answer within {START_SECONDS} s: see {where.log}")
        time.sleep(0.02)


def _environment() -> dict[str, str]:
    """The engine imports the same dockerlab as this process, wherever it is started from."""
    root = str(Path(__file__).parents[2])
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{known}" if known else root}


def stop(where: Place) -> bool:
    """Stop the engine, and leave its containers running; False if it didn't run."""
    told = status(where)
    if told is None:
        return False
    pid = int(str(told["pid"]))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(told) and time.monotonic() < deadline:
        time.sleep(0.02)
    if _alive(told):
        os.kill(pid, signal.SIGKILL)
    where.socket.unlink(missing_ok=True)
    return True


def reset(where: Place) -> int:
    """Stop the engine, end its containers, and remove its state; gives how many containers there were."""
    from dockerlab.engine.networks import switch_client  # noqa: PLC0415  (asyncio, for this one verb)
    from dockerlab.engine.processes import cgroups, process, user_namespace  # noqa: PLC0415  (asyncio, for this one verb)
    from dockerlab.engine.storage import rootfs  # noqa: PLC0415  (asyncio, for this one verb)

    with _alone(where):
        stop(where)
        if os.geteuid() != 0:  # files that belong to users of the namespace can be removed only in there
            with contextlib.suppress(OSError):
                user_namespace.enter(where.state)
        containers = where.state / "containers"
        directories = list(containers.iterdir()) if containers.is_dir() else []
        found = [process.adopt(directory) for directory in directories]
        running = [one for one in found if isinstance(one, process.RunningProcess)]
        for one in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        deadline = time.monotonic() + STOP_SECONDS
        while any(is_same_process(one.shim, one.shim_ticks) for one in running) and time.monotonic() < deadline:
            time.sleep(0.01)
        switch_client.end(where.state)
        user_namespace.end(where.state)
        if known := json_files.read(where.state / "identity.json"):
            cgroups.find_hierarchies(known["id"]).remove()
        for name in ("containers", "images", "volumes", "networks"):
            rootfs.remove(where.state / name)
        for name in ("engine.json", "identity.json", "engine.lock", "engine.log"):
            (where.state / name).unlink(missing_ok=True)
    return len(directories)


def logs(where: Place, lines: int = 50) -> str:
    """Give the last lines of the engine's log."""
    try:
        return "\n".join(where.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
