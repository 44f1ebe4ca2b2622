"""A container's terminal: it belongs to the container's own /dev/pts, so that programs inside can find its name.

The child opens it inside the container, and sends the other end to the shim, which is outside.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from dockerlab.engine.processes import syscalls

TIOCSCTTY, TIOCSWINSZ, TIOCSPTLCK, TIOCGPTN = 0x540E, 0x5414, 0x40045431, 0x80045430
PTS, CONSOLE = "/dev/pts", "/dev/console"


def open_in_container(owner: int, link: int, console: bool) -> int:
    """Open a terminal, send its other end through a socket, and return the program's end.

    The terminal of a container's main process is its console, too.
    """
    other_end = os.open(f"{PTS}/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(other_end, TIOCSPTLCK, struct.pack("i", 0))
    (number,) = struct.unpack("i", fcntl.ioctl(other_end, TIOCGPTN, struct.pack("i", 0)))
    program_end = os.open(f"{PTS}/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    os.fchown(program_end, owner, -1)
    if console:
        os.close(os.open(CONSOLE, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        syscalls.bind(f"{PTS}/{number}", CONSOLE)
    with socket.socket(fileno=link) as connection:
        socket.send_fds(connection, [b"."], [other_end])
    os.close(other_end)
    return program_end


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
