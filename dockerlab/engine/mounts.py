"""What a container in namespaces sees: its own root, /proc, /dev and /sys. Runs in the container's first process."""

from __future__ import annotations

import os
import socket
from typing import Any

from dockerlab.engine import linux
from dockerlab.engine.protected import MASKED, READ_ONLY

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
QUIET = linux.MS_NOSUID | linux.MS_NOEXEC | linux.MS_NODEV


def enter_root(spec: dict[str, Any]) -> None:
    """Build the view, and make it the root."""
    root = spec["rootfs"]
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.bind(root, root)
    _proc(root)
    _devices(root)
    if spec["rung"] == "namespaces":
        linux.mount("sysfs", f"{root}/sys", "sysfs", QUIET | linux.MS_RDONLY)
    linux.pivot_root(root)
    socket.sethostname(spec["hostname"])
    if spec["rung"] == "namespaces":
        _protect()


def _proc(root: str) -> None:
    """A fresh /proc; where the kernel refuses one (inside of another container) the outer one is shown."""
    try:
        linux.mount("proc", f"{root}/proc", "proc", QUIET)
    except PermissionError:
        linux.bind("/proc", f"{root}/proc")


def _devices(root: str) -> None:
    """The devices that every program counts on, and terminals of its own."""
    dev = f"{root}/dev"
    linux.mount("tmpfs", dev, "tmpfs", linux.MS_NOSUID, "mode=755,size=65536k")
    for name in DEVICES:
        os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        linux.bind(f"/dev/{name}", f"{dev}/{name}")
    os.mkdir(f"{dev}/pts")  # noqa: PTH102
    own = "newinstance,ptmxmode=0666,mode=620"
    linux.mount("devpts", f"{dev}/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, own)
    os.mkdir(f"{dev}/shm")  # noqa: PTH102
    linux.mount("shm", f"{dev}/shm", "tmpfs", QUIET, "mode=1777,size=65536k")
    for name, target in LINKS.items():
        os.symlink(target, f"{dev}/{name}")  # noqa: PTH211


def _protect() -> None:
    """Hide what tells or changes the machine; Docker's own lists."""
    for path in MASKED:
        if os.path.isdir(path):  # noqa: PTH112
            linux.mount("tmpfs", path, "tmpfs", linux.MS_RDONLY)
        elif os.path.exists(path):  # noqa: PTH110
            linux.bind("/dev/null", path)
    for path in READ_ONLY:
        if os.path.exists(path):  # noqa: PTH110
            linux.bind(path, path, linux.MS_RDONLY | QUIET)
