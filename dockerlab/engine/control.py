"""Starts, finds, stops and describes the practice engine from outside. There is one engine per user."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.private_directory import PrivateDirectoryError, check_parents, make_private
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

#: The longest path that the address of a unix socket can hold.
MOST_PATH_BYTES = 107
START_SECONDS, STOP_SECONDS = 20, 15
GROUP_AND_OTHERS, OTHERS_WRITE = 0o077, 0o022
NAME_DIGITS = 12


class ControlError(Exception):
    """The engine can't be started or found. The text says what to do."""


@dataclass(frozen=True, slots=True)
class EnginePaths:
    """Where an engine has its state and its socket.

    A directory that the engine has chosen for its socket is its own, and nobody else may use it.
    """

    state: Path
    socket: Path
    owns_socket_directory: bool = False

    @property
    def host(self) -> str:
        """The address as DOCKER_HOST writes it."""
        return f"unix://{self.socket}"

    @property
    def log(self) -> Path:
        return self.state / "engine.log"


def find_paths(host: str | None = None, state: str | None = None) -> EnginePaths:
    """Return the paths from the arguments, from DOCKERLAB_STATE and DOCKERLAB_SOCKET, or else this user's own."""
    if host and not host.startswith("unix:///"):
        raise ControlError(f"The practice engine listens on a unix socket only: use --host unix:///PATH, not {host}.")
    directory = _state_directory(state or os.environ.get("DOCKERLAB_STATE"))
    socket_path = host.removeprefix("unix://") if host else os.environ.get("DOCKERLAB_SOCKET")
    if socket_path:
        path = Path(socket_path).absolute()
        if not _fits(path):
            raise ControlError(
                f"The path of a socket can have {MOST_PATH_BYTES} bytes at most. Choose a shorter one than {path}."
            )
        return EnginePaths(directory, path)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    name = _socket_name(directory)
    path = Path(runtime) / "dockerlab" / name if runtime and not state else directory / "engine.sock"
    if not _fits(path):
        path = Path(tempfile.gettempdir()) / f"dockerlab-{os.getuid()}" / name
    if not _fits(path):
        raise ControlError(f"No path for a socket is short enough. Choose one: export DOCKERLAB_SOCKET={path.name}")
    return EnginePaths(directory, path, owns_socket_directory=True)


def _state_directory(path: str | None) -> Path:
    if path is None:
        base = os.environ.get("XDG_STATE_HOME")
        try:
            path = str(Path(base or Path.home() / ".local/state") / "dockerlab")
        except RuntimeError:
            raise ControlError("You have no home directory; choose another one: export DOCKERLAB_STATE=DIR") from None
    return Path(path).expanduser().absolute()


def _socket_name(state: Path) -> str:
    """Return the name of a socket that is in a directory with those of other engines of the same user."""
    with contextlib.suppress(KeyError):
        if state == Path(pwd.getpwuid(os.getuid()).pw_dir) / ".local/state/dockerlab":
            return "engine.sock"
    return f"engine-{hashlib.sha256(os.fsencode(state)).hexdigest()[:NAME_DIGITS]}.sock"


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= MOST_PATH_BYTES


def prepare_directories(paths: EnginePaths) -> None:
    """Create the directories of an engine, and make them private. Raises ControlError if they can't be."""
    try:
        make_private(paths.state, "DOCKERLAB_STATE=DIR")
        if paths.owns_socket_directory:
            make_private(paths.socket.parent, "DOCKERLAB_SOCKET=PATH")
            return
        directory = paths.socket.parent
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_parents(paths.socket, "DOCKERLAB_SOCKET=PATH")
        info = directory.lstat()
    except PrivateDirectoryError as error:
        raise ControlError(f"{error}.") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ControlError(
            f"{paths.socket.parent} can't be used ({reason}). Choose another socket: export DOCKERLAB_SOCKET=PATH"
        ) from None
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise ControlError(f"{directory} belongs to another user. Choose another socket with DOCKERLAB_SOCKET.")


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
    from dockerlab.engine.images import host_image  # noqa: PLC0415  (the same)
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
        "bad_records": _bad_records(paths.state),
        "running": status(paths),
        "answers": is_answering(paths),
    }


def _bad_records(state: Path) -> list[dict[str, str]]:
    """Return the records in a state directory that the engine skips, each with the reason."""
    from dockerlab.engine.common import container_record  # noqa: PLC0415  (only this verb needs it)
    from dockerlab.engine.images import documents, migration  # noqa: PLC0415  (the same)
    from dockerlab.engine.networks import networks  # noqa: PLC0415  (the same)
    from dockerlab.engine.storage import volumes  # noqa: PLC0415  (the same)

    readers: list[tuple[str, str, Callable[[Path], object]]] = [
        ("images", "*.json", lambda path: migration.is_old(path) or documents.read_record(path)),
        ("containers", "*", container_record.read),
        ("networks", "*.json", networks.read),
        ("volumes", "*", volumes.read),
    ]
    bad_records = []
    for folder, pattern, read in readers:
        for path in sorted((state / folder).glob(pattern)):
            try:
                if pattern != "*" or (path.is_dir() and not path.is_symlink()):
                    read(path)
            except ValueError as error:
                bad_records.append({"path": str(path), "reason": str(error)})
    return bad_records


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
