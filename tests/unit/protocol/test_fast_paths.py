"""The undocumented names of the fast paths still exist, and the plain way without them does the same."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import urllib3.connection
from servers import BytesServer, bytes_server

import dockerlab
from dockerlab.groups import logs
from dockerlab.protocol import fast_paths
from dockerlab.transport.http_response import HttpResponse

HEAD = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nTransfer-Encoding: chunked\r\n\r\n"
BLOCK = bytes(range(256)) * 1000


def chunked(pieces: list[bytes]) -> bytes:
    return HEAD + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def frame(line: bytes) -> bytes:
    return struct.pack(">BxxxI", 1, len(line)) + line


#: A log of many short chunks, events, a file of three long chunks.
RESPONSES = {
    b"/logs": chunked([frame(b"line %d\n" % number) for number in range(5000)]),
    b"/events": chunked([b'{"Type": "container", "time": %d}\n' % number for number in range(500)]),
    b"/export": chunked([BLOCK, BLOCK, BLOCK]),
    b"/_ping": chunked([b"OK"]),
}
TASKS: dict[str, Callable[[Any], Any]] = {
    "a log": lambda lab: lab.container.logs("web", tty=False),
    "a log, line by line": lambda lab: list(lab.container.logs("web", tty=False, follow=True)),
    "events": lambda lab: lab.system.events(since=1, until=2),
    "events, one by one": lambda lab: list(lab.system.events()),
    "bytes of a file": lambda lab: b"".join(lab.open("ContainerExport", id="web").chunks()),
    "a whole body": lambda lab: lab.call("SystemPing").text,
}


def respond(connection: socket.socket, request: bytes) -> None:
    connection.sendall(next(response for path, response in RESPONSES.items() if path in request))


def plain_response(server: BytesServer) -> http.client.HTTPResponse:
    """Send a request with http.client alone, and return the response, whose body was not read."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(server.url.removeprefix("unix://"))
    connection.request("GET", "/_ping")
    return connection.getresponse()


NAMES = [(owner, name) for owner, names in fast_paths.UNDOCUMENTED.items() for name in names]


@pytest.mark.parametrize(("owner", "name"), NAMES)
def test_the_libraries_still_have_the_names_of_the_fast_paths(owner: str, name: str, tmp_path: Path) -> None:
    with bytes_server(tmp_path / "s", respond) as server, plain_response(server) as response:
        owners = {
            "http.client.HTTPConnection": http.client.HTTPConnection,
            "http.client.HTTPResponse": response,
            "pandas.DataFrame": pd.DataFrame,
        }
        assert hasattr(owners[owner], name), (
            f"{owner}.{name} has disappeared. dockerlab/protocol/fast_paths.py now takes the plain way, which is "
            "correct but slower; its first lines say by how much. Replace the name, or remove that fast path."
        )


HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nApi-Version: 1.51\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Long: one\r\n  two\r\nX-Long: three\r\nEmpty:\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 4\nName: \xe4\xf6\n\n",
]
BROKEN_HEADS = [
    b"", b"HTTP/1.1", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 99 Low\r\n\r\n", b"HTTP/1.1 1000 High\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Le",
]  # fmt: skip


def head_of(data: bytes, method: str) -> dict[str, Any]:
    """Return what a response knows after reading this head."""
    client, server = socket.socketpair()
    with client, server:
        server.sendall(data)
        server.shutdown(socket.SHUT_WR)
        response: Any = HttpResponse(client, method=method)
        response.begin()
        names = ("version", "status", "reason", "chunked", "length", "will_close")
        return {"headers": response.getheaders()} | {name: getattr(response, name) for name in names}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("head", HEADS)
def test_a_head_is_read_as_by_http_client(head: bytes, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = head_of(head, method)
    monkeypatch.setattr(fast_paths, "can_read_head", lambda response: False)
    plain = head_of(head, method)
    # http.client keeps the line end inside a continued header
    plain["headers"] = [(name, " ".join(value.split())) for name, value in plain["headers"]]
    assert fast == plain


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("head", BROKEN_HEADS)
def test_a_broken_head_is_an_error(head: bytes, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if plain:
        monkeypatch.setattr(fast_paths, "can_read_head", lambda response: False)
    with pytest.raises(http.client.HTTPException):
        head_of(head, "GET")


def test_the_fast_path_is_used(tmp_path: Path) -> None:
    with bytes_server(tmp_path / "s", respond) as server, dockerlab.connect(server.url) as lab:
        pieces = list(lab.open("ContainerLogs", id="web", stdout=True).chunks(1 << 20))
    assert len(pieces) < 500, (
        "5,000 chunks came one by one: http.client.HTTPResponse no longer calls `begin`, or "
        "http.client.HTTPConnection no longer uses `response_class`; see dockerlab/protocol/fast_paths.py."
    )


def test_connections_of_urllib3_are_connections_of_http_client() -> None:
    assert issubclass(urllib3.connection.HTTPConnection, http.client.HTTPConnection), (
        "urllib3.connection.HTTPConnection is no longer a http.client.HTTPConnection, although its documentation says "
        "so. dockerlab/transport/pools.py relies on it: derive DirectConnection's subclasses from http.client's own."
    )


@pytest.mark.parametrize("task", TASKS)
def test_the_plain_way_does_the_same(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_PAUSES", 10)
    with bytes_server(tmp_path / "s", respond) as server, dockerlab.connect(server.url) as lab:
        fast = TASKS[task](lab)
        monkeypatch.setattr(fast_paths, "chunk_reader", lambda response: None)
        monkeypatch.setattr(fast_paths, "can_read_head", lambda response: False)
        monkeypatch.delattr(pd.DataFrame, "_from_arrays")
        plain = TASKS[task](lab)
    if isinstance(fast, pd.DataFrame):
        pd.testing.assert_frame_equal(fast, plain)
    else:
        assert fast == plain
    assert len(fast)


@pytest.mark.parametrize("attributes", [{"chunked": True}, {"fp": socket.socket}, {"chunked": True, "fp": object()}])
def test_a_response_that_lacks_a_name_is_read_by_http_client(attributes: dict[str, Any]) -> None:
    assert fast_paths.chunk_reader(SimpleNamespace(**attributes)) is None  # type: ignore[arg-type]
