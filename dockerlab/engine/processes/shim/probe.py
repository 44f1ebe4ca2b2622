"""Tries what a rung of isolation needs. Exits with 0 if containers can start, and prints missing abilities.

`python -S -m dockerlab.engine.processes.shim.probe RUNG [TRACER SHELL]` takes a seccomp program as its input.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable

from dockerlab.engine.processes import syscalls
from dockerlab.engine.processes.shim import proot

NAMESPACES = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWPID
)
OTHER_USER, NULL_DEVICE = 1, os.makedev(1, 3)
CAP_SYS_TIME = 25


def main(rung: str, tracer: list[str]) -> None:
    """Try a rung, and exit with another code than 0 if it does not work."""
    program = sys.stdin.buffer.read()
    if tracer:
        spec = {"tracer": tracer, "user": (0, 0), "rootfs": "/", "cwd": "/", "argv": ["/proc/sh", "-c", "true"]}
        os.dup2(1, proot.EXIT_CODE_FD)
        os.execv(tracer[0], proot.command(spec, {}))  # noqa: S606
    if rung == "userns":
        uid, gid = os.getuid(), os.getgid()
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        syscalls.map_root(uid, gid)
    syscalls.unshare(NAMESPACES)
    if _fork_and_wait(lambda: _try_as_first_process(rung, program)):
        sys.exit(1)


def _fork_and_wait(action: Callable[[], None]) -> int:
    """Run an action in a child process. Return 0, or another number if it failed."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            sys.stdout.flush()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _try_as_first_process(rung: str, program: bytes) -> None:
    """Do what the main process of a container does before its program begins. Raises OSError."""
    missing = []
    _enter_new_root()
    syscalls.loopback_up()
    socket.sethostname("probe")
    if rung == "namespaces":
        _act_as_other_user()
        if _fork_and_wait(_make_device):
            missing.append("device filter")
    _drop_capability()
    if _fork_and_wait(lambda: _filter_calls(program)):
        missing.append("seccomp")
    print(json.dumps(missing))  # noqa: T201


def _enter_new_root() -> None:
    root = "/mnt" if os.path.isdir("/mnt") else "/tmp"  # noqa: PTH112, S108
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", root, "tmpfs")
    for name in ("proc", "pts", "bound", "moved"):
        os.mkdir(f"{root}/{name}")  # noqa: PTH102
    try:
        syscalls.mount("proc", f"{root}/proc", "proc")
    except PermissionError:  # see mounts.py
        syscalls.bind("/proc", f"{root}/proc")
    syscalls.mount("devpts", f"{root}/pts", "devpts", data="newinstance")
    syscalls.bind(f"{root}/pts", f"{root}/bound")
    syscalls.restrict(f"{root}/bound", syscalls.MS_RDONLY)
    syscalls.move(f"{root}/bound", f"{root}/moved")
    place = os.open(root, os.O_PATH | os.O_DIRECTORY)
    syscalls.pivot_root(place)


def _act_as_other_user() -> None:
    """Do what the root of a machine may do with files and processes of another user. Raises OSError."""
    os.mkdir("/theirs")  # noqa: PTH102
    os.chown("/theirs", OTHER_USER, OTHER_USER)
    os.chmod("/theirs", 0o500)  # noqa: PTH101
    os.mkdir("/theirs/ours")  # noqa: PTH102
    ready, child_ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([OTHER_USER])
            os.setgid(OTHER_USER)
            os.setuid(OTHER_USER)
            os.write(child_ready, b".")
            signal.pause()
        finally:
            os._exit(1)
    os.close(child_ready)
    has_changed = os.read(ready, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if not has_changed:
        raise PermissionError(errno.EPERM, "the user can't be changed")


def _make_device() -> None:
    """Make a device node, and use it. Raises OSError."""
    os.mknod("/null", stat.S_IFCHR | 0o666, NULL_DEVICE)
    with open("/null", "wb") as file:  # noqa: PTH123
        file.write(b".")


def _drop_capability() -> None:
    """Drop a capability for good, as each container does with most of them. Raises OSError."""
    syscalls.limit_capabilities([number for number in range(syscalls.LAST_CAPABILITY + 1) if number != CAP_SYS_TIME])
    with open("/proc/self/status") as file:  # noqa: PTH123
        bounds = next(line for line in file if line.startswith("CapBnd:")).split()[1]
    if int(bounds, 16) >> CAP_SYS_TIME & 1:
        raise PermissionError(errno.EPERM, "capabilities can't be dropped")


def _filter_calls(program: bytes) -> None:
    """Load a seccomp program, and try something that it forbids. Raises OSError if that is allowed nevertheless."""
    syscalls.load_seccomp(program)
    try:
        syscalls.unshare(syscalls.CLONE_NEWUTS)
    except PermissionError:
        return
    raise PermissionError(errno.EPERM, "the program has no effect")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
