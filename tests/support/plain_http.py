"""Clients of an engine that are not dockerlab, so that an error of the client under test can't hide itself.

Plain requests, hijacked connections and websockets. Only the standard library is imported at the top, because other
clients' test environments use this module, too.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import sys
from typing import Any
from urllib.parse import quote, urlsplit

FRAME_HEADER = struct.Struct(">BxxxI")


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection(host: str, timeout: float = 30) -> http.client.HTTPConnection:
    """Return a connection to an engine, whose address is written as in DOCKER_HOST."""
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return UnixConnection(parts.path, timeout)
    return http.client.HTTPConnection(parts.hostname or "localhost", parts.port, timeout=timeout)


def ask(host: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send one request. Return the status and the decoded JSON, which is None if there is no body."""
    client = connection(host)
    try:
        text = None if body is None else json.dumps(body)
        client.request(method, path, body=text, headers={"Content-Type": "application/json"})
        response = client.getresponse()
        data = response.read()
        return response.status, json.loads(data) if data.strip() else None
    finally:
        client.close()


def send_raw(
    host: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Send one request, by default with a tar as its body. Return the status, the bytes and the headers."""
    client = connection(host, 60)
    try:
        client.request(
            method, path, body=body or None, headers={"Content-Type": "application/x-tar", **(headers or {})}
        )
        response = client.getresponse()
        return response.status, response.read(), dict(response.getheaders())
    finally:
        client.close()


def json_lines(data: bytes) -> list[dict[str, Any]]:
    """Return the JSON documents of a body that has one per line."""
    return [json.loads(line) for line in data.splitlines() if line.strip()]


def container_output(host: str, container: str) -> str:
    """Return a container's log, both streams in their order."""
    _, data, _ = send_raw(host, "GET", f"/containers/{container}/logs?stdout=1&stderr=1")
    text = b""
    while data:
        _, length = FRAME_HEADER.unpack_from(data)
        text, data = text + data[FRAME_HEADER.size : FRAME_HEADER.size + length], data[FRAME_HEADER.size + length :]
    return text.decode()


def remove_container(host: str, container: str) -> None:
    """Remove a container with its anonymous volumes, if it exists.

    It is killed first: Podman waits 10 s before it removes a running container, even with force=1.
    """
    ask(host, "POST", f"/containers/{container}/kill")
    ask(host, "DELETE", f"/containers/{container}?force=1&v=1")


def labelled_containers(host: str, label: str) -> list[str]:
    """Return the ids of all containers that have a label."""
    filters = quote(json.dumps({"label": [label]}))
    status, containers = ask(host, "GET", f"/containers/json?all=1&filters={filters}")
    assert status == 200, containers
    return [container["Id"] for container in containers]


def engine_pid(host: str) -> int:
    """Return the pid of the process that listens at an engine's unix socket, or 0 for other addresses."""
    parts = urlsplit(host)
    if parts.scheme != "unix":
        return 0
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(parts.path)
        return int.from_bytes(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)


# -- hijacked connections ------------------------------------------------------------------------------------


class HijackedConnection:
    """A connection that attach or exec start has taken over: bytes in both directions after the headers."""

    def __init__(self, host: str, path: str, body: object = None, seconds: float = 20) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(urlsplit(host).path)
        text = json.dumps(body).encode() if body is not None else b""
        lines = [f"POST {path} HTTP/1.1", "Host: engine", "Connection: Upgrade", "Upgrade: tcp"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(text)}", "", ""]
        self.socket.sendall("\r\n".join(lines).encode() + text)
        head = _read_head(self.socket)
        self.status = int(head.split()[1])
        self.headers = head.decode().splitlines()[1:]

    def __enter__(self) -> HijackedConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def half_close(self) -> None:
        """End our direction of the connection."""
        self.socket.shutdown(socket.SHUT_WR)

    def read_all(self) -> bytes:
        """Read to the end."""
        data = b""
        while piece := self.socket.recv(65536):
            data += piece
        return data

    def read_until(self, expected: bytes) -> bytes:
        """Read until these bytes have come."""
        data = b""
        while expected not in data:
            piece = self.socket.recv(65536)
            assert piece, f"the connection ended, and {expected!r} wasn't in {data!r}"
            data += piece
        return data


def split_frames(data: bytes) -> tuple[bytes, bytes]:
    """Return the bytes of stdout and those of stderr."""
    output = {1: b"", 2: b""}
    while data:
        stream, length = FRAME_HEADER.unpack_from(data)
        output[stream] += data[FRAME_HEADER.size : FRAME_HEADER.size + length]
        data = data[FRAME_HEADER.size + length :]
    return output[1], output[2]


def _read_head(client: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1)
    return head


# -- websockets ----------------------------------------------------------------------------------------------


def websocket_messages(host: str, path: str, key: str, message: bytes, seconds: float = 20) -> bytes:
    """Open a websocket, send one message, and return all data that comes until the engine closes it."""
    from wsproto.connection import Connection, ConnectionType
    from wsproto.events import BytesMessage, CloseConnection, TextMessage
    from wsproto.utilities import generate_accept_token

    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds)
        client.connect(urlsplit(host).path)
        lines = [f"GET {path} HTTP/1.1", "Host: engine", "Connection: Upgrade", "Upgrade: websocket"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        client.sendall("\r\n".join(lines).encode())
        head = _read_head(client)
        assert head.startswith(b"HTTP/1.1 101"), head
        assert generate_accept_token(key.encode()) in head
        frames, data = Connection(ConnectionType.CLIENT), b""
        client.sendall(frames.send(BytesMessage(data=message)))
        while True:
            piece = client.recv(65536)
            frames.receive_data(piece or None)
            for event in frames.events():
                if isinstance(event, BytesMessage):
                    data += bytes(event.data)
                elif isinstance(event, TextMessage):
                    data += event.data.encode()
                elif isinstance(event, CloseConnection):
                    return data
            if not piece:
                return data
