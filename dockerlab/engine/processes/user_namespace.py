"""The user namespace of an ordinary user's engine: in there the engine is root, and so are its containers.

A keeper, one small process for each state directory, holds it for as long as there is state: an engine that is started
again comes back into the namespace in which its containers are. With `newuidmap` and `newgidmap` (Debian's uidmap) and
a line for the user in /etc/subuid and /etc/subgid there are as many users in it as in Docker's rootless mode; without
them there is one, root, who is the user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from dockerlab.engine.common import json_files
from dockerlab.engine.common.proc import is_same_process, start_ticks
from dockerlab.engine.processes import linux

__all__ = ["end", "enter", "many"]

FILE = "keeper.json"
LOOK_SECONDS = 10
#: The keeper's program: it ends when its state directory is gone, whoever took it away.
KEEP = f"""\
import os, sys, time  # keeps the user namespace of a dockerlab engine
while not time.sleep({LOOK_SECONDS}) and os.path.exists(sys.argv[1]):
    pass
"""
SECONDS = 10
KINDS = {"uid": os.getuid, "gid": os.getgid}


def many() -> bool:
    """Tell whether files can be given to others than root, and programs be run as them."""
    tables = [_table("self", kind) for kind in KINDS]
    return os.geteuid() == 0 and all(sum(int(row[2]) for row in table) > 1 for table in tables)


def enter(state: Path) -> None:
    """Become root of the namespace that belongs to a state directory; make it if need be. Raises OSError.

    Only a process with one thread can.
    """
    handle = os.open(f"/proc/{_kept(state) or _keep(state)}/ns/user", os.O_RDONLY)
    try:
        linux.setns(handle, linux.CLONE_NEWUSER)
    finally:
        os.close(handle)
    if many():
        os.setgroups([])


def end(state: Path) -> None:
    """End the keeper; the namespace goes with the last process that is in it."""
    if pid := _kept(state):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    (state / FILE).unlink(missing_ok=True)


def _kept(state: Path) -> int:
    """Give the pid of the keeper; 0 if there is none."""
    told = json_files.read(state / FILE)
    return int(told["pid"]) if told and is_same_process(told["pid"], told["ticks"]) else 0


def _keep(state: Path) -> int:
    """Start a keeper in a new namespace; give its pid. Raises OSError."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_keeper(tell, str(state / FILE))
    os.close(tell)
    try:
        with open(told, "rb") as answer:  # noqa: PTH123
            reason = answer.read()
        if reason:
            raise OSError(int(reason), f"no user namespace can be made: {os.strerror(int(reason))}")
        _map(pid)
        json_files.write(state / FILE, {"pid": pid, "ticks": start_ticks(pid)})
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    return pid


def _be_keeper(tell: int, file: str) -> None:
    """Leave for a new namespace, and become a program that waits for the end of a file. Never returns."""
    try:
        os.setsid()
        linux.unshare(linux.CLONE_NEWUSER)
        silence = os.open("/dev/null", os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(silence, handle)
        os.chdir("/")
        os.execve(sys.executable, [sys.executable, "-S", "-c", KEEP, file], {"PATH": os.defpath})  # noqa: S606
    except OSError as error:
        os.write(tell, str(error.errno).encode())
    finally:
        os._exit(1)


def _map(pid: int) -> None:
    """Say who is who in a new namespace. Raises OSError."""
    if os.geteuid() == 0:  # all whom this process knows, as they are
        for kind in KINDS:
            known = "".join(f"{row[0]} {row[0]} {row[2]}\n" for row in _table("self", kind))
            Path(f"/proc/{pid}/{kind}_map").write_text(known)
        return
    commands = [_helper(pid, kind, own()) for kind, own in KINDS.items()]
    for command in commands if all(commands) else ():  # users without groups, or groups without users, help nobody
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
    if not _table(str(pid), "gid"):
        Path(f"/proc/{pid}/setgroups").write_text("deny")  # else a user without privileges may not map groups
    for kind, own in KINDS.items():
        if not _table(str(pid), kind):
            Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {own()} 1")


def _table(process: str, kind: str) -> list[list[str]]:
    """Read who is who for a process: rows of a first id inside, a first id outside, and how many."""
    return [line.split() for line in Path(f"/proc/{process}/{kind}_map").read_text("ascii").splitlines()]


def _helper(pid: int, kind: str, own: int) -> list[str]:
    """Give the helper's command that maps the ids which the user has been given; [] if it is not there, or no ids."""
    helper, ranges = shutil.which(f"new{kind}map"), _given(kind)
    if not helper or not ranges:
        return []
    first, words = 1, ["0", str(own), "1"]
    for begin, count in ranges:
        words += [str(first), str(begin), str(count)]
        first += count
    return [helper, str(pid), *words]


def _given(kind: str) -> list[tuple[int, int]]:
    """Read which ids the user has been given: first ones and how many."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
        lines = Path(f"/etc/sub{kind}").read_text("utf-8", "replace").splitlines()
    except (KeyError, OSError):
        return []
    rows = [line.split(":") for line in lines]
    return [
        (int(row[1]), int(row[2]))
        for row in rows
        if len(row) == 3 and row[0] in (name, str(os.getuid())) and row[1].isdigit() and row[2].isdigit()  # noqa: PLR2004
    ]
