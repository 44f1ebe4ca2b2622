"""Messages about unreachable hosts are Docker's own, recorded from Docker 28.5, except for durations."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import urllib3

from dockerlab.engine.common.network_errors import failure_message


def failure_of(url: str) -> str:
    """Request a URL that fails, and return the message."""
    with pytest.raises(urllib3.exceptions.HTTPError) as error:
        urllib3.PoolManager(retries=False, timeout=1).request("GET", url)
    return failure_message(error.value, url)


@pytest.fixture
def silent() -> Iterator[int]:
    """Give a port whose server accepts connections and sends nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


def test_no_listener() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        number = reserved.getsockname()[1]
    assert failure_of(f"http://127.0.0.1:{number}/v2/") == f"dial tcp 127.0.0.1:{number}: connect: connection refused"


def test_an_unknown_name() -> None:
    error = urllib3.exceptions.NameResolutionError("nosuch.invalid", urllib3.PoolManager(), socket.gaierror(-2, "?"))
    assert failure_message(error, "https://nosuch.invalid/v2/") == "dial tcp: lookup nosuch.invalid: no such host"


def test_no_response_in_time(silent: int) -> None:
    expected = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    assert failure_of(f"http://127.0.0.1:{silent}/v2/") == expected


def test_an_http_server_at_an_https_address() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        expected = "http: server gave HTTP response to HTTPS client"
        assert failure_of(f"https://127.0.0.1:{server.server_port}/v2/") == expected
        server.shutdown()
