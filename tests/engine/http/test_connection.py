"""HTTP on the engine's socket: versions, keep-alive, malformed requests, clients that disconnect, large bodies."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from plain_http import ask, connection


@pytest.fixture
def raw(practice_host: str) -> Iterator[socket.socket]:
    """Give a socket that is connected to the engine."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(practice_host.removeprefix("unix://"))
        yield client


@pytest.fixture
def sleeper(practice_host: str, labels: dict[str, str]) -> str:
    """Give the id of a running container that writes a line ten times a second."""
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "while :; do echo x; sleep 0.1; done"], "Labels": labels}
    status, container = ask(practice_host, "POST", "/containers/create", body)
    assert status == 201
    assert ask(practice_host, "POST", f"/containers/{container['Id']}/start")[0] == 204
    return str(container["Id"])


def head_of(client: socket.socket) -> str:
    """Read until the end of the headers."""
    data = b""
    while b"\r\n\r\n" not in data and (more := client.recv(1)):
        data += more
    return data.decode()


def open_files(host: str) -> int:
    """Return the number of files that the engine has open."""
    return int(ask(host, "GET", "/info")[1]["NFd"])


@pytest.mark.parametrize("version", ["1.24", "1.41", "1.47", "1.51"])
def test_versions_are_honoured(practice_host: str, version: str) -> None:
    assert ask(practice_host, "GET", f"/v{version}/containers/json?all=1")[0] == 200


def test_a_version_that_is_too_new_is_refused(practice_host: str) -> None:
    text = "client version 1.99 is too new. Maximum supported API version is 1.51"
    assert ask(practice_host, "GET", "/v1.99/info") == (400, {"message": text})


def test_a_version_that_is_too_old_is_refused_in_plain_text(practice_host: str) -> None:
    client = connection(practice_host)
    client.request("GET", "/v1.10/info")
    response = client.getresponse()
    text = (
        "client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer"
    )
    assert (response.status, response.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert response.read().decode() == f"{text} version\n"
    client.close()


def test_the_content_type_of_json_has_no_parameters(practice_host: str) -> None:
    client = connection(practice_host)
    for path in ("/info", "/containers/json", "/containers/nobody/json", "/no/such/path"):
        client.request("GET", path)
        response = client.getresponse()
        response.read()
        assert response.headers["Content-Type"] == "application/json", path
        assert response.headers["Api-Version"] == "1.51"
        assert response.headers["Ostype"] == "linux"
        assert response.headers["Docker-Experimental"] == "false"
    client.close()


def test_a_connection_is_kept(practice_host: str) -> None:
    client = connection(practice_host)
    for _ in range(50):
        client.request("GET", "/_ping")
        assert client.getresponse().read() == b"OK"
    first = client.sock
    client.request("GET", "/info")
    client.getresponse().read()
    assert client.sock is first
    client.close()


def test_requests_may_be_sent_before_the_answers(raw: socket.socket) -> None:
    raw.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    data = b""
    while data.count(b"OK") < 6:  # in the status line and in the body
        more = raw.recv(4096)
        assert more, data
        data += more
    assert data.count(b"HTTP/1.1 200 OK") == 3


def test_http_1_0_gets_its_answer_and_the_end(raw: socket.socket) -> None:
    raw.sendall(b"GET /containers/json HTTP/1.0\r\n\r\n")
    data = b"".join(iter(lambda: raw.recv(4096), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert b"chunked" not in head
    assert json.loads(body) == [] or isinstance(json.loads(body), list)


def test_head_has_no_body(raw: socket.socket) -> None:
    raw.sendall(b"HEAD /_ping HTTP/1.1\r\nHost: x\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert "200 OK" in head_of(raw)
    assert "200 OK" in head_of(raw)
    assert raw.recv(2) == b"OK"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 100_000,
    ],
    ids=["TLS", "one word", "no host", "no number", "no colon", "no chunk", "endless"],
)
def test_what_is_not_http_is_refused_and_the_connection_ends(
    practice_host: str, raw: socket.socket, nonsense: bytes
) -> None:
    try:
        raw.sendall(nonsense + b"\r\n\r\n")
        data = b"".join(iter(lambda: raw.recv(4096), b""))
    except (ConnectionResetError, BrokenPipeError):
        data = b""
    assert data == b"" or data.split()[1] in (b"400", b"413", b"431", b"501")
    assert ask(practice_host, "GET", "/info")[0] == 200


def test_a_body_that_is_too_large_is_refused(practice_host: str, raw: socket.socket) -> None:
    raw.sendall(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
    raw.sendall(b"Content-Length: 999999999999\r\n\r\n")
    try:
        for _ in range(2000):
            raw.sendall(b" " * (1 << 16))
        data = raw.recv(4096)
    except (ConnectionResetError, BrokenPipeError):
        data = b""
    assert data == b"" or data.split()[1] == b"413"
    assert ask(practice_host, "GET", "/info")[0] == 200


def test_a_client_that_expects_100_continue_gets_it(raw: socket.socket) -> None:
    body = b'{"Image": "no-such-image"}'
    raw.sendall(
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    assert head_of(raw).startswith("HTTP/1.1 100")
    raw.sendall(body)
    assert head_of(raw).startswith("HTTP/1.1 404")


def test_unknown_paths_and_methods_are_not_found(practice_host: str) -> None:
    for method, path in (("GET", "/"), ("GET", "/containers"), ("PATCH", "/info"), ("GET", "/v1.41/nope")):
        assert ask(practice_host, method, path) == (404, {"message": "page not found"})


def test_unsupported_operations_say_why(practice_host: str) -> None:
    status, response = ask(practice_host, "POST", "/session")
    assert status == 501
    assert "Session" in response["message"]
    assert "BuildKit" in response["message"]
    status, response = ask(practice_host, "GET", "/swarm")
    assert status == 503
    assert response["message"].startswith("This node is not a swarm manager.")


def test_names_in_paths_are_decoded(practice_host: str) -> None:
    strange = "é/ü %?"
    status, response = ask(practice_host, "GET", f"/containers/{quote(strange, safe='')}/json")
    assert status == 404
    assert response["message"] in (f"No such container: {strange}", "page not found")


def test_files_of_a_disconnected_follower_are_closed(practice_host: str, sleeper: str) -> None:
    before = open_files(practice_host)
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(practice_host.removeprefix("unix://"))
            client.sendall(f"GET /containers/{sleeper}/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert "200" in head_of(client)
            assert client.recv(1)
    deadline = time.monotonic() + 5
    while open_files(practice_host) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert open_files(practice_host) <= before


def test_clients_that_do_not_read_do_not_block_others(practice_host: str, sleeper: str) -> None:
    silent = []
    for _ in range(5):
        client = socket.socket(socket.AF_UNIX)
        client.connect(practice_host.removeprefix("unix://"))
        client.sendall(f"GET /containers/{sleeper}/export HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        silent.append(client)
    begin = time.monotonic()
    assert ask(practice_host, "GET", "/containers/json")[0] == 200
    assert time.monotonic() - begin < 2
    for client in silent:
        client.close()


def test_wait_sends_its_headers_immediately(practice_host: str, raw: socket.socket, sleeper: str) -> None:
    raw.sendall(f"POST /containers/{sleeper}/wait HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    begin = time.monotonic()
    head = head_of(raw)
    assert "200 OK" in head
    assert "Content-Type: application/json\r\n" in head
    assert time.monotonic() - begin < 2
    assert ask(practice_host, "POST", f"/containers/{sleeper}/kill")[0] == 204
    assert b'"StatusCode":137' in raw.recv(4096)


def test_simultaneous_clients(practice_host: str) -> None:
    statuses: list[Any] = []

    def work() -> None:
        statuses.extend(ask(practice_host, "GET", "/containers/json?all=1")[0] for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 200
