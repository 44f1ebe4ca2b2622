"""Accepts connections on a unix socket, and waits when there are no file descriptors left.

asyncio's own server would try again at once, hundreds of times, and log each failure.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Callable, Sized
from pathlib import Path

__all__ = ["Listener"]

BACKLOG = 512
RETRY_SECONDS = 0.2
#: So many file descriptors are kept free of connections, because answering a request takes some, too.
RESERVED = 32
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
log = logging.getLogger("dockerlab.engine")


class Listener:
    """A listening socket that only its user can connect to."""

    def __init__(
        self,
        path: Path,
        accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None],
        connections: Sized,
    ) -> None:
        """Listen on a path, and call `accept` for each client. `connections` are those that are open."""
        self._accept, self._connections = accept, connections
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = limit - max(RESERVED, limit // 4)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket, self._accept_waiting)

    def close(self) -> None:
        """Accept no more connections; those that are open continue."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _accept_waiting(self) -> None:
        for _ in range(BACKLOG):
            if len(self._connections) + len(self._tasks) >= self._most:
                self._pause(f"{self._most} clients are connected, which is as many as there can be")
                return
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self._pause((error.strerror or "").lower())
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._open(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _pause(self, reason: str) -> None:
        """Let new clients wait for a moment."""
        log.warning("new clients have to wait: %s", reason)
        self._loop.remove_reader(self._socket)
        self._loop.call_later(RETRY_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept_waiting)

    async def _open(self, connection: socket.socket) -> None:
        reader = asyncio.StreamReader(loop=self._loop)
        protocol = asyncio.StreamReaderProtocol(reader, self._accept, loop=self._loop)
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connection)
        except OSError:
            connection.close()
