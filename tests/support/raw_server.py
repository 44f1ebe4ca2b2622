"""A server beside an engine whose answers are any bytes, so that a test can be a hostile registry or web server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from engines import listen_in_namespace, network_namespace
from plain_http import engine_pid

__all__ = ["RawServer", "raw_server"]


class RawServer:
    """Listens on a free port, and sends to each request what `answer` returns for it. Then it closes the connection."""

    def __init__(self, host: str, answer: Callable[[bytes], Iterable[bytes]]) -> None:
        """Listen in the network namespace of the engine at an address."""
        self._answer = answer
        self._listener = listen_in_namespace(network_namespace(engine_pid(host)))
        self.name = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = threading.Semaphore(0)  #: released for each request
        self.end = threading.Event()  #: set when the server ends: an answer may wait for it
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # the engine may leave at any time
            request = b""
            while b"\r\n\r\n" not in request:
                if not (piece := connection.recv(1 << 16)):
                    return
                request += piece
            self.requests.release()
            for block in self._answer(request):
                connection.sendall(block)

    def close(self) -> None:
        """Accept no more connections, and end the answers that wait."""
        self.end.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@contextmanager
def raw_server(host: str, answer: Callable[[bytes], Iterable[bytes]]) -> Iterator[RawServer]:
    """Run a `RawServer` beside an engine while the block runs."""
    server = RawServer(host, answer)
    try:
        yield server
    finally:
        server.close()
