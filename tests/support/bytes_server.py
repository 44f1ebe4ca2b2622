"""A server that says the bytes it was told to: for the ways in which a connection can go wrong."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dockerlab.endpoint.endpoint import parse
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.request import encode
from dockerlab.transport.transport import Transport

Talk = Callable[[socket.socket, bytes], None]


class BytesServer:
    """Listens at a unix socket; each request it hears goes to `talk`, with the connection."""

    def __init__(self, path: Path, talk: Talk) -> None:
        """Listen; `requests` are the heads that were heard, `connections` how many there were."""
        self.url = f"unix://{path}"
        self.requests: list[bytes] = []
        self.connections = 0
        self._talk = talk
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                opened, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(opened)
            threading.Thread(target=self._serve, args=(opened,), daemon=True).start()

    def _serve(self, opened: socket.socket) -> None:
        try:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    if not (more := opened.recv(65536)):
                        return
                    head += more
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                whole = head.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
                while len(head) < whole and (more := opened.recv(65536)):
                    head += more
                self.requests.append(head)
                self._talk(opened, head)
        except OSError:
            return
        finally:
            opened.close()

    def hang_up(self) -> None:
        """Close every connection."""
        for opened in self._open:
            try:
                opened.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                opened.close()
        self._open.clear()

    def close(self) -> None:
        """Close everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()


@contextmanager
def serving(path: Path, talk: Talk) -> Iterator[BytesServer]:
    """Serve while the block runs."""
    server = BytesServer(path, talk)
    try:
        yield server
    finally:
        server.close()


def answer(body: bytes = b"OK", *headers: str, status: str = "200 OK", version: str = "1.41") -> bytes:
    """Write an answer with a length."""
    lines = [f"HTTP/1.1 {status}", f"Api-Version: {version}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def transport(url: str, timeout: float = 5) -> Transport:
    """Make a transport."""
    return Transport(parse(url), timeout)


def ask(
    opened: Transport, operation: str = "SystemPing", timeout: float | None = None, /, **arguments: Any
) -> Exchange:
    """Send one request of an operation."""
    return opened.send(encode(OPERATIONS[operation], arguments, "1.41"), timeout)
