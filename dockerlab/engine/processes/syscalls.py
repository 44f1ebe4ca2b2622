"""System calls that Python 3.11 has no functions for, through ctypes. Every shim imports this, so it stays small."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_PARENT = 0x8000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 4096, 8192, 16384, 1 << 18
MS_NOATIME, MS_NODIRATIME, MS_RELATIME, ST_RELATIME = 1024, 2048, 1 << 21, 4096
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_CAPBSET_DROP = 1, 4, 15, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 36, 38, 47, 4
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, BPF_INSTRUCTION_SIZE = 1, 4, 8
SECCOMP = {"x86_64": 317, "aarch64": 277}
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
M_ARENA_MAX = -8
#: Calls of Linux 5.2 (the first two) and 5.12, which have the same numbers on every machine in PIVOT_ROOT.
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = -100, 0x1000, 0x8000, 1, 4
CLONE = {"x86_64": 56, "aarch64": 220, "armv7l": 120, "ppc64le": 120, "s390x": 120, "riscv64": 220}
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "armv7l": 218, "ppc64le": 203, "s390x": 217, "riscv64": 41}

#: The types of file systems that fstatfs returns, see statfs(2).
PROC_FILES, SYS_FILES, TERMINAL_FILES = 0x9FA0, 0x62656572, 0x1CD1

#: Docker's default set, the privileges that root has in a container.
CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
LAST_CAPABILITY, CAPABILITY_VERSION = 63, 0x20080522

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


def bind(source: str, target: str) -> None:
    """Mount a file or a directory, with everything that is mounted below it, at a second path."""
    mount(source, target, flags=MS_BIND | MS_REC)


def move(source: str, target: str) -> None:
    """Move a mount, with everything that is mounted below it, to another path."""
    mount(source, target, flags=MS_MOVE)


def clone_mount(place: int) -> int:
    """Copy the mount that an open place is in, beginning at the place, without mounts below. Return its descriptor."""
    flags = OPEN_TREE_CLONE | AT_EMPTY_PATH | os.O_CLOEXEC
    descriptor = int(_libc.syscall(OPEN_TREE, place, b"", ctypes.c_uint(flags)))
    _check(descriptor, "open_tree")
    return descriptor


def attach(mount_descriptor: int, target: str) -> None:
    """Mount what `clone_mount` returned at a path."""
    flags = ctypes.c_uint(MOVE_MOUNT_F_EMPTY_PATH)
    _check(_libc.syscall(MOVE_MOUNT, mount_descriptor, b"", AT_FDCWD, target.encode(), flags), f"move_mount {target}")


def restrict(target: str, flags: int) -> None:
    """Add flags such as MS_RDONLY to the mount at a path, and to all mounts below it."""
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)  # these flags have the same numbers in both system calls
    arguments = (AT_FDCWD, target.encode(), AT_RECURSIVE, attributes, ctypes.c_size_t(len(attributes)))
    try:
        _check(_libc.syscall(MOUNT_SETATTR, *arguments), f"mount_setattr {target}")
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):  # a seccomp filter refuses unknown calls with EPERM
            raise
        for path in _mounts_below(target):
            remount(path, flags)


def remount(target: str, flags: int) -> None:
    """Add flags to a mount. Its own flags are repeated, since in a user namespace the kernel refuses to drop them."""
    current = os.statvfs(target).f_flag
    repeated = current & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)
    repeated |= MS_RELATIME if current & ST_RELATIME else 0
    mount("", target, flags=MS_BIND | MS_REMOUNT | repeated | flags)


def _mounts_below(target: str) -> list[str]:
    """Return the paths of the mount at a path, and of all mounts below it."""
    with open("/proc/self/mountinfo", "rb") as file:  # noqa: PTH123
        rows = [line.split(b" ") for line in file]
    # spaces and the like are written as octal numbers
    paths = {row[0]: os.fsdecode(row[4].decode("unicode_escape").encode("latin-1")) for row in rows}
    tree = [next(row[0] for row in reversed(rows) if paths[row[0]] == target)]  # the last of several is on top
    for identity in tree:
        tree += [row[0] for row in rows if row[1] == identity]
    return [paths[identity] for identity in tree]


def file_system_type(descriptor: int) -> int:
    """Return the type of the file system that an open file is in, such as PROC_FILES."""
    buffer = ctypes.create_string_buffer(256)
    _check(_libc.fstatfs(descriptor, buffer), "fstatfs")
    # the type comes first; it is a machine word, except on s390x
    return int((ctypes.c_uint if os.uname().machine == "s390x" else ctypes.c_ulong).from_buffer(buffer).value)


def pivot_root(root: int) -> None:
    """Make an open directory, at which something is mounted, the root; detach the old root."""
    os.fchdir(root)
    _check(_libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", MNT_DETACH), "umount old root")
    os.chdir("/")


def prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def set_name(name: str) -> None:
    """Set the short name of this process, which `ps -o comm` shows."""
    _check(_libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0), "prctl PR_SET_NAME")


def load_seccomp(program: bytes) -> None:
    """Load a seccomp filter, a BPF program. It needs CAP_SYS_ADMIN or PR_SET_NO_NEW_PRIVS, see seccomp(2).

    Before Linux 5.16, a filter without SPEC_ALLOW also makes the whole program slower, which Docker avoids, too.
    """
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // BPF_INSTRUCTION_SIZE, ctypes.addressof(instructions))
    number = SECCOMP[os.uname().machine]
    _check(_libc.syscall(number, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, header), "seccomp")


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


def fork_sibling() -> int:
    """Fork a process that is a child of this one's parent. Return its pid; 0 in the new process.

    Python itself is told nothing, so this is only for a process with one thread.
    """
    arguments = (CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if os.uname().machine == "s390x":
        arguments = (0, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0)
    pid = int(_libc.syscall(CLONE[os.uname().machine], *map(ctypes.c_ulong, arguments)))
    _check(pid, "clone")
    return pid


def set_domain_name(name: str) -> None:
    """Set the NIS domain name of this namespace, which the command `domainname` shows."""
    raw = name.encode()
    _check(_libc.setdomainname(raw, len(raw)), "setdomainname")


def limit_capabilities(allowed: list[int]) -> None:
    """Keep every program that this process executes from gaining other capabilities than these."""
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in allowed and _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # the kernel knows no capability of this number


def set_capabilities(allowed: list[int]) -> None:
    """Give up all other capabilities. None is inheritable or ambient, so no program gains any by a file's sets."""
    header, current = struct.pack("=Ii", CAPABILITY_VERSION, 0), ctypes.create_string_buffer(24)
    _check(_libc.capget(header, current), "capget")
    permitted = struct.unpack("=6I", current.raw)[1::3]
    mask = sum(1 << capability for capability in allowed)
    low, high = permitted[0] & mask, permitted[1] & mask >> 32
    _check(_libc.capset(header, struct.pack("=6I", low, low, 0, high, high, 0)), "capset")
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


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
