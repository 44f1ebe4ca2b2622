"""Takes a connection over, as attach and exec do: bytes both ways after the headers."""

from __future__ import annotations

import json
import socket
import struct
from urllib.parse import urlsplit

HEADER = struct.Struct(">BxxxI")


class Taken:
    """A connection that was taken over."""

    def __init__(self, host: str, path: str, body: object = None, seconds: float = 20) -> None:
        """Ask, and read the headers."""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(urlsplit(host).path)
        text = json.dumps(body).encode() if body is not None else b""
        lines = [f"POST {path} HTTP/1.1", "Host: engine", "Connection: Upgrade", "Upgrade: tcp"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(text)}", "", ""]
        self.socket.sendall("\r\n".join(lines).encode() + text)
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(1)
        self.status = int(head.split()[1])
        self.headers = head.decode().splitlines()[1:]

    def __enter__(self) -> Taken:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send some bytes."""
        self.socket.sendall(data)

    def half_close(self) -> None:
        """End our half."""
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        """Read to the end."""
        found = b""
        while data := self.socket.recv(65536):
            found += data
        return found

    def until(self, wanted: bytes) -> bytes:
        """Read until some bytes have come."""
        found = b""
        while wanted not in found:
            data = self.socket.recv(65536)
            assert data, f"the connection ended, and {wanted!r} wasn't in {found!r}"
            found += data
        return found


def streams(data: bytes) -> tuple[bytes, bytes]:
    """Take frames apart: what came as stdout, and what as stderr."""
    found = {1: b"", 2: b""}
    while data:
        kind, length = HEADER.unpack_from(data)
        found[kind] += data[HEADER.size : HEADER.size + length]
        data = data[HEADER.size + length :]
    return found[1], found[2]
