"""Requests to other hosts, which end at once when the work of their thread is cancelled.

A thread that waits for a silent host can't check whether it has been cancelled, so its sockets are shut down. Only the
search for an address and the connecting itself are not interrupted; they have their own, shorter limit of time.
"""

from __future__ import annotations

import contextlib
import socket
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.cancellable_threads import interrupted_by

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["WebClient"]

CONNECT_SECONDS, READ_SECONDS = 15, 60
MOST_DRAINED_BYTES = 1 << 16


class WebClient:
    """Sends requests and reads their responses. All methods block, so call them in a thread."""

    def __init__(self) -> None:
        """Prepare the connections; nothing is sent yet."""
        import urllib3  # noqa: PLC0415  (it would slow down the start of every engine, and few send a request)

        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)
        self._pool.pool_classes_by_scheme = _pool_classes(self._sockets)
        #: ValueError: the length of a chunk is no number, or a redirect leads to what is no URL.
        self.errors: tuple[type[Exception], ...] = (urllib3.exceptions.HTTPError, OSError, ValueError)

    def request(self, method: str, url: str, **more: Any) -> BaseHTTPResponse:
        """Send a request and read the head of the response. Raises what is in `errors`."""
        with interrupted_by(self._interrupt):
            return self._pool.request(method, url, preload_content=False, **more)

    def read(self, response: BaseHTTPResponse, most: int) -> bytes:
        """Return the next bytes of a response's body; b"" at its end. Raises what is in `errors`."""
        with interrupted_by(self._interrupt):
            return response.read(most)

    def raw_blocks(self, response: BaseHTTPResponse, size: int) -> Iterator[bytes]:
        """Yield a response's body as it was sent, even if it is compressed. Raises what is in `errors`."""
        blocks = response.stream(size, decode_content=False)
        while True:
            with interrupted_by(self._interrupt):
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def drain(self, response: BaseHTTPResponse) -> None:
        """Read the rest of a response if it is short. Otherwise close the connection: the rest may never end."""
        with interrupted_by(self._interrupt), contextlib.suppress(*self.errors):
            if len(response.read(MOST_DRAINED_BYTES, decode_content=False)) < MOST_DRAINED_BYTES:
                return
        response.close()

    def close(self) -> None:
        self._pool.clear()

    def _interrupt(self) -> None:
        for each in list(self._sockets):
            with contextlib.suppress(OSError):  # it is closed already
                # An SSLSocket's own method would also end the encryption, while another thread reads.
                socket.socket.shutdown(each, socket.SHUT_RDWR)


def _pool_classes(sockets: weakref.WeakSet[socket.socket]) -> dict[str, Any]:
    """Return urllib3's pools by scheme, with connections that add their sockets to a set."""
    from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool  # noqa: PLC0415

    class Connection(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class SecureConnection(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}
