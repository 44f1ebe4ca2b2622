"""The few system calls that Python 3.11 has no functions for, through ctypes. Small: each shim imports it."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MS_NOATIME, MS_NODIRATIME, MS_RELATIME, ST_RELATIME = 1024, 2048, 1 << 21, 4096
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
M_ARENA_MAX = -8
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "armv7l": 218, "ppc64le": 203, "s390x": 217, "riscv64": 41}

#: Docker's default set: what root in a container may do.
CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount something."""
    arguments = [text.encode() if text else None for text in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() if data else None), f"mount {target}")


def bind(source: str, target: str, flags: int = 0) -> None:
    """Show a file or directory at a second place; more flags (read-only) take a second call."""
    mount(source, target, flags=MS_BIND | MS_REC)
    if flags:
        remount(target, flags)


def remount(target: str, flags: int) -> None:
    """Add flags to a mount; those that it has stay, since in a user namespace nobody may take them away."""
    there = os.statvfs(target).f_flag
    kept = there & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)
    kept |= MS_RELATIME if there & ST_RELATIME else 0
    mount("", target, flags=MS_BIND | MS_REMOUNT | kept | flags)


def unmount(target: str) -> None:
    """Take a mount away as soon as nobody uses it."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(root: str) -> None:
    """Make a mount the root of this namespace, and forget the old one."""
    mount(root, root, flags=MS_BIND | MS_REC)
    os.chdir(root)
    _check(_libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", MNT_DETACH), "umount old root")
    os.chdir("/")


def control(option: int, value: int) -> None:
    """Call prctl with one number."""
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def setns(handle: int, kind: int) -> None:
    """Enter a namespace that somebody else has."""
    _check(_libc.setns(handle, kind), "setns")


def many_files() -> None:
    """Let this process have as many files open as it may: each container costs a few."""
    import resource  # noqa: PLC0415  (no shim needs it)

    with contextlib.suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def save_memory() -> None:
    """Let all threads share one pool of memory; each else keeps one of its own, which grows and never shrinks."""
    with contextlib.suppress(AttributeError):  # only glibc has pools
        _libc.mallopt(M_ARENA_MAX, 1)


def set_domain_name(name: str) -> None:
    """Set the NIS domain name of this namespace, which is what `domainname` tells."""
    raw = name.encode()
    _check(_libc.setdomainname(raw, len(raw)), "setdomainname")


def drop_capabilities(kept: list[int] | None = None) -> None:
    """Take from this process, and all that it starts, the capabilities that it is not to have.

    Without a list it keeps those of Docker's containers.
    """
    allowed = CAPABILITIES if kept is None else set(kept)
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in allowed and _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # past the last one that this kernel knows


def loopback_up() -> None:
    """Bring up `lo`, which a new network namespace has, but down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        name = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16xh14x", fcntl.ioctl(handle, SIOCGIFFLAGS, name))[0]
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def map_root(uid: int, gid: int) -> None:
    """In a new user namespace, make this user its root."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123  (pathlib costs the shim 10 ms)
            file.write(text)
