"""Kernel settings of a container: only those that belong to its own namespaces, as runc decides."""

from __future__ import annotations

import errno
import os
from collections.abc import Container

from dockerlab.engine.processes import syscalls
from dockerlab.engine.processes.shim.refusal import refused

#: The settings that belong to the ipc namespace, with those of POSIX message queues.
OF_IPC = {
    *("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem"),
    *("kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"),
}
QUEUES, NETWORK = "fs.mqueue.", "net."
SWAPPED = str.maketrans("./", "/.")


def refusal(name: str, namespaces: Container[str]) -> str:
    """Return runc's reason why a container with these namespaces may not have this setting; "" if it may.

    A namespace that the container shares with another container counts as its own, one of the machine does not.
    """
    plain = _with_dots(name)
    if plain in OF_IPC or plain.startswith(QUEUES):
        return "" if "ipc" in namespaces else f'sysctl "{plain}" is not allowed in the hosts ipc namespace'
    if plain.startswith(NETWORK):
        return "" if "net" in namespaces else f'sysctl "{plain}" not allowed in host network namespace'
    if "uts" in namespaces and plain == "kernel.domainname":
        return ""
    if "uts" in namespaces and plain == "kernel.hostname":
        return f'sysctl "{plain}" is not allowed as it conflicts with the OCI "hostname" field'
    return f'sysctl "{plain}" is not in a separate kernel namespace'


def write(proc: int, sysctls: dict[str, str], prefix: str) -> None:
    """Write settings through an open /proc. Raise StartRefused, with a message that begins with `prefix`."""
    for name, value in sysctls.items():
        try:
            place = _open(proc, name)
        except OSError as error:
            raise refused(f"{prefix}open sysctl {name} file", error) from None
        try:
            os.write(place, value.encode())
        except OSError as error:
            raise refused(f'{prefix}failed to write sysctl {name} = "{value}"', error) from None
        finally:
            os.close(place)


def _open(proc: int, name: str) -> int:
    """Open the file of a setting. Raise OSError if there is none."""
    parts = _with_dots(name).translate(SWAPPED).split("/")
    if {"", ".", ".."}.intersection(parts):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    place = os.open("/".join(["sys", *parts]), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=proc)
    if syscalls.file_system_type(place) != syscalls.PROC_FILES:
        os.close(place)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return place


def _with_dots(name: str) -> str:
    """Return a name in its usual form. One whose first separator is a slash has slashes for dots, and dots for slashes.

    An interface's name may contain a dot, so both forms exist: `net/ipv4/conf/eth0.1/forwarding`.
    """
    slash, dot = name.find("/"), name.find(".")
    return name.translate(SWAPPED) if slash >= 0 and (dot < 0 or slash < dot) else name
