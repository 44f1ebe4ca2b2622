"""The container's first process, or an exec's: what a fresh child of the shim does until it is the program."""

from __future__ import annotations

import errno
import fcntl
import functools
import json
import os
import signal
from collections.abc import Callable
from typing import Any

from dockerlab.engine.processes import linux
from dockerlab.engine.processes.shim import proot, terminal
from dockerlab.engine.processes.shim.init import accompany
from dockerlab.engine.processes.shim.mounts import enter_root

NOT_FOUND, NOT_RUNNABLE = 127, 126
UNBLOCKABLE = (signal.SIGKILL, signal.SIGSTOP, 32, 33)
#: Namespaces that a child enters or makes itself; `pid` and `user` are its shim's business.
OWN = {
    "mnt": linux.CLONE_NEWNS,
    "uts": linux.CLONE_NEWUTS,
    "ipc": linux.CLONE_NEWIPC,
    "net": linux.CLONE_NEWNET,
}
BINS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Refused(Exception):
    """The program can't be started: the engine's words, and the exit code that goes with them."""

    def __init__(self, text: str, code: int = NOT_FOUND) -> None:
        """Take the words and the code."""
        super().__init__(text)
        self.code = code


def child(spec: dict[str, Any], handles: tuple[int, ...], joined: dict[str, int], trouble: int, link: int) -> None:
    """Become the program; if that fails, write the reason into `trouble` and end. `link` leads to the shim."""
    trouble = fcntl.fcntl(trouble, fcntl.F_DUPFD_CLOEXEC, proot.TELL + 1)  # the numbers below are given away
    try:
        become(spec, handles, joined, link)
    except Refused as refused:
        os.write(trouble, json.dumps([str(refused), refused.code]).encode())
    except OSError as error:
        code = NOT_RUNNABLE if error.errno in (errno.EACCES, errno.ENOEXEC) else NOT_FOUND
        what = f'exec: "{spec["argv"][0]}"' if spec.get("ready") else "container init"
        reason = f"{spec['words']}{what}: {str(error.strerror or error).lower()}"
        os.write(trouble, json.dumps([reason, code]).encode())
    finally:
        os._exit(NOT_FOUND)


def become(spec: dict[str, Any], handles: tuple[int, ...], joined: dict[str, int], link: int) -> None:
    """Turn this fresh child into the program. Returns only by raising."""
    os.setsid()
    linux.control(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    for directory in spec["cgroups"]:
        with open(f"{directory}/cgroup.procs", "w") as file:  # noqa: PTH123
            file.write("0")
    _limits(spec)
    env, cwd = dict(spec["env"]), spec["cwd"] or "/"
    shown: dict[str, str] = {}
    if spec["tracer"]:
        shown = proot.show(spec)
        cwd = proot.place(spec, shown, cwd)
    elif spec["namespaces"]:
        _separate(spec, joined)
    else:
        cwd = spec["rootfs"] + cwd
        env["PATH"] = ":".join([*(spec["rootfs"] + part for part in BINS), env.get("PATH", "")])
    if not handles:
        handles = (terminal.make(spec["user"][0], link, not spec["beside"]),) * 3
    if spec["tty"]:
        terminal.control(handles[0], spec["size"])
    for place, handle in enumerate(handles):
        os.dup2(handle, place)
    if spec["caps"] is not None:
        linux.drop_capabilities(spec["caps"])
    _enter(cwd, spec)
    _be(spec)
    if spec["tracer"]:  # its shell is an init, too
        lookup(spec["argv"], env, spec["words"], functools.partial(proot.place, spec, shown))
        path, argv = spec["tracer"][0], proot.traced(spec, shown)
        env |= proot.prepare(spec, link)
    else:
        path, argv = lookup(spec["argv"], env, spec["words"]), spec["argv"]
        if spec["init"]:
            accompany(argv, spec["tty"])
    _forget_signals()
    os.umask(0o022)
    spec["ready"] = True
    os.execve(path, argv, env)  # noqa: S606  (this is what a container is)


def _forget_signals() -> None:
    """Let the program begin with all signals as they are at first."""
    for number in range(1, signal.NSIG):
        if number not in UNBLOCKABLE:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _separate(spec: dict[str, Any], joined: dict[str, int]) -> None:
    """Enter the namespaces that are somebody's, and make the others."""
    flags = 0
    for name, flag in OWN.items():
        if name in joined and name != "mnt":
            linux.setns(joined[name], flag)
        elif spec["namespaces"].get(name) == "new":
            flags |= flag
    if "mnt" in joined:
        linux.setns(joined["mnt"], linux.CLONE_NEWNS)
    linux.unshare(flags)
    if spec["namespaces"].get("net") == "new":
        linux.loopback_up()
    if spec["namespaces"].get("mnt") == "new":
        enter_root(spec)


def _enter(cwd: str, spec: dict[str, Any]) -> None:
    """Go to the working directory; a container makes it, an exec doesn't."""
    try:
        if not spec["beside"]:
            os.makedirs(cwd, exist_ok=True)  # noqa: PTH103
        os.chdir(cwd)
    except OSError as error:
        reason = str(error.strerror).lower()
        raise Refused(f'{spec["words"]}chdir to cwd ("{spec["cwd"]}") set in config.json failed: {reason}') from None


def _limits(spec: dict[str, Any]) -> None:
    """Set what goes with a process: limits, and how soon the kernel kills it when memory runs out."""
    if spec["rlimits"]:
        import resource  # noqa: PLC0415  (few containers need it)

        for number, soft, hard in spec["rlimits"]:
            resource.setrlimit(number, (soft, hard))
    if spec["oom_score_adj"]:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write(str(spec["oom_score_adj"]))


def _be(spec: dict[str, Any]) -> None:
    """Become the user, with no groups but those of this user; where nobody can, there is no other than root."""
    if spec["users"]:
        uid, gid = spec["user"]
        os.setgroups([gid, *spec["groups"]])
        os.setgid(gid)
        os.setuid(uid)
    if spec["no_new_privs"]:
        linux.control(linux.PR_SET_NO_NEW_PRIVS, 1)


def lookup(argv: list[str], env: dict[str, str], words: str, view: Callable[[str], str] = str) -> str:
    """Find the program, as execvp does; raises Refused in Docker's words. `view` says where a path really is."""
    name = argv[0]
    places = [name] if "/" in name else [os.path.join(part, name) for part in env.get("PATH", "").split(":")]  # noqa: PTH118
    denied = False
    for place in map(view, places):
        if os.path.isdir(place):  # noqa: PTH112
            denied = True
        elif os.access(place, os.X_OK):
            return place
        elif os.path.exists(place):  # noqa: PTH110
            denied = True
    if "/" in name and os.path.isdir(view(name)):  # noqa: PTH112
        raise Refused(f'{words}exec: "{name}": is a directory: permission denied', NOT_RUNNABLE)
    if denied and "/" in name:
        raise Refused(f'{words}exec: "{name}": permission denied', NOT_RUNNABLE)
    if "/" in name:
        raise Refused(f'{words}exec: "{name}": stat {name}: no such file or directory')
    raise Refused(f'{words}exec: "{name}": executable file not found in $PATH')
