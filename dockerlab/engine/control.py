"""Starts, finds, stops and describes the practice engine from outside. There is one engine per user."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.engine_paths import ControlError, EnginePaths, find_paths, prepare_directories
from dockerlab.engine.common.proc import is_same_process

__all__ = [
    "ControlError",
    "EnginePaths",
    "ensure",
    "find_paths",
    "is_answering",
    "logs",
    "prepare_directories",
    "report",
    "reset",
    "start",
    "status",
    "stop",
]

START_SECONDS, STOP_SECONDS = 20, 15
GROUP_AND_OTHERS, OTHERS_WRITE = 0o077, 0o022


def is_answering(paths: EnginePaths) -> bool:
    """Return whether an engine of this user answers on the socket. Nothing is sent to anybody else's."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(paths.socket))
            if not _is_trusted(connection):
                return False
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(12).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


def _is_trusted(connection: socket.socket) -> bool:
    """Return whether the process at the other end belongs to this user or to root, see SO_PEERCRED in unix(7)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    _, uid, _ = struct.unpack("iII", credentials)
    return uid in (os.getuid(), 0)


def status(paths: EnginePaths) -> dict[str, object] | None:
    """Return the pid, the rung and the start time of the running engine; None if there is none.

    What a directory says that others can write to is not believed.
    """
    try:
        info = paths.state.lstat()
    except OSError:
        return None
    if info.st_uid != os.getuid() or info.st_mode & OTHERS_WRITE:
        return None
    facts = json_files.read(paths.state / "engine.json")
    if not isinstance(facts, dict) or not _is_alive(facts):
        return None
    return facts


def _is_alive(facts: dict[str, object]) -> bool:
    return is_same_process(facts.get("pid"), facts.get("ticks"))


@contextlib.contextmanager
def _start_lock(paths: EnginePaths) -> Iterator[None]:
    """Let only one process at a time start or reset this engine."""
    prepare_directories(paths)
    with _open_to_append(paths.state / "start.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _open_to_append(path: Path) -> IO[bytes]:
    """Open a file of the state directory. Nobody else can read it, and a link to another file is not followed.

    Raises ControlError.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ControlError(
            f"{path} can't be written to ({reason}); choose another directory: export DOCKERLAB_STATE=DIR"
        ) from None
    return os.fdopen(descriptor, "ab")


def ensure(paths: EnginePaths, rung: str | None = None, idle: float | None = None) -> None:
    """Start the engine unless it is running. Raises ControlError if it does not come up."""
    prepare_directories(paths)
    if is_answering(paths):
        return
    with _start_lock(paths):
        if not is_answering(paths):
            _launch(paths, rung, idle)


def start(paths: EnginePaths, rung: str | None = None, idle: float | None = None) -> None:
    """Do the same as `ensure`, but raise ControlError if the engine is running with another isolation."""
    facts = status(paths)
    if facts and rung and facts.get("isolation") != rung:
        raise ControlError(
            f"The engine is already running with the isolation {facts['isolation']}. Stop it first, then start it."
        )
    ensure(paths, rung, idle)


def _launch(paths: EnginePaths, rung: str | None, idle: float | None) -> None:
    command = [sys.executable, "-m", "dockerlab.engine", "serve", "--host", paths.host, "--state", str(paths.state)]
    command += ["--isolation", rung] if rung else []
    command += ["--idle", str(idle)] if idle is not None else []
    with _open_to_append(paths.log) as log:
        log_start = log.tell()
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
    while not is_answering(paths):
        if child.poll() is not None or time.monotonic() > deadline:
            with paths.log.open("rb") as log:
                log.seek(log_start)
                last_line = log.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise ControlError(
                last_line or f"The engine did not answer within {START_SECONDS} s. Look for the reason in {paths.log}."
            )
        time.sleep(0.02)


def _environment() -> dict[str, str]:
    """Return an environment in which the engine imports the same dockerlab as this process."""
    root = str(Path(__file__).parents[2])
    python_path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{python_path}" if python_path else root}


def stop(paths: EnginePaths) -> bool:
    """Stop the engine, but not its containers. Return False if it was not running."""
    facts = status(paths)
    if facts is None:
        return False
    pid = int(str(facts["pid"]))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _is_alive(facts) and time.monotonic() < deadline:
        time.sleep(0.02)
    if _is_alive(facts):
        os.kill(pid, signal.SIGKILL)
        while _is_alive(facts):  # until then it may still write to its state
            time.sleep(0.02)
    paths.socket.unlink(missing_ok=True)
    return True


def reset(paths: EnginePaths) -> int:
    """Stop the engine, kill its containers, and remove its state. Return how many containers there were.

    Raises ControlError if something can't be removed; everything else is removed all the same.
    """
    from dockerlab.engine.networks import switch_client  # noqa: PLC0415  (only this verb needs asyncio)
    from dockerlab.engine.processes import cgroups, user_namespace  # noqa: PLC0415  (the same)
    from dockerlab.engine.storage import leftovers, rootfs  # noqa: PLC0415  (the same)

    with _start_lock(paths):
        stop(paths)
        if os.geteuid() != 0:  # only inside the user namespace can the files of its users be removed
            with contextlib.suppress(OSError):
                user_namespace.enter(paths.state)
        containers = paths.state / "containers"
        directories = list(containers.iterdir()) if containers.is_dir() else []
        _kill_containers(directories)
        switch_client.end(paths.state)
        user_namespace.end(paths.state)
        if identity := json_files.read(paths.state / "identity.json"):
            cgroups.find_hierarchies(identity["id"]).remove()
        faults = []
        for name in ("containers", "images", "volumes", "networks"):
            try:
                rootfs.remove(paths.state / name)
            except OSError as error:
                faults.append(f"{error.filename or paths.state / name}: {(error.strerror or str(error)).lower()}")
        leftovers.remove_leftovers(paths.state)
        for name in ("engine.json", "identity.json", "engine.lock", "engine.log"):
            (paths.state / name).unlink(missing_ok=True)
        _remove_socket(paths)
    if faults:
        raise ControlError(f"Not everything could be removed ({'; '.join(faults)}). Remove the rest of {paths.state}.")
    return len(directories)


def _remove_socket(paths: EnginePaths) -> None:
    """Remove the socket that a killed engine has left, and its directory if that was only for it."""
    with contextlib.suppress(OSError):
        if paths.socket.is_socket():
            paths.socket.unlink()
        if paths.owns_socket_directory and paths.socket.parent != paths.state:
            paths.socket.parent.rmdir()


def _kill_containers(directories: list[Path]) -> None:
    """Kill the main processes of containers, and wait until their shims have ended."""
    from dockerlab.engine.processes import process  # noqa: PLC0415  (only this verb needs asyncio)

    adopted = [process.adopt(directory) for directory in directories]
    running = [one for one in adopted if isinstance(one, process.RunningProcess)]
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
    deadline = time.monotonic() + STOP_SECONDS
    while any(is_same_process(one.shim, one.shim_ticks) for one in running) and time.monotonic() < deadline:
        time.sleep(0.01)


def logs(paths: EnginePaths, lines: int = 50) -> str:
    """Return the last lines of the engine's log."""
    try:
        return "\n".join(paths.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


# -- for dockerlab doctor --------------------------------------------------------------------------------------


def report(paths: EnginePaths) -> dict[str, Any]:
    """Return what the engine can do on this machine. Everything in it was tried, and nothing is started."""
    from dockerlab.engine.common import host_programs  # noqa: PLC0415  (only this verb needs it)
    from dockerlab.engine.images import bad_records, host_image  # noqa: PLC0415  (the same)
    from dockerlab.engine.processes import isolation  # noqa: PLC0415  (the same)

    return {
        "linux": sys.platform == "linux",
        "rungs": [
            {"name": rung.name, "sentence": rung.sentence, "works": isolation.works(rung.name)}
            for rung in isolation.RUNGS
        ],
        "asked": os.environ.get("DOCKERLAB_ISOLATION", ""),
        "busybox": host_programs.find_busybox(),
        "host_binaries": host_image.is_possible(),
        "state": _directory_report(paths.state),
        "sockets": _directory_report(paths.socket.parent),
        "socket": str(paths.socket),
        "log": str(paths.log),
        "bad_records": bad_records.find(paths.state),
        "running": status(paths),
        "answers": is_answering(paths),
    }


def _directory_report(path: Path) -> dict[str, Any]:
    """Return whether a directory is private and writable, or can be created."""
    try:
        info = path.stat()
    except FileNotFoundError:
        parent = next(directory for directory in path.parents if directory.exists())
        fault = "" if os.access(parent, os.W_OK | os.X_OK) else f"{parent} is not writable"
        return {"path": str(path), "there": False, "mode": "", "fault": fault}
    except OSError as error:
        return {"path": str(path), "there": True, "mode": "", "fault": error.strerror or str(error)}
    fault = ""
    if not stat.S_ISDIR(info.st_mode):
        fault = "it is not a directory"
    elif info.st_uid != os.getuid():
        fault = "it belongs to another user"
    elif not os.access(path, os.W_OK | os.X_OK):
        fault = "it is not writable"
    elif info.st_mode & GROUP_AND_OTHERS and path.name == "dockerlab":
        fault = "other users can read it"
    return {"path": str(path), "there": True, "mode": f"{stat.S_IMODE(info.st_mode):04o}", "fault": fault}
