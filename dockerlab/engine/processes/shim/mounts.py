"""The file system that a container in namespaces sees: its root, /proc, /dev and /sys. Runs in its main process."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from dockerlab.engine.common.paths import resolve_in_root
from dockerlab.engine.processes import syscalls

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
RESTRICTED = syscalls.MS_NOSUID | syscalls.MS_NOEXEC | syscalls.MS_NODEV


def enter_root(spec: dict[str, Any]) -> None:
    """Mount everything, and make the result the root."""
    root = spec["rootfs"]
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.bind(root, root, _nodev_flag(spec))
    _mount_proc(root)
    _mount_dev(root, spec)
    try:
        syscalls.mount("sysfs", f"{root}/sys", "sysfs", RESTRICTED | syscalls.MS_RDONLY)
    except PermissionError:  # sysfs belongs to a network namespace; the kernel refuses one that is not ours
        syscalls.bind("/sys", f"{root}/sys", RESTRICTED | syscalls.MS_RDONLY)
    _mount_cgroups(root, spec["cgroups"])
    for entry in spec["mounts"]:
        _mount(root, entry, _nodev_flag(spec))
    syscalls.pivot_root(root)
    if spec["namespaces"].get("uts") == "new":
        socket.sethostname(spec["hostname"])
        if spec["domainname"]:
            syscalls.set_domain_name(spec["domainname"])
    for name, value in spec["sysctls"].items():
        with open("/proc/sys/" + name.replace(".", "/"), "w") as file:  # noqa: PTH123
            file.write(value)
    _protect(spec)
    if spec["readonly"]:
        syscalls.remount("/", syscalls.MS_RDONLY)


def _nodev_flag(spec: dict[str, Any]) -> int:
    """Return MS_NODEV, except for a privileged container: the devices that it is given have mounts of their own."""
    return 0 if spec["privileged"] else syscalls.MS_NODEV


def _mount_proc(root: str) -> None:
    """Mount a new /proc. Inside another container the kernel refuses that, and the outer one is shown."""
    try:
        syscalls.mount("proc", f"{root}/proc", "proc", RESTRICTED)
    except PermissionError:
        syscalls.bind("/proc", f"{root}/proc")


def _mount_dev(root: str, spec: dict[str, Any]) -> None:
    """Mount /dev with the devices that every program expects, its own terminals, and the requested devices."""
    dev = f"{root}/dev"
    syscalls.mount("tmpfs", dev, "tmpfs", syscalls.MS_NOSUID | _nodev_flag(spec), "mode=755,size=65536k")
    for name in DEVICES:
        _create_file(f"{dev}/{name}")
        syscalls.bind(f"/dev/{name}", f"{dev}/{name}")
    os.mkdir(f"{dev}/pts")  # noqa: PTH102
    own = "newinstance,ptmxmode=0666,mode=620"
    try:
        syscalls.mount("devpts", f"{dev}/pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, f"{own},gid=5")
    except OSError:  # a user namespace with a single user has no group 5
        syscalls.mount("devpts", f"{dev}/pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, own)
    os.mkdir(f"{dev}/mqueue")  # noqa: PTH102
    with contextlib.suppress(PermissionError):  # mqueue belongs to an ipc namespace; another's is refused
        syscalls.mount("mqueue", f"{dev}/mqueue", "mqueue", RESTRICTED)
    os.mkdir(f"{dev}/shm")  # noqa: PTH102
    syscalls.mount("shm", f"{dev}/shm", "tmpfs", RESTRICTED, f"mode=1777,size={spec['shm_size']}")
    for name, target in LINKS.items():
        os.symlink(target, f"{dev}/{name}")  # noqa: PTH211
    for device in spec["devices"]:
        place = resolve_in_root(root, device["target"])
        _create_file(place)
        syscalls.bind(device["source"], place)


def _mount_cgroups(root: str, directories: list[str]) -> None:
    """Show the container its own control groups: one per controller in version 1, a single one in version 2."""
    place = f"{root}/sys/fs/cgroup"
    if not os.path.isdir(place):  # noqa: PTH112
        return
    if len(directories) > 1:
        syscalls.mount("tmpfs", place, "tmpfs", RESTRICTED, "mode=755")
    for directory in directories:
        controller = directory.split("/")[4] if len(directories) > 1 else ""
        os.makedirs(f"{place}/{controller}", exist_ok=True)  # noqa: PTH103
        syscalls.bind(directory, f"{place}/{controller}", RESTRICTED | syscalls.MS_RDONLY)


def _mount(root: str, entry: dict[str, Any], nodev: int) -> None:
    """Mount a directory or file of the machine, or a new tmpfs, at a path in the container."""
    place = mount_point(root, entry)
    if entry["kind"] == "tmpfs":
        syscalls.mount("tmpfs", place, "tmpfs", entry["flags"], entry["data"])
    else:
        nodev = 0 if os.path.basename(entry["source"]) in DEVICES else nodev  # noqa: PTH119  (these are harmless)
        syscalls.bind(entry["source"], place, nodev | (syscalls.MS_RDONLY if entry["readonly"] else 0))


def mount_point(root: str, entry: dict[str, Any]) -> str:
    """Create the mount point of an entry, and return its path on the machine."""
    place = resolve_in_root(root, entry["target"])
    if entry["kind"] == "tmpfs" or os.path.isdir(entry["source"]):  # noqa: PTH112
        os.makedirs(place, exist_ok=True)  # noqa: PTH103
    elif not os.path.exists(place):  # noqa: PTH110
        _create_file(place)
    return place


def _create_file(place: str) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o666))


def _protect(spec: dict[str, Any]) -> None:
    """Mask the paths that reveal the machine's state, and make read-only those that change it."""
    for path in spec["masked"]:
        if os.path.isdir(path):  # noqa: PTH112
            syscalls.mount("tmpfs", path, "tmpfs", syscalls.MS_RDONLY)
        elif os.path.exists(path):  # noqa: PTH110
            syscalls.bind("/dev/null", path)
    for path in spec["readonly_paths"]:
        if os.path.exists(path):  # noqa: PTH110
            syscalls.bind(path, path, syscalls.MS_RDONLY | RESTRICTED)
