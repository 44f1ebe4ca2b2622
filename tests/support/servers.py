"""Servers for tests of clients: engines that send the bytes of a test, websocket frames, and a web server."""

from __future__ import annotations

import base64
import gc
import hashlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from processes import open_files

import dockerlab
from dockerlab import Lab
from dockerlab.endpoint.endpoint import parse
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.request import encode
from dockerlab.transport.transport import Transport

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "TEXT",
    "BytesServer",
    "FaultyEngine",
    "bytes_server",
    "faulty_engine",
    "http_response",
    "nothing_left_open",
    "open_transport",
    "send_operation",
    "web_server",
    "websocket_accept",
    "websocket_frame",
]


def read_request(connection: socket.socket) -> bytes:
    """Read one request with its body. Return b"" if the client has closed the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65536)):
            return b""
        data += piece
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", data)
    end = data.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(data) < end and (piece := connection.recv(65536)):
        data += piece
    return data


# -- a server at a unix socket -------------------------------------------------------------------------------

Respond = Callable[[socket.socket, bytes], None]


class BytesServer:
    """Listens at a unix socket. Each request goes to `respond`, together with its connection."""

    def __init__(self, path: Path, respond: Respond) -> None:
        """Listen. `requests` are the requests so far, `connections` is the number of connections so far."""
        self.url = f"unix://{path}"
        self.requests: list[bytes] = []
        self.connections = 0
        self._respond = respond
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while request := read_request(connection):
                self.requests.append(request)
                self._respond(connection, request)
        except OSError:
            return
        finally:
            connection.close()

    def hang_up(self) -> None:
        """Close every connection."""
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                connection.close()
        self._open.clear()

    def close(self) -> None:
        """Stop listening and close every connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()


@contextmanager
def bytes_server(path: Path, respond: Respond) -> Iterator[BytesServer]:
    """Run a `BytesServer` while the block runs."""
    server = BytesServer(path, respond)
    try:
        yield server
    finally:
        server.close()


def http_response(body: bytes = b"OK", *headers: str, status: str = "200 OK", version: str = "1.41") -> bytes:
    """Return the bytes of a response with a length."""
    lines = [f"HTTP/1.1 {status}", f"Api-Version: {version}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def open_transport(url: str, timeout: float = 5) -> Transport:
    """Return a transport to a server."""
    return Transport(parse(url), timeout)


def send_operation(
    transport: Transport, operation: str = "SystemPing", timeout: float | None = None, /, **arguments: Any
) -> Exchange:
    """Send one request of an operation."""
    return transport.send(encode(OPERATIONS[operation], arguments, "1.41"), timeout)


# -- an engine that fails ------------------------------------------------------------------------------------

PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 2\r\n\r\nOK"
#: The bytes of a response, or a function that receives the request and yields them piece by piece.
Response = bytes | Callable[[bytes], Iterable[bytes]]


class FaultyEngine:
    """Listens at a TCP port, answers a ping, and every other request with the bytes of a test.

    `end` says what follows: fin and rst close the connection, stall sends nothing more, keep waits for a request.
    """

    def __init__(self, response: Response, end: str) -> None:
        """Listen. `received` is what clients send while it stalls, `sent` is the number of bytes of its responses."""
        self._response, self._end = response, end
        self.received = b""
        self.sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(20)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := read_request(connection):
                    if b"/_ping " in request.split(b"\r\n", 1)[0]:
                        connection.sendall(PONG)
                        continue
                    self._respond(connection, request)
                    if self._end != "keep":
                        return
            except OSError:  # the client has closed the connection
                return

    def _respond(self, connection: socket.socket, request: bytes) -> None:
        for piece in [self._response] if isinstance(self._response, bytes) else self._response(request):
            connection.sendall(piece)
            self.sent += len(piece)
        if self._end == "rst":
            time.sleep(0.02)  # a reset discards what the client has not received yet
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self._end == "stall":
            while piece := connection.recv(65536):
                self.received += piece

    def close(self) -> None:
        """Stop listening, and wait until every connection has ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def faulty_engine(response: Response, end: str = "fin", timeout: float = 5) -> Iterator[tuple[Lab, FaultyEngine]]:
    """Give a Lab on a `FaultyEngine`. Afterwards neither of them may have left a file or a thread."""
    with nothing_left_open():
        engine = FaultyEngine(response, end)
        try:
            with dockerlab.connect(engine.url, timeout=timeout) as lab:
                yield lab, engine
        finally:
            engine.close()


@contextmanager
def nothing_left_open(seconds: float = 5) -> Iterator[None]:
    """Fail if the block leaves a file or a thread behind."""
    files, threads = open_files(), threading.active_count()
    yield
    end = time.monotonic() + seconds
    while open_files() > files or threading.active_count() > threads:
        assert time.monotonic() < end, f"left open: files {files} -> {open_files()}, {threading.enumerate()}"
        gc.collect()
        time.sleep(0.02)


# -- the engine's side of a websocket ------------------------------------------------------------------------

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9


def websocket_frame(opcode: int, data: bytes = b"", final: bool = True) -> bytes:
    """Return a frame, unmasked as a server sends it."""
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return bytes([opcode | (0x80 if final else 0)]) + size + data


def websocket_accept(request: bytes) -> bytes:
    """Return the response that accepts a websocket."""
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
    assert key is not None
    digest = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
    return b"\r\n".join([*lines, b"Sec-WebSocket-Accept: " + digest, b"", b""])


# -- a web server --------------------------------------------------------------------------------------------


@contextmanager
def web_server(files: Mapping[str, tuple[bytes, dict[str, str]]]) -> Iterator[tuple[str, list[str]]]:
    """Serve files, by path, with their content and headers. Give the address and the list of requested paths."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            if self.path not in files:
                self.send_error(404, "File not found")
                return
            data, headers = files[self.path]
            self.send_response(302 if "Location" in headers else 200)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
