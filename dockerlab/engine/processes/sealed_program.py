"""A sealed copy of this Python interpreter, from which the processes that enter a container run.

A program in a container may reach the program file of such a process as `/proc/self/exe` or `/proc/1/exe`, for example
as its own entrypoint. If that were the interpreter's own file, root in the container could change its mode, or write
into it. A memory file with seals never changes, and a mode has no meaning for it: nobody executes it a second time.
It costs its size in memory, once per engine: 7 MB for Debian's python3, next to nothing where Python is in libpython.
A read-only mount of the file would cost no memory, but only root could make it, and a privileged container undo it.
An unlinked copy on a disk would not do either: root in a container could write into it as soon as nobody executes it,
and on some kernels even before. So where `vm.memfd_noexec` is 2, the interpreter's own file is run, and `docker info`
warns about that.

The libraries that it loads, such as libpython, are not reachable in this way: /proc/PID/map_files demands
CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE on the machine.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys

__all__ = ["environment", "is_possible", "open_interpreter"]

#: Without this flag, kernels from 6.3 on warn; older ones don't know it.
MFD_EXEC = 0x10
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
CHUNK = 1 << 30


def open_interpreter() -> int:
    """Return a descriptor of a sealed copy of this interpreter. Raise OSError where that is not possible."""
    copy = _memory_file("python")
    try:
        with open(sys.executable, "rb", buffering=0) as program:  # noqa: PTH123
            while os.sendfile(copy, program.fileno(), None, CHUNK):
                pass
        fcntl.fcntl(copy, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(copy)
        raise
    return copy


def environment() -> dict[str, str]:
    """Return the variables with which a copy finds a libpython that this interpreter has found beside its own file."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        libraries = [line.split(maxsplit=5)[5].strip() for line in file if "/libpython" in line]
    return {"LD_LIBRARY_PATH": os.path.dirname(libraries[0])} if libraries else {}  # noqa: PTH120


def is_possible() -> bool:
    """Tell whether this machine lets a program run from memory."""
    try:
        os.close(_memory_file("probe"))
    except OSError:
        return False
    return True


def _memory_file(name: str) -> int:
    """Return a file in memory that can be executed. Raise OSError where the machine forbids that."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(name, flags | MFD_EXEC)
    except PermissionError:
        # The kernel would still make a file, but one that nobody can execute.
        raise PermissionError(errno.EACCES, "vm.memfd_noexec forbids programs in memory") from None
    except OSError:
        return os.memfd_create(name, flags)  # this kernel doesn't know MFD_EXEC
