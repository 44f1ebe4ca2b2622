"""Where an engine has its state and its socket, and how these directories are made private."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.common.private_directory import PrivateDirectoryError, check_parents, make_private

__all__ = ["ControlError", "EnginePaths", "find_paths", "prepare_directories"]

#: The longest path that the address of a unix socket can hold.
MOST_PATH_BYTES = 107
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
    for temporary in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  (make_private checks whose the directory is)
        if not _fits(path):
            path = Path(temporary) / f"dockerlab-{os.getuid()}" / name
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
        raise ControlError(str(error)) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ControlError(
            f"{paths.socket.parent} can't be used ({reason}). Choose another socket: export DOCKERLAB_SOCKET=PATH"
        ) from None
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise ControlError(f"{directory} belongs to another user. Choose another socket with DOCKERLAB_SOCKET.")
