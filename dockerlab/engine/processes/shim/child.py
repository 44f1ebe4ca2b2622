"""What the forked child of a shim does before it executes the program of the container or exec."""

from __future__ import annotations

import binascii
import contextlib
import fcntl
import functools
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Collection
from typing import Any

from dockerlab.engine.common.tree import OpenTree
from dockerlab.engine.processes import syscalls
from dockerlab.engine.processes.shim import proot, terminal
from dockerlab.engine.processes.shim.init import fork_init
from dockerlab.engine.processes.shim.mounts import enter_root, proc_of
from dockerlab.engine.processes.shim.refusal import (
    NOT_FOUND,
    NOT_RUNNABLE,
    NOT_STARTED,
    StartRefused,
    refused,
)

UNBLOCKABLE = (signal.SIGKILL, signal.SIGSTOP, 32, 33)
#: Namespaces that the child joins or creates. The shim creates the one for `pid`; the engine is in the one for `user`.
CHILD_NAMESPACES = {
    "mnt": syscalls.CLONE_NEWNS,
    "uts": syscalls.CLONE_NEWUTS,
    "ipc": syscalls.CLONE_NEWIPC,
    "net": syscalls.CLONE_NEWNET,
}
#: The mount namespace of the container whose pid namespace is joined, and whose /proc is shown.
PROC_OWNER = "proc owner"
#: Where programs are in a container's own tree, on the rung that can't change the root.
PROGRAM_DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def child(spec: dict[str, Any], stdio: tuple[int, ...], joined: dict[str, int], pipes: tuple[int, int, int]) -> None:
    """Become the program; if that fails, write the reason to the first pipe and exit.

    The second pipe is for the pid of the process that becomes the program in place of this one; the third descriptor is
    the link to the shim, -1 if there is none.
    """
    errors, successor, link = pipes
    if spec["namespaces"]:
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)  # the processes of a container that it joins can't trace it
    errors = fcntl.fcntl(errors, fcntl.F_DUPFD_CLOEXEC, proot.EXIT_CODE_FD + 1)  # lower numbers will be overwritten
    try:
        become(spec, stdio, joined, (errors, successor, link))
    except StartRefused as refusal:
        _write_refusal(errors, refusal)
    except OSError as error:
        stage = f'exec: "{spec["argv"][0]}"' if spec.get("ready") else "container init"
        _write_refusal(errors, refused(spec["error_prefix"] + stage, error))
    finally:
        os._exit(NOT_FOUND)


def _write_refusal(errors: int, refusal: StartRefused) -> None:
    os.write(errors, json.dumps([str(refusal), refusal.code]).encode())


def become(spec: dict[str, Any], stdio: tuple[int, ...], joined: dict[str, int], pipes: tuple[int, int, int]) -> None:
    """Turn this process into the program. Return only by raising StartRefused or OSError."""
    _, successor, link = pipes
    os.setsid()
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    for directory in spec["cgroups"]:
        with open(f"{directory}/cgroup.procs", "w") as file:  # noqa: PTH123
            file.write("0")
    if spec["oom_score_adj"]:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write(str(spec["oom_score_adj"]))
    # From here on, paths may be the container's: nothing is imported from them, and no open descriptor leads back.
    sys.meta_path.clear()
    _close_all_but({*stdio, *joined.values(), *pipes})
    bindings = proot.bindings(spec) if spec["tracer"] else {}
    program_end = _enter_namespaces(spec, joined, link) if spec["namespaces"] else -1
    _take_stdio(stdio or (program_end,) * 3)
    if spec["tty"] and "pid" not in joined:
        terminal.make_controlling(0, spec["size"])
    if spec["caps"] is not None:
        syscalls.limit_capabilities(spec["caps"])
    _change_directory(spec, bindings)
    _drop_privileges(spec)
    env = dict(spec["env"])
    if spec["tracer"]:  # proot's shell already acts as an init, so none is forked
        lookup(spec["argv"], env, spec["error_prefix"], functools.partial(proot.machine_path, spec, bindings))
        path, argv = spec["tracer"][0], proot.command(spec, bindings)
        env |= proot.prepare(spec, link)
    else:
        if not spec["namespaces"]:
            env["PATH"] = ":".join([*(spec["rootfs"] + part for part in PROGRAM_DIRECTORIES), env.get("PATH", "")])
        path, argv = lookup(spec["argv"], env, spec["error_prefix"]), spec["argv"]
        if "pid" in joined:
            _enter_processes(spec, successor)
        if spec["init"]:
            fork_init(argv, spec["tty"])
    _reset_signals()
    os.umask(0o022)
    spec["ready"] = True
    os.execve(path, argv, env)  # noqa: S606  (this is what a container is)


def _close_all_but(descriptors: Collection[int]) -> None:
    """Close all other open descriptors."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) not in descriptors:
            with contextlib.suppress(OSError):  # the one with which the directory was read
                os.close(int(name))


def _take_stdio(stdio: tuple[int, ...]) -> None:
    """Make these descriptors input, output and errors of the program."""
    for number, descriptor in enumerate(stdio):
        os.dup2(descriptor, number)
        os.set_inheritable(number, True)  # dup2 does not do so if the descriptor has this number already
    for descriptor in {*stdio} - {0, 1, 2}:
        os.close(descriptor)


def _reset_signals() -> None:
    """Give every signal its default action: what Python ignores would stay ignored in the program."""
    for number in range(1, signal.NSIG):
        if number not in UNBLOCKABLE:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _enter_namespaces(spec: dict[str, Any], joined: dict[str, int], link: int) -> int:
    """Join shared namespaces; create the rest. Return the program's end of its terminal; -1 if it needs none."""
    flags = 0
    for name, flag in CHILD_NAMESPACES.items():
        if name in joined and name != "mnt":
            syscalls.setns(joined[name], flag)
        elif spec["namespaces"].get(name) == "new":
            flags |= flag
    if "pid" in joined:
        syscalls.setns(joined["pid"], syscalls.CLONE_NEWPID)  # for `_enter_processes`
    if "mnt" in joined:
        syscalls.setns(joined["mnt"], syscalls.CLONE_NEWNS)
    syscalls.unshare(flags)
    proc = _shared_proc(joined) if PROC_OWNER in joined else -1
    for descriptor in joined.values():
        os.close(descriptor)
    if spec["namespaces"].get("net") == "new":
        syscalls.loopback_up()
    if spec["namespaces"].get("mnt") == "new":
        return enter_root(spec, link, proc)
    return terminal.open_in_running_container(spec["user"][0], link) if spec["tty"] else -1


def _shared_proc(joined: dict[str, int]) -> int:
    """Copy the /proc of the container whose processes are shared; return -1 if it doesn't show them.

    Only a process in that container's pid namespace could mount a new one. It would have all capabilities, and a
    program there with CAP_SYS_PTRACE could take them over.
    """
    with open("/proc/self/ns/mnt") as own_namespace:  # noqa: PTH123
        syscalls.setns(joined[PROC_OWNER], syscalls.CLONE_NEWNS)
        try:
            return proc_of(joined["pid"])
        finally:
            syscalls.setns(own_namespace.fileno(), syscalls.CLONE_NEWNS)


def _enter_processes(spec: dict[str, Any], successor: int) -> None:
    """Go on in a new process, which the container's processes can see, and report its pid; the old one ends.

    Only now, because a program with CAP_SYS_PTRACE could use what it sees: the new process has the container's root,
    user and capabilities already, and no descriptor of the machine's files. It is a child of the shim, too.
    """
    pid = syscalls.fork_sibling()
    if pid:
        os.write(successor, str(pid).encode())
        os._exit(0)
    os.close(successor)
    os.setsid()
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if spec["tty"]:
        terminal.make_controlling(0, spec["size"])


def _change_directory(spec: dict[str, Any], bindings: dict[str, str]) -> None:
    """Change to the working directory. A container creates it, an exec does not, as in Docker."""
    cwd, prefix = spec["cwd"] or "/", spec["error_prefix"]
    failure = f'chdir to cwd ("{cwd}") set in config.json failed' if spec["container_pid"] else f"mkdir {cwd}"
    try:
        with OpenTree("/" if spec["namespaces"] else spec["rootfs"], bindings) as tree:
            place = tree.open(cwd) if spec["container_pid"] else tree.make_directories(cwd)
        os.chdir(place)
        os.close(place)
    except OSError as error:
        raise refused(prefix + failure, error) from None
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:  # it was moved out of the root, or removed, between two system calls
        reason = "current working directory is outside of container mount namespace root"
        raise StartRefused(f"{prefix}{reason} -- possible container breakout detected", NOT_STARTED) from None


def _drop_privileges(spec: dict[str, Any]) -> None:
    """Set limits, user, groups and capabilities, as far as the rung has them, and load the seccomp filter."""
    no_new_privs, seccomp = spec["no_new_privs"], binascii.a2b_base64(spec["seccomp"])
    for number, soft, hard in spec["rlimits"]:  # only now, because the steps before may need more open files
        resource.setrlimit(number, (soft, hard))
    if seccomp and not no_new_privs:
        syscalls.load_seccomp(seccomp)  # needs a capability that the container may not have
    if spec["can_change_user"]:
        uid, gid = spec["user"]
        os.setgroups([gid, *spec["groups"]])
        os.setgid(gid)
        os.setuid(uid)
    if spec["caps"] is not None:
        syscalls.set_capabilities(spec["caps"])
    if no_new_privs:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        if seccomp:
            syscalls.load_seccomp(seccomp)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)  # only now, because a change of the user clears it


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
