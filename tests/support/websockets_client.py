"""A websocket client of a few lines, on the frames of wsproto."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.utilities import generate_accept_token


def messages(host: str, path: str, key: str, send: bytes, seconds: float = 20) -> bytes:
    """Shake hands, send one message, and give all that comes until the goodbye."""
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(seconds)
    opened.connect(urlsplit(host).path)
    lines = [f"GET {path} HTTP/1.1", "Host: engine", "Connection: Upgrade", "Upgrade: websocket"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
    opened.sendall("\r\n".join(lines).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += opened.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    assert generate_accept_token(key.encode()) in head
    frames, found = Connection(ConnectionType.CLIENT), b""
    opened.sendall(frames.send(BytesMessage(data=send)))
    while True:
        data = opened.recv(65536)
        frames.receive_data(data or None)
        for event in frames.events():
            if isinstance(event, BytesMessage):
                found += bytes(event.data)
            elif isinstance(event, TextMessage):
                found += event.data.encode()
            elif isinstance(event, CloseConnection):
                opened.close()
                return found
        if not data:
            return found
