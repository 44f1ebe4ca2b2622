"""The judge finds wrong responses, whichever client reads them and in whatever pieces, and accepts correct ones."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests
import urllib3
from judge import Judge, judging
from processes import serving_in_thread

CORRECT = b'[{"Id":"a","Names":["/a"],"Created":1}]\n'
WRONG = b'[{"Id":"a","Names":"/a","Created":"1"}]\n'
EVENTS = b'{"Type":"container","time":1}\n{"Type":"container","time":"now"}\n'


class Handler(BaseHTTPRequestHandler):
    """Sends the server's `body`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.server.body  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Api-Version", "1.51")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """Run a server on a free port of this machine."""
    with serving_in_thread(HTTPServer(("127.0.0.1", 0), Handler)) as running:
        yield running


def with_http_client(url: str) -> None:
    connection = http.client.HTTPConnection(url.partition("//")[2].partition("/")[0], timeout=10)
    connection.request("GET", "/" + url.split("/", 3)[3])
    response = connection.getresponse()
    while response.read(7):
        pass
    connection.close()


def with_urllib3(url: str) -> None:
    for _ in urllib3.PoolManager().request("GET", url, preload_content=False).stream(7):
        pass


def with_requests(url: str) -> None:
    assert requests.get(url, timeout=10).status_code == 200


def judgement(server: Any, body: bytes, path: str, get: Callable[[str], None] = with_http_client) -> Judge:
    """Return the judge of one response."""
    server.body = body
    with judging() as judge:
        get(f"http://127.0.0.1:{server.server_port}{path}")
    return judge


@pytest.mark.parametrize("get", [with_http_client, with_urllib3, with_requests])
def test_responses_of_every_client_are_checked(server: HTTPServer, get: Callable[[str], None]) -> None:
    accepted = judgement(server, CORRECT, "/v1.41/containers/json?all=1", get)
    assert (accepted.count, accepted.problems) == (1, [])
    rejected = judgement(server, WRONG, "/v1.41/containers/json", get)
    assert len(rejected.problems) == 2
    assert "[0].Names" in rejected.problems[0]


def test_each_record_of_a_stream_is_checked(server: HTTPServer) -> None:
    judge = judgement(server, EVENTS, "/events?until=1")
    assert judge.count == 1
    assert [problem.partition(": 200: ")[2] for problem in judge.problems] == [
        'problem: .time: string "now", not integer'
    ]


def test_a_body_that_is_not_json_is_a_problem(server: HTTPServer) -> None:
    assert "no JSON" in judgement(server, b"<html>", "/info").problems[0]


def test_a_path_that_is_no_operation_is_ignored(server: HTTPServer) -> None:
    judge = judgement(server, WRONG, "/v2/_catalog")
    assert (judge.count, judge.problems) == (0, [])
