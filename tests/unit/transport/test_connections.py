"""Connections are reused and returned to the pool; responses can be streams; requests are sent as shown."""

from __future__ import annotations

import gc
import os
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from processes import close_while_reading, open_files, run_in_threads
from servers import bytes_server, http_response, open_transport, send_operation

import dockerlab
from dockerlab.endpoint.endpoint import Endpoint
from dockerlab.errors import ConnectionFailed, EngineTimeout, StreamBroken
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.request import encode
from dockerlab.transport.pools import Connections

# -- connections


def test_a_connection_is_reused(serve: Any) -> None:
    server = serve(http_response())
    transport = open_transport(server.url)
    for _ in range(50):
        assert send_operation(transport).text == "OK"
    assert server.connections == 1


def test_300_requests_need_one_connection_and_leave_no_file_open(serve: Any) -> None:
    server = serve(http_response(b"{}"))
    before = open_files()
    transport = open_transport(server.url)
    for number in range(300):
        send_operation(transport, "ContainerInspect", id=f"c{number}")
        with transport.open(encode(OPERATIONS["ContainerExport"], {"id": f"c{number}"}, "1.41")) as body:
            assert b"".join(body.chunks()) == b"{}"
    assert server.connections == 1
    transport.close()
    server.hang_up()
    time.sleep(0.05)
    assert open_files() <= before


def test_the_requests_session_needs_only_one_connection(serve: Any) -> None:
    server = serve(http_response(b"{}"))
    with dockerlab.connect(server.url) as lab:
        before = server.connections
        for number in range(60):
            assert lab.session.get(lab.url(f"/containers/c{number}/json"), params={"size": 1}).json() == {}
        assert server.connections == before + 1
    assert server.requests[-1].startswith(b"GET /v1.41/containers/c59/json?size=1 HTTP/1.1")


def test_the_requests_session_has_a_timeout_and_ignores_proxy_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(connection: socket.socket, head: bytes) -> None:
        if b"/info" not in head:  # a request that is never answered
            connection.sendall(http_response())

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with bytes_server(tmp_path / "e.sock", respond) as server, dockerlab.connect(server.url, timeout=0.3) as lab:
        assert not lab.session.trust_env
        assert lab.session.get(lab.url("/_ping")).text == "OK"
        with pytest.raises(requests.exceptions.ReadTimeout):
            lab.session.get(lab.url("/info"))


def test_a_request_is_sent_again_after_a_restart_of_the_engine(serve: Any) -> None:
    server = serve(http_response())
    transport = open_transport(server.url)
    send_operation(transport)
    server.hang_up()
    time.sleep(0.05)
    assert send_operation(transport).text == "OK"
    assert server.connections == 2


def test_a_pooled_connection_that_ends_during_a_request(tmp_path: Path) -> None:
    """A request that only reads is repeated on a new connection. A request that changes something is not."""

    def respond(connection: socket.socket, head: bytes) -> None:
        if connection in used:
            connection.close()  # each connection answers only one request
            return
        used.append(connection)
        connection.sendall(http_response())

    used: list[socket.socket] = []
    with bytes_server(tmp_path / "e.sock", respond) as server:
        transport = open_transport(server.url)
        assert [send_operation(transport).text for _ in range(3)] == ["OK"] * 3
        assert server.connections == 3
        earlier = list(server.requests)
        with pytest.raises(StreamBroken):
            send_operation(transport, "ContainerStart", id="web")
        assert server.requests[len(earlier) :] == [head for head in server.requests if head.startswith(b"POST")]
        assert len(server.requests) == len(earlier) + 1
        transport.close()


def test_an_unread_response_closes_its_connection(serve: Any) -> None:
    server = serve(http_response(b"x" * 10_000_000))
    transport = open_transport(server.url)
    before = open_files()
    for _ in range(20):
        with transport.open(encode(OPERATIONS["ContainerExport"], {"id": "web"}, "1.41")) as body:
            next(body.chunks())
    gc.collect()
    time.sleep(0.1)
    assert open_files() <= before + 2


def test_a_response_without_references_is_closed(serve: Any) -> None:
    server = serve(http_response(b"x" * 10_000_000))
    transport = open_transport(server.url)
    for _ in range(5):
        transport.open(encode(OPERATIONS["ContainerExport"], {"id": "web"}, "1.41"))
    gc.collect()
    with transport.open(encode(OPERATIONS["ContainerExport"], {"id": "web"}, "1.41")) as body:
        assert sum(map(len, body.chunks())) == 10_000_000


def test_threads_can_share_one_transport(serve: Any) -> None:
    server = serve(http_response())
    with dockerlab.connect(server.url) as lab:

        def send_pings() -> None:
            for _ in range(20):
                assert lab.call("SystemPing").text == "OK"

        run_in_threads(send_pings, threads=10)
        assert len(lab.wire) == 200


def test_closing_from_another_thread_ends_a_reader_immediately(serve: Any) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    body = open_transport(server.url, 60).open(encode(OPERATIONS["ContainerExport"], {"id": "web"}, "1.41"))
    chunks, seconds = close_while_reading(body)
    assert seconds < 1
    assert chunks == [b"abc"]


def test_a_stream_is_read_piece_by_piece(serve: Any, tmp_path: Path) -> None:
    go = threading.Event()

    def respond(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        go.wait(5)
        connection.sendall(b"3\r\ntwo\r\n0\r\n\r\n")

    with bytes_server(tmp_path / "p.sock", respond) as server:
        body = open_transport(server.url).open(encode(OPERATIONS["ContainerExport"], {"id": "web"}, "1.41"))
        pieces = body.chunks()
        assert next(pieces) == b"one"
        go.set()
        assert list(pieces) == [b"two"]
        assert body.exchange.received == 6
        assert body.exchange.streamed


def test_the_timeout_can_change_while_reading(serve: Any) -> None:
    body = open_transport(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").url, 60).open(
        encode(OPERATIONS["ContainerExport"], {"id": "web"}, "1.41")
    )
    pieces = body.chunks()
    assert next(pieces) == b"abc"
    body.patience(0.1)
    with pytest.raises(EngineTimeout, match=r"within 0\.1 s"):
        next(pieces)


# -- sending


def test_a_file_is_sent_with_its_length_and_the_callers_file_stays_open(serve: Any, tmp_path: Path) -> None:
    received: list[bytes] = []

    def respond(connection: socket.socket, head: bytes) -> None:
        head, _, body = head.partition(b"\r\n\r\n")
        while len(body) < 200_000:
            body += connection.recv(65536)
        received.extend((head, body))
        connection.sendall(http_response())

    content = os.urandom(200_000)
    (tmp_path / "a.tar").write_bytes(content)
    with bytes_server(tmp_path / "f.sock", respond) as server:
        transport = open_transport(server.url)
        with (tmp_path / "a.tar").open("rb") as file:
            send_operation(transport, "ImageLoad", body=file)
            assert not file.closed
        assert received[1] == content
        assert b"Content-Length: 200000" in received[0]
        received.clear()
        send_operation(transport, "ImageLoad", body=str(tmp_path / "a.tar"))
        assert received[1] == content


def test_the_raw_form_is_what_was_sent(serve: Any) -> None:
    server = serve(http_response())
    transport = open_transport(server.url)
    exchange = send_operation(transport, "ContainerCreate", name="web", image="busybox")
    assert isinstance(exchange.raw, str)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.decode().splitlines() == exchange.raw.partition("\n\n")[0].splitlines()
    assert body == exchange.request_body
    send_operation(transport, "ContainerStart", id="web")
    assert b"Content-Length: 0" in server.requests[1]


def test_a_closed_lab_says_so(serve: Any) -> None:
    lab = dockerlab.connect(serve(http_response()).url)
    lab.close()
    lab.close()
    with pytest.raises(ConnectionFailed, match=r"This Lab is closed\. Connect again"):
        lab.call("SystemPing")


@pytest.mark.parametrize("peer", ["own", "root's", "another user's"])
def test_nothing_is_sent_to_a_process_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: str
) -> None:
    uid = {"own": os.getuid(), "root's": 0, "another user's": os.getuid() + 4711}[peer]
    monkeypatch.setattr(socket.socket, "getsockopt", lambda *_: struct.pack("iII", 1, uid, uid), raising=False)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "e.sock"))
        listener.listen()
        connection = Connections(Endpoint("unix", str(tmp_path / "e.sock"), own_process=True)).new()
        if uid in (0, os.getuid()):
            connection.send_request("GET", "/_ping", None, {})
            assert listener.accept()[0].recv(14) == b"GET /_ping HTT"
        else:
            with pytest.raises(OSError, match="the process behind it belongs to another user"):
                connection.send_request("GET", "/_ping", None, {})
            assert listener.accept()[0].recv(14) == b""
        connection.close()
