"""The judge of answers sees what is wrong, whoever reads it and however; and it lets pass what is right."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests
import urllib3
from judge import Judge, judging

RIGHT = b'[{"Id":"a","Names":["/a"],"Created":1}]\n'
WRONG = b'[{"Id":"a","Names":"/a","Created":"1"}]\n'
EVENTS = b'{"Type":"container","time":1}\n{"Type":"container","time":"now"}\n'


class Answers(BaseHTTPRequestHandler):
    """Gives the bytes of the server's `said`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.server.said  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Api-Version", "1.51")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """Serve on a port of this machine."""
    with HTTPServer(("127.0.0.1", 0), Answers) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


def by_hand(url: str) -> None:
    opened = http.client.HTTPConnection(url.partition("//")[2].partition("/")[0], timeout=10)
    opened.request("GET", "/" + url.split("/", 3)[3])
    answer = opened.getresponse()
    while answer.read(7):
        pass
    opened.close()


def by_urllib3(url: str) -> None:
    for _ in urllib3.PoolManager().request("GET", url, preload_content=False).stream(7):
        pass


def by_requests(url: str) -> None:
    assert requests.get(url, timeout=10).status_code == 200


def asked(server: Any, said: bytes, path: str, client: Any) -> Judge:
    server.said = said
    with judging() as judge:
        client(f"http://127.0.0.1:{server.server_port}{path}")
    return judge


@pytest.mark.parametrize("client", [by_hand, by_urllib3, by_requests])
def test_every_client_is_listened_to(server: HTTPServer, client: Any) -> None:
    right = asked(server, RIGHT, "/v1.41/containers/json?all=1", client)
    assert (right.seen, right.problems) == (1, [])
    wrong = asked(server, WRONG, "/v1.41/containers/json", client)
    assert len(wrong.problems) == 2
    assert "[0].Names" in wrong.problems[0]


def test_a_stream_is_judged_by_its_records(server: HTTPServer) -> None:
    judge = asked(server, EVENTS, "/events?until=1", by_hand)
    assert judge.count == 1
    assert [problem.partition(": 200: ")[2] for problem in judge.problems] == [
        'problem: .time: string "now", not integer'
    ]


def test_what_is_no_json_is_wrong(server: HTTPServer) -> None:
    assert "no JSON" in asked(server, b"<html>", "/info", by_hand).problems[0]


def test_what_is_no_operation_is_nobodys_business(server: HTTPServer) -> None:
    judge = asked(server, WRONG, "/v2/_catalog", by_hand)
    assert (judge.count, judge.problems) == (0, [])
