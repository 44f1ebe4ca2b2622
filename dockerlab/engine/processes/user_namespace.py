"""The user namespace of an ordinary user's engine: inside it the engine is root, and so are its containers.

A keeper, one small process per state directory, keeps the namespace alive as long as the state exists, so that an
engine that is started again returns to the namespace of its containers. With `newuidmap` and `newgidmap` (Debian's
uidmap) and a line for the user in /etc/subuid and /etc/subgid, the namespace has as many users as Docker's rootless
mode; without them it has one, root, who is the user outside. See user_namespaces(7).
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
from dockerlab.engine.processes import syscalls

__all__ = ["can_change_owner", "end", "enter", "keep"]

FILE = "keeper.json"
CHECK_SECONDS = 10
#: The keeper's program. It ends when the file in the state directory is gone, no matter who removed it.
KEEPER_PROGRAM = f"""\
import os, sys, time  # keeps the user namespace of a dockerlab engine
while not time.sleep({CHECK_SECONDS}) and os.path.exists(sys.argv[1]):
    pass
"""
KEEPER_ENVIRONMENT = {"PATH": os.defpath}
HELPER_SECONDS = 10
OWN_IDS = {"uid": os.getuid, "gid": os.getgid}
SUBID_FIELDS = 3


def can_change_owner() -> bool:
    """Tell whether files can belong to other users than root, and programs can run as them."""
    maps = [_id_map("self", kind) for kind in OWN_IDS]
    return os.geteuid() == 0 and all(sum(int(row[2]) for row in id_map) > 1 for id_map in maps)


def enter(state: Path) -> None:
    """Become root of a state directory's namespace, creating it if there is none. Raise OSError if that is impossible.

    The kernel allows this only to a process with a single thread.
    """
    pid = _keeper(state) or _other_member(state) or _start_keeper(state)
    descriptor = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    try:
        syscalls.setns(descriptor, syscalls.CLONE_NEWUSER)
    finally:
        os.close(descriptor)
    if can_change_owner():
        os.setgroups([])
    with contextlib.suppress(OSError):  # on a full disk the namespace lasts as long as this process
        keep(state)


def keep(state: Path) -> None:
    """Start a keeper in the namespace of this process, unless one runs."""
    if _keeper(state):
        return
    process = subprocess.Popen(  # noqa: S603  (our own program)
        _keeper_command(state),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env=KEEPER_ENVIRONMENT,
    )
    json_files.write(state / FILE, {"pid": process.pid, "ticks": start_ticks(process.pid)})


def _keeper_command(state: Path) -> list[str]:
    return [sys.executable, "-S", "-c", KEEPER_PROGRAM, str(state / FILE)]


def _other_member(state: Path) -> int:
    """Return the pid of another process in the namespace of a keeper that was killed: the switch or a shim; or 0.

    The containers that still run, and the networks between them, can be reached only from their namespace.
    """
    own = os.stat("/proc/self/ns/user")  # noqa: PTH116
    candidates = [(state / "switch.json", "pid", "ticks")]
    candidates += [(path, "shim", "shim_ticks") for path in state.glob("containers/*/pid.json")]
    for path, pid, ticks in candidates:
        facts = json_files.read(path)
        if isinstance(facts, dict) and is_same_process(facts.get(pid), facts.get(ticks)):
            with contextlib.suppress(OSError):
                other = os.stat(f"/proc/{facts[pid]}/ns/user")  # noqa: PTH116
                if (other.st_dev, other.st_ino) != (own.st_dev, own.st_ino):
                    return int(facts[pid])
    return 0


def end(state: Path) -> None:
    """End the keeper. The namespace disappears with the last process in it."""
    if pid := _keeper(state):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    (state / FILE).unlink(missing_ok=True)


def _keeper(state: Path) -> int:
    """Return the keeper's pid; 0 if no keeper runs."""
    facts = json_files.read(state / FILE)
    return int(facts["pid"]) if facts and is_same_process(facts["pid"], facts["ticks"]) else 0


def _start_keeper(state: Path) -> int:
    """Start a keeper in a new namespace and return its pid. Raise OSError if that is impossible."""
    errors, keeper_errors = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_keeper(keeper_errors, _keeper_command(state))
    os.close(keeper_errors)
    try:
        with open(errors, "rb") as pipe:  # noqa: PTH123
            error_number = pipe.read()  # ends when the keeper's program begins
        if error_number:
            reason = os.strerror(int(error_number))
            raise OSError(int(error_number), f"cannot create a user namespace: {reason}")
        _map_ids(pid)
        json_files.write(state / FILE, {"pid": pid, "ticks": start_ticks(pid)})
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    return pid


def _become_keeper(errors: int, command: list[str]) -> None:
    """Enter a new namespace and execute the keeper's program. Never returns."""
    try:
        os.setsid()
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.chdir("/")
        os.execve(command[0], command, KEEPER_ENVIRONMENT)  # noqa: S606  (our own program)
    except OSError as error:
        os.write(errors, str(error.errno).encode())
    finally:
        os._exit(1)


def _map_ids(pid: int) -> None:
    """Map the ids of a new namespace to ids outside. Raise OSError if the kernel refuses."""
    commands = []
    if os.geteuid() == 0:  # root maps every id that it has itself, unchanged
        for kind in OWN_IDS:
            rows = "".join(f"{row[0]} {row[0]} {row[2]}\n" for row in _id_map("self", kind))
            with contextlib.suppress(PermissionError):  # root without the capability SETUID or SETGID
                Path(f"/proc/{pid}/{kind}_map").write_text(rows)
    else:
        commands = [_map_command(pid, kind, own()) for kind, own in OWN_IDS.items()]
    for command in commands if all(commands) else ():  # users without groups, or the reverse, would be of no use
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=HELPER_SECONDS, check=False)  # noqa: S603
    if not _id_map(str(pid), "gid"):
        Path(f"/proc/{pid}/setgroups").write_text("deny")  # the kernel demands it before an ordinary user maps groups
    for kind, own in OWN_IDS.items():
        if not _id_map(str(pid), kind):
            Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {own()} 1")


def _id_map(process: str, kind: str) -> list[list[str]]:
    """Return the rows of a process's id map: the first id inside, the first id outside, and how many."""
    return [line.split() for line in Path(f"/proc/{process}/{kind}_map").read_text("ascii").splitlines()]


def _map_command(pid: int, kind: str, own_id: int) -> list[str]:
    """Return the command that maps the user's subordinate ids; [] without the helper program, or without such ids."""
    helper, ranges = shutil.which(f"new{kind}map"), _subordinate_ids(kind)
    if not helper or not ranges:
        return []
    next_id, rows = 1, ["0", str(own_id), "1"]
    for begin, count in ranges:
        rows += [str(next_id), str(begin), str(count)]
        next_id += count
    return [helper, str(pid), *rows]


def _subordinate_ids(kind: str) -> list[tuple[int, int]]:
    """Read from /etc/subuid or /etc/subgid which ids the user may map: the first one and the count of each range."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
        lines = Path(f"/etc/sub{kind}").read_text("utf-8", "replace").splitlines()
    except (KeyError, OSError):
        return []
    rows = [line.split(":") for line in lines]
    return [
        (int(row[1]), int(row[2]))
        for row in rows
        if len(row) == SUBID_FIELDS and row[0] in (name, str(os.getuid())) and row[1].isdigit() and row[2].isdigit()
    ]
