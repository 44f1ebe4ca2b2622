"""System calls that Python 3.11 has no functions for, through ctypes. Every shim imports this, so it stays small."""

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

#: Docker's default set, the privileges that root has in a container.
CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> None:
    """Raise the OSError of a failed system call."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    arguments = [text.encode() if text else None for text in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() if data else None), f"mount {target}")


def bind(source: str, target: str, flags: int = 0) -> None:
    """Mount a file or directory at a second path. The kernel takes flags such as read-only only in a second call."""
    mount(source, target, flags=MS_BIND | MS_REC)
    if flags:
        remount(target, flags)


def remount(target: str, flags: int) -> None:
    """Add flags to a mount. Its own flags are repeated, since in a user namespace the kernel refuses to drop them."""
    current = os.statvfs(target).f_flag
    repeated = current & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)
    repeated |= MS_RELATIME if current & ST_RELATIME else 0
    mount("", target, flags=MS_BIND | MS_REMOUNT | repeated | flags)


def pivot_root(root: str) -> None:
    """Make a directory the root of this mount namespace, and detach the old root."""
    mount(root, root, flags=MS_BIND | MS_REC)
    os.chdir(root)
    _check(_libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", MNT_DETACH), "umount old root")
    os.chdir("/")


def prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def setns(descriptor: int, kind: int) -> None:
    _check(_libc.setns(descriptor, kind), "setns")


def raise_open_file_limit() -> None:
    """Raise the limit of open files to the most that is allowed: each container needs a few descriptors."""
    import resource  # noqa: PLC0415  (the engine needs it, the shim does not)

    with contextlib.suppress(OSError, ValueError):
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


def share_malloc_arena() -> None:
    """Let all threads share one malloc arena: otherwise each has its own, which grows and never shrinks."""
    with contextlib.suppress(AttributeError):  # only glibc has arenas
        _libc.mallopt(M_ARENA_MAX, 1)


def set_domain_name(name: str) -> None:
    """Set the NIS domain name of this namespace, which the command `domainname` shows."""
    raw = name.encode()
    _check(_libc.setdomainname(raw, len(raw)), "setdomainname")


def drop_capabilities(allowed: list[int]) -> None:
    """Take all other capabilities from this process and from every program that it executes."""
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in allowed and _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # the kernel knows no capability of this number


def loopback_up() -> None:
    """Bring up `lo`: a new network namespace has it, but down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as descriptor:
        name = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16xh14x", fcntl.ioctl(descriptor, SIOCGIFFLAGS, name))[0]
        fcntl.ioctl(descriptor, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def map_root(uid: int, gid: int) -> None:
    """Make this user the root of the user namespace that the process has just created."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123  (pathlib costs the shim 10 ms)
            file.write(text)
