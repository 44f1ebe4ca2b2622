"""The spawner: one small process an engine that has all loaded what a shim needs, and forks one for each start.

`python -S -m dockerlab.engine.processes.shim.spawner` with a socket as its input. A message is a directory, with two
handles: what is to be the shim's input and its output. A shim that it forks belongs to nobody, and outlives it; it
ends with its engine.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys

from dockerlab.engine.processes.shim import __main__

LONGEST = 4096


def serve(link: socket.socket) -> None:
    """Fork a shim for each message, until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a shim ended
    gc.freeze()  # what is loaded stays shared with all of them
    while True:
        data, handles, _, _ = socket.recv_fds(link, LONGEST, 2)
        if not data:
            return
        if os.fork() == 0:
            link.close()
            _become(data.decode(), handles)
        for handle in handles:
            os.close(handle)


def _become(directory: str, handles: list[int]) -> None:
    """Be the shim of one container, to its end."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for place, handle in ((0, handles[0]), (1, handles[1]), (2, handles[1])):
            os.dup2(handle, place)
        for handle in handles:
            os.close(handle)
        __main__.main(directory)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
