"""What a container in namespaces sees: its own root, /proc, /dev and /sys. Runs in the container's first process."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from dockerlab.engine.common.paths import inside
from dockerlab.engine.processes import linux

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
QUIET = linux.MS_NOSUID | linux.MS_NOEXEC | linux.MS_NODEV


def enter_root(spec: dict[str, Any]) -> None:
    """Build the view, and make it the root."""
    root = spec["rootfs"]
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.bind(root, root, _nodev(spec))
    _proc(root)
    _devices(root, spec)
    try:
        linux.mount("sysfs", f"{root}/sys", "sysfs", QUIET | linux.MS_RDONLY)
    except PermissionError:  # it shows a network namespace, and that one isn't ours
        linux.bind("/sys", f"{root}/sys", QUIET | linux.MS_RDONLY)
    _groups(root, spec["cgroups"])
    for entry in spec["mounts"]:
        _mount(root, entry, _nodev(spec))
    linux.pivot_root(root)
    if spec["namespaces"].get("uts") == "new":
        socket.sethostname(spec["hostname"])
        if spec["domainname"]:
            linux.set_domain_name(spec["domainname"])
    for name, value in spec["sysctls"].items():
        with open("/proc/sys/" + name.replace(".", "/"), "w") as file:  # noqa: PTH123
            file.write(value)
    _protect(spec)
    if spec["readonly"]:
        linux.remount("/", linux.MS_RDONLY)


def _nodev(spec: dict[str, Any]) -> int:
    """Only a privileged container may use the devices that it makes; those that are given have mounts of their own."""
    return 0 if spec["privileged"] else linux.MS_NODEV


def _proc(root: str) -> None:
    """A fresh /proc; where the kernel refuses one (inside of another container) the outer one is shown."""
    try:
        linux.mount("proc", f"{root}/proc", "proc", QUIET)
    except PermissionError:
        linux.bind("/proc", f"{root}/proc")


def _devices(root: str, spec: dict[str, Any]) -> None:
    """The devices that every program counts on, terminals of its own, and those that were asked for."""
    dev = f"{root}/dev"
    linux.mount("tmpfs", dev, "tmpfs", linux.MS_NOSUID | _nodev(spec), "mode=755,size=65536k")
    for name in DEVICES:
        _file(f"{dev}/{name}")
        linux.bind(f"/dev/{name}", f"{dev}/{name}")
    os.mkdir(f"{dev}/pts")  # noqa: PTH102
    own = "newinstance,ptmxmode=0666,mode=620"
    try:
        linux.mount("devpts", f"{dev}/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, f"{own},gid=5")
    except OSError:  # in a user namespace with one user there is no such group
        linux.mount("devpts", f"{dev}/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, own)
    os.mkdir(f"{dev}/mqueue")  # noqa: PTH102
    with contextlib.suppress(PermissionError):  # it shows an ipc namespace, and that one isn't ours
        linux.mount("mqueue", f"{dev}/mqueue", "mqueue", QUIET)
    os.mkdir(f"{dev}/shm")  # noqa: PTH102
    linux.mount("shm", f"{dev}/shm", "tmpfs", QUIET, f"mode=1777,size={spec['shm_size']}")
    for name, target in LINKS.items():
        os.symlink(target, f"{dev}/{name}")  # noqa: PTH211
    for device in spec["devices"]:
        place = inside(root, device["target"])
        _file(place)
        linux.bind(device["source"], place)


def _groups(root: str, directories: list[str]) -> None:
    """Show the container its own control groups: one for each controller, or the one that there is."""
    place = f"{root}/sys/fs/cgroup"
    if not os.path.isdir(place):  # noqa: PTH112
        return
    if len(directories) > 1:
        linux.mount("tmpfs", place, "tmpfs", QUIET, "mode=755")
    for directory in directories:
        controller = directory.split("/")[4] if len(directories) > 1 else ""
        os.makedirs(f"{place}/{controller}", exist_ok=True)  # noqa: PTH103
        linux.bind(directory, f"{place}/{controller}", QUIET | linux.MS_RDONLY)


def _mount(root: str, entry: dict[str, Any], nodev: int) -> None:
    """Show a directory or file of this machine, or a new tmpfs, at a place in the container."""
    place = mount_point(root, entry)
    if entry["kind"] == "tmpfs":
        linux.mount("tmpfs", place, "tmpfs", entry["flags"], entry["data"])
    else:
        nodev = 0 if os.path.basename(entry["source"]) in DEVICES else nodev  # noqa: PTH119  (harmless ones)
        linux.bind(entry["source"], place, nodev | (linux.MS_RDONLY if entry["readonly"] else 0))


def mount_point(root: str, entry: dict[str, Any]) -> str:
    """Make the place at which something is to be shown; give it as this machine names it."""
    place = inside(root, entry["target"])
    if entry["kind"] == "tmpfs" or os.path.isdir(entry["source"]):  # noqa: PTH112
        os.makedirs(place, exist_ok=True)  # noqa: PTH103
    elif not os.path.exists(place):  # noqa: PTH110
        _file(place)
    return place


def _file(place: str) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o666))


def _protect(spec: dict[str, Any]) -> None:
    """Hide what tells or changes the machine."""
    for path in spec["masked"]:
        if os.path.isdir(path):  # noqa: PTH112
            linux.mount("tmpfs", path, "tmpfs", linux.MS_RDONLY)
        elif os.path.exists(path):  # noqa: PTH110
            linux.bind("/dev/null", path)
    for path in spec["readonly_paths"]:
        if os.path.exists(path):  # noqa: PTH110
            linux.bind(path, path, linux.MS_RDONLY | QUIET)
