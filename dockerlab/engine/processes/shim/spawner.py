"""The spawner: one small process per engine that has loaded everything a shim needs, and forks a shim for each start.

`python -S -m dockerlab.engine.processes.shim.spawner` takes a socket as its input. A message is a directory, with two
descriptors: the input and the output of the shim. Shims outlive the spawner; the spawner ends with its engine.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys

from dockerlab.engine.processes import syscalls
from dockerlab.engine.processes.shim import __main__

LONGEST_DIRECTORY, HIGHEST_FD = 4096, 65536
NAME = "dockerlab-shim"
READY = b"."


def serve(connection: socket.socket) -> None:
    """Fork a shim for each message, until the engine closes the connection."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the shims: their exit codes are of no interest
    gc.freeze()  # keeps the collector from writing to memory that all shims share
    connection.send(READY)
    while True:
        directory, descriptors, _, _ = socket.recv_fds(connection, LONGEST_DIRECTORY, 2)
        if not directory:
            return
        if os.fork() == 0:
            connection.close()
            _become_shim(directory.decode(), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _become_shim(directory: str, descriptors: list[int]) -> None:
    """Run the shim of one container in this process. Never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        shim_input, shim_output = descriptors
        for number, descriptor in enumerate((shim_input, shim_output, shim_output)):
            os.dup2(descriptor, number)
        for descriptor in descriptors:
            os.close(descriptor)
        __main__.main(directory)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(1)


if __name__ == "__main__":
    os.closerange(3, HIGHEST_FD)  # the sealed copy of the interpreter, see sealed_program.py
    syscalls.set_name(NAME)
    serve(socket.socket(fileno=0))
