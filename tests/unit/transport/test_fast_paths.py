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
from dockerlab.transport import fast_paths, http_response

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


@pytest.mark.parametrize("name", fast_paths.UNDOCUMENTED)
def test_http_client_has_the_names_of_the_fast_path(name: str, tmp_path: Path) -> None:
    kind, _, attribute = name.partition(".")
    with bytes_server(tmp_path / "s", respond) as server, plain_response(server) as response:
        owner = response if kind == "HTTPResponse" else http.client.HTTPConnection
        assert hasattr(owner, attribute), (
            f"http.client.{name} has disappeared from this Python. dockerlab/transport/fast_paths.py used it to read "
            "many chunks at once; now logs take about twice the time. Find its replacement, or remove the fast path."
        )


def test_the_fast_path_is_used(tmp_path: Path) -> None:
    with bytes_server(tmp_path / "s", respond) as server, dockerlab.connect(server.url) as lab:
        pieces = list(lab.open("ContainerLogs", id="web", stdout=True).chunks(1 << 20))
    assert len(pieces) < 500, (
        "5,000 chunks came one by one: http.client.HTTPResponse no longer calls `begin`, or "
        "http.client.HTTPConnection no longer uses `response_class`; see dockerlab/transport/fast_paths.py."
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
        monkeypatch.setattr(http_response, "chunk_reader", lambda response: None)
        plain = TASKS[task](lab)
    if isinstance(fast, pd.DataFrame):
        pd.testing.assert_frame_equal(fast, plain)
    else:
        assert fast == plain
    assert len(fast)


@pytest.mark.parametrize("attributes", [{"chunked": True}, {"fp": socket.socket}, {"chunked": True, "fp": object()}])
def test_a_response_that_lacks_a_name_is_read_by_http_client(attributes: dict[str, Any]) -> None:
    assert fast_paths.chunk_reader(SimpleNamespace(**attributes)) is None  # type: ignore[arg-type]
