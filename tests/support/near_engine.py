"""What an engine reaches as 127.0.0.1: its own network, which is this machine's or one apart from it."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading

__all__ = ["home_of", "listen_near", "network_of"]

CLONE_NEWNET = 0x40000000
HERE = "/proc/self/ns/net"


def home_of(host: str) -> int:
    """Give the process that serves a unix socket; 0 if the engine is not one of this machine, or can't be told."""
    if not host.startswith("unix://"):
        return 0
    with socket.socket(socket.AF_UNIX) as there:
        there.settimeout(10)
        there.connect(host.removeprefix("unix://"))
        size = struct.calcsize("3i")
        pid: int = struct.unpack("3i", there.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
    return pid


def network_of(pid: int) -> str:
    """Give the path of a process's network namespace if that is another than ours, else nothing.

    Raises OSError if this user may not look.
    """
    path = f"/proc/{pid}/ns/net"
    return "" if os.path.samefile(path, HERE) else path  # noqa: PTH121  (these are no files of a path's kind)


def listen_near(network: str) -> socket.socket:
    """Listen on a free port of 127.0.0.1 in a network namespace; the socket stays there, whoever accepts on it."""
    made: list[socket.socket | OSError] = []

    def enter() -> None:
        try:
            if network:
                with open(network, "rb") as door:  # noqa: PTH123
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(door.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.create_server(("127.0.0.1", 0)))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=enter)  # of its own: only that one goes there, and it ends
    thread.start()
    thread.join(10)
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]
