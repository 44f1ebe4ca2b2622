"""A container's terminal: it belongs to the container's own /dev/pts, so that programs inside can find its name.

The child opens it inside the container, and sends the other end to the shim, which is outside. No path of the container
is trusted on the way: the other end comes from a directory that is known to be a file system of terminals, and the
program's end comes from the kernel.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct

from dockerlab.engine.common.tree import OpenTree
from dockerlab.engine.processes import syscalls

TIOCSCTTY, TIOCSWINSZ, TIOCSPTLCK, TIOCGPTPEER = 0x540E, 0x5414, 0x40045431, 0x5441
MULTIPLEXER, MULTIPLEXER_DEVICE = "ptmx", os.makedev(5, 2)
OPTIONS = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


def open_in_running_container(owner: int, link: int) -> int:
    """Open a terminal in the container that this process has joined; see `open_pair`."""
    with OpenTree("/") as tree:
        terminals = tree.open("/dev/pts")
    try:
        return open_pair(terminals, owner, link)
    finally:
        os.close(terminals)


def open_pair(terminals: int, owner: int, link: int) -> int:
    """Open a terminal in an open directory, send its other end through a socket, and return the program's end."""
    other_end = -1
    if syscalls.file_system_type(terminals) == syscalls.TERMINAL_FILES:
        other_end = os.open(MULTIPLEXER, OPTIONS | os.O_NOFOLLOW, dir_fd=terminals)
    if other_end < 0 or not _is_terminal(other_end):
        raise OSError(errno.ENODEV, "/dev/pts/ptmx does not open terminals")
    fcntl.ioctl(other_end, TIOCSPTLCK, struct.pack("i", 0))
    program_end = fcntl.ioctl(other_end, TIOCGPTPEER, OPTIONS)
    os.fchown(program_end, owner, -1)
    with socket.socket(fileno=link) as connection:
        socket.send_fds(connection, [b"."], [other_end])
    os.close(other_end)
    return program_end


def _is_terminal(descriptor: int) -> bool:
    """Tell whether this is the other end of a terminal: something else may be mounted in its place."""
    info = os.fstat(descriptor)
    is_device = stat.S_ISCHR(info.st_mode) and info.st_rdev == MULTIPLEXER_DEVICE
    return is_device and syscalls.file_system_type(descriptor) == syscalls.TERMINAL_FILES


def receive(connection: socket.socket) -> int:
    """Return the shim's end of a terminal, which the child sends. Raise OSError if it sends none."""
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    if not descriptors:
        raise OSError("the child has sent no terminal")
    return descriptors[0]


def make_controlling(descriptor: int, size: list[int]) -> None:
    """Make a terminal the controlling one of this session, and set its size."""
    fcntl.ioctl(descriptor, TIOCSCTTY, 0)
    if size:
        fcntl.ioctl(descriptor, TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
