"""Asks an engine with the standard library only, so that a fault of the client under test can't hide itself."""

from __future__ import annotations

import http.client
import json
import socket
import sys
from typing import Any
from urllib.parse import urlsplit


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        """Remember where to connect; nothing is opened yet."""
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection(host: str, timeout: float = 30) -> http.client.HTTPConnection:
    """Connect to an engine given as a DOCKER_HOST address."""
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return UnixConnection(parts.path, timeout)
    return http.client.HTTPConnection(parts.hostname or "localhost", parts.port, timeout=timeout)


def ask(host: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send one request; give back the status and the decoded JSON, or None when there is no body."""
    opened = connection(host)
    try:
        text = None if body is None else json.dumps(body)
        opened.request(method, path, body=text, headers={"Content-Type": "application/json"})
        answer = opened.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data.strip() else None
    finally:
        opened.close()


def listener(host: str) -> int:
    """Give the pid of the process that listens at an engine's socket."""
    with socket.socket(socket.AF_UNIX) as opened:
        opened.settimeout(10)
        opened.connect(urlsplit(host).path)
        return int.from_bytes(opened.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
