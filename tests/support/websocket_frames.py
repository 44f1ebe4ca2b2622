"""What an engine says on a websocket, byte by byte, so that it can be wrong, too."""

from __future__ import annotations

import base64
import hashlib
import re

__all__ = ["BINARY", "GOODBYE", "MORE", "PING", "TEXT", "accepted", "frame"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY, TEXT, GOODBYE, PING, MORE = 2, 1, 8, 9, 0


def frame(kind: int, data: bytes = b"", final: bool = True) -> bytes:
    """Write a frame as an engine does."""
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return bytes([kind | (0x80 if final else 0)]) + size + data


def accepted(head: bytes) -> bytes:
    """Agree to the websocket that a request asks for."""
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
    assert key is not None
    digest = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
    return b"\r\n".join([*lines, b"Sec-WebSocket-Accept: " + digest, b"", b""])
