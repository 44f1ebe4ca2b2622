"""A container's terminal: one of its own /dev/pts, so that programs in there find its name.

The child makes it there, and gives the other end to the shim, which is outside.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from dockerlab.engine.processes import linux

TIOCSCTTY, TIOCSWINSZ, TIOCSPTLCK, TIOCGPTN = 0x540E, 0x5414, 0x40045431, 0x80045430
NAMES, CONSOLE = "/dev/pts", "/dev/console"


def make(owner: int, link: int, console: bool) -> int:
    """Make a terminal, give its other end through a socket, and give ours; a container's first one is its console."""
    other = os.open(f"{NAMES}/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(other, TIOCSPTLCK, struct.pack("i", 0))
    (number,) = struct.unpack("i", fcntl.ioctl(other, TIOCGPTN, struct.pack("i", 0)))
    ours = os.open(f"{NAMES}/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    os.fchown(ours, owner, -1)
    if console:
        os.close(os.open(CONSOLE, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        linux.bind(f"{NAMES}/{number}", CONSOLE)
    with socket.socket(fileno=link) as opened:
        socket.send_fds(opened, [b"."], [other])
    os.close(other)
    return ours


def received(link: socket.socket) -> int:
    """Take the other end of a terminal. Raises OSError."""
    _, handles, _, _ = socket.recv_fds(link, 1, 1)
    if not handles:
        raise OSError("there is no terminal")
    return handles[0]


def control(handle: int, size: list[int]) -> None:
    """Make a terminal this session's own, and give it its size."""
    fcntl.ioctl(handle, TIOCSCTTY, 0)
    if size:
        fcntl.ioctl(handle, TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
