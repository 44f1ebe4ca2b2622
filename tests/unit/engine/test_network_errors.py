"""Why a host could not be reached is said in Docker's words, which were recorded from Docker 28.5 but for times."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import urllib3

from dockerlab.engine.common.network_errors import failure_message


def said(url: str) -> str:
    """Ask for a URL that can't be had; give the words."""
    with pytest.raises(urllib3.exceptions.HTTPError) as refused:
        urllib3.PoolManager(retries=False, timeout=1).request("GET", url)
    return failure_message(refused.value, url)


@pytest.fixture
def silent() -> Iterator[int]:
    """Give a port at which somebody listens and says nothing."""
    with socket.socket() as heard:
        heard.bind(("127.0.0.1", 0))
        heard.listen(8)
        yield heard.getsockname()[1]


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        number = bound.getsockname()[1]
    assert said(f"http://127.0.0.1:{number}/v2/") == f"dial tcp 127.0.0.1:{number}: connect: connection refused"


def test_a_name_that_nobody_has() -> None:
    error = urllib3.exceptions.NameResolutionError("nosuch.invalid", urllib3.PoolManager(), socket.gaierror(-2, "?"))
    assert failure_message(error, "https://nosuch.invalid/v2/") == "dial tcp: lookup nosuch.invalid: no such host"


def test_no_answer_in_time(silent: int) -> None:
    expected = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    assert said(f"http://127.0.0.1:{silent}/v2/") == expected


def test_it_speaks_http_where_https_is_meant() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        expected = "http: server gave HTTP response to HTTPS client"
        assert said(f"https://127.0.0.1:{server.server_port}/v2/") == expected
        server.shutdown()
