"""What the forked child of a shim does before it executes the program of the container or exec."""

from __future__ import annotations

import errno
import fcntl
import functools
import json
import os
import signal
from collections.abc import Callable
from typing import Any

from dockerlab.engine.processes import syscalls
from dockerlab.engine.processes.shim import proot, terminal
from dockerlab.engine.processes.shim.init import fork_init
from dockerlab.engine.processes.shim.mounts import enter_root

NOT_FOUND, NOT_RUNNABLE = 127, 126
UNBLOCKABLE = (signal.SIGKILL, signal.SIGSTOP, 32, 33)
#: Namespaces that the child joins or creates. The shim does so for `pid`; the whole engine is in the one for `user`.
CHILD_NAMESPACES = {
    "mnt": syscalls.CLONE_NEWNS,
    "uts": syscalls.CLONE_NEWUTS,
    "ipc": syscalls.CLONE_NEWIPC,
    "net": syscalls.CLONE_NEWNET,
}
#: Where programs are in a container's own tree, on the rung that can't change the root.
PROGRAM_DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class StartRefused(Exception):
    """The program can't be started: Docker's message, and the exit code that Docker gives the container."""

    def __init__(self, text: str, code: int = NOT_FOUND) -> None:
        super().__init__(text)
        self.code = code


def child(spec: dict[str, Any], stdio: tuple[int, ...], joined: dict[str, int], errors: int, link: int) -> None:
    """Become the program; if that fails, write the reason to the pipe `errors` and exit. `link` leads to the shim."""
    errors = fcntl.fcntl(errors, fcntl.F_DUPFD_CLOEXEC, proot.EXIT_CODE_FD + 1)  # lower numbers will be overwritten
    try:
        become(spec, stdio, joined, link)
    except StartRefused as refused:
        os.write(errors, json.dumps([str(refused), refused.code]).encode())
    except OSError as error:
        code = NOT_RUNNABLE if error.errno in (errno.EACCES, errno.ENOEXEC) else NOT_FOUND
        stage = f'exec: "{spec["argv"][0]}"' if spec.get("ready") else "container init"
        reason = f"{spec['error_prefix']}{stage}: {str(error.strerror or error).lower()}"
        os.write(errors, json.dumps([reason, code]).encode())
    finally:
        os._exit(NOT_FOUND)


def become(spec: dict[str, Any], stdio: tuple[int, ...], joined: dict[str, int], link: int) -> None:
    """Turn this process into the program. Return only by raising StartRefused or OSError."""
    os.setsid()
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    for directory in spec["cgroups"]:
        with open(f"{directory}/cgroup.procs", "w") as file:  # noqa: PTH123
            file.write("0")
    _set_limits(spec)
    env, cwd = dict(spec["env"]), spec["cwd"] or "/"
    bindings: dict[str, str] = {}
    if spec["tracer"]:
        bindings = proot.bindings(spec)
        cwd = proot.machine_path(spec, bindings, cwd)
    elif spec["namespaces"]:
        _enter_namespaces(spec, joined)
    else:
        cwd = spec["rootfs"] + cwd
        env["PATH"] = ":".join([*(spec["rootfs"] + part for part in PROGRAM_DIRECTORIES), env.get("PATH", "")])
    if not stdio:
        stdio = (terminal.open_in_container(spec["user"][0], link, not spec["container_pid"]),) * 3
    if spec["tty"]:
        terminal.make_controlling(stdio[0], spec["size"])
    for number, descriptor in enumerate(stdio):
        os.dup2(descriptor, number)
    if spec["caps"] is not None:
        syscalls.drop_capabilities(spec["caps"])
    _change_directory(cwd, spec)
    _drop_privileges(spec)
    if spec["tracer"]:  # proot's shell already acts as an init, so none is forked
        lookup(spec["argv"], env, spec["error_prefix"], functools.partial(proot.machine_path, spec, bindings))
        path, argv = spec["tracer"][0], proot.command(spec, bindings)
        env |= proot.prepare(spec, link)
    else:
        path, argv = lookup(spec["argv"], env, spec["error_prefix"]), spec["argv"]
        if spec["init"]:
            fork_init(argv, spec["tty"])
    _reset_signals()
    os.umask(0o022)
    spec["ready"] = True
    os.execve(path, argv, env)  # noqa: S606  (this is what a container is)


def _reset_signals() -> None:
    """Give every signal its default action: what Python ignores would stay ignored in the program."""
    for number in range(1, signal.NSIG):
        if number not in UNBLOCKABLE:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _enter_namespaces(spec: dict[str, Any], joined: dict[str, int]) -> None:
    """Join shared namespaces; create the rest."""
    flags = 0
    for name, flag in CHILD_NAMESPACES.items():
        if name in joined and name != "mnt":
            syscalls.setns(joined[name], flag)
        elif spec["namespaces"].get(name) == "new":
            flags |= flag
    if "mnt" in joined:
        syscalls.setns(joined["mnt"], syscalls.CLONE_NEWNS)
    syscalls.unshare(flags)
    if spec["namespaces"].get("net") == "new":
        syscalls.loopback_up()
    if spec["namespaces"].get("mnt") == "new":
        enter_root(spec)


def _change_directory(cwd: str, spec: dict[str, Any]) -> None:
    """Change to the working directory. A container creates it, an exec does not, as in Docker."""
    try:
        if not spec["container_pid"]:
            os.makedirs(cwd, exist_ok=True)  # noqa: PTH103
        os.chdir(cwd)
    except OSError as error:
        reason = str(error.strerror).lower()
        where = f'chdir to cwd ("{spec["cwd"]}") set in config.json'
        raise StartRefused(f"{spec['error_prefix']}{where} failed: {reason}") from None


def _set_limits(spec: dict[str, Any]) -> None:
    """Set resource limits, and how early the kernel kills the process when memory runs out."""
    if spec["rlimits"]:
        import resource  # noqa: PLC0415  (few containers need it)

        for number, soft, hard in spec["rlimits"]:
            resource.setrlimit(number, (soft, hard))
    if spec["oom_score_adj"]:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write(str(spec["oom_score_adj"]))


def _drop_privileges(spec: dict[str, Any]) -> None:
    """Switch to the container's user and groups, on rungs that have users."""
    if spec["can_change_user"]:
        uid, gid = spec["user"]
        os.setgroups([gid, *spec["groups"]])
        os.setgid(gid)
        os.setuid(uid)
    if spec["no_new_privs"]:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def lookup(argv: list[str], env: dict[str, str], error_prefix: str, machine_path: Callable[[str], str] = str) -> str:
    """Find the program, as execvp does. Raise StartRefused with Docker's message.

    `machine_path` returns where a path of the container is on the machine.
    """
    name = argv[0]
    directories = env.get("PATH", "").split(":")
    candidates = [name] if "/" in name else [os.path.join(directory, name) for directory in directories]  # noqa: PTH118
    denied = False
    for place in map(machine_path, candidates):
        if os.path.isdir(place):  # noqa: PTH112
            denied = True
        elif os.access(place, os.X_OK):
            return place
        elif os.path.exists(place):  # noqa: PTH110
            denied = True
    if "/" in name and os.path.isdir(machine_path(name)):  # noqa: PTH112
        raise StartRefused(f'{error_prefix}exec: "{name}": is a directory: permission denied', NOT_RUNNABLE)
    if denied and "/" in name:
        raise StartRefused(f'{error_prefix}exec: "{name}": permission denied', NOT_RUNNABLE)
    if "/" in name:
        raise StartRefused(f'{error_prefix}exec: "{name}": stat {name}: no such file or directory')
    raise StartRefused(f'{error_prefix}exec: "{name}": executable file not found in $PATH')
