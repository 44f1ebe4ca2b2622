"""Credentials are not sent over plain TCP to another machine, and errors name a proxy on the way."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import bytes_server, http_response

import dockerlab
from dockerlab.endpoint.endpoint import Endpoint, parse
from dockerlab.errors import ArgumentError, EngineError, EngineUnreachable
from dockerlab.lab.lab import Lab
from dockerlab.transport import plaintext_guard

AUTH = {"username": "me", "password": "pw"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("SystemAuth", AUTH),
    ("ImageCreate", {"from_image": "x", "registry_auth": AUTH}),
    ("ImagePush", {"name": "x", "registry_auth": AUTH}),
    ("ImageSearch", {"term": "x", "registry_auth": AUTH}),
    ("DistributionInspect", {"name": "x", "registry_auth": AUTH}),
    ("PluginPush", {"name": "x", "registry_auth": AUTH}),
    ("SwarmInspect", {}),
    ("SwarmJoin", {"listen_addr": "0.0.0.0", "remote_addrs": ["h"], "join_token": "t"}),
    ("SwarmUnlockkey", {}),
    ("SecretCreate", {"name": "s", "data": "eA=="}),
]


@pytest.mark.parametrize(
    ("url", "is_unencrypted"),
    [
        ("tcp://engine.example", True),
        ("tcp://10.0.0.1", True),
        ("tcp://localhost.example", True),
        ("tcp://127.0.0.1.example", True),
        ("tcp://[fe80::1]", True),
        ("tcp://127.0.0.1", False),
        ("tcp://127.1.2.3", False),
        ("tcp://localhost", False),
        ("tcp://[::1]", False),
        ("https://engine.example", False),
        ("ssh://engine.example", False),
        ("unix:///d.sock", False),
    ],
)
def test_which_endpoints_are_unencrypted(url: str, is_unencrypted: bool) -> None:
    assert plaintext_guard.is_unencrypted(parse(url)) is is_unencrypted


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Any]:
    """Give a function that returns a Lab whose engine seems to be on another machine."""
    with bytes_server(
        tmp_path / "e.sock", lambda connection, request: connection.sendall(http_response(b"{}"))
    ) as server:

        def connect(insecure: bool = False) -> tuple[Lab, list[bytes]]:
            lab = dockerlab.connect(server.url)
            lab.endpoint = lab._transport.endpoint = Endpoint("tcp", "engine.example:2375", insecure=insecure)
            return lab, server.requests

        yield connect


@pytest.mark.parametrize(("operation", "arguments"), CALLS)
def test_credentials_are_refused_before_anything_is_sent(
    remote: Any, operation: str, arguments: dict[str, Any]
) -> None:
    lab, requests = remote()
    before = len(requests)
    with pytest.raises(ArgumentError, match=r"engine\.example:2375 is not encrypted.*insecure=True") as error:
        lab.call(operation, **arguments)
    assert "pw" not in str(error.value).split()
    assert len(requests) == before
    lab, requests = remote(insecure=True)
    assert lab.call(operation, **arguments).status == 200


def test_other_requests_are_sent(remote: Any) -> None:
    lab, _ = remote()
    for operation, arguments in (("ContainerInspect", {"id": "auth"}), ("ImageCreate", {"from_image": "x"})):
        assert lab.call(operation, **arguments).status == 200


def test_the_requests_session_refuses_credentials_too() -> None:
    lab = object.__new__(Lab)
    lab.endpoint, lab.timeout, lab.version = parse("tcp://engine.example"), 1, "1.51"
    with pytest.raises(ArgumentError, match="is not encrypted"):
        lab.session.post(lab.url("/auth"), json=AUTH)
    with pytest.raises(ArgumentError, match="is not encrypted"):
        lab.session.post(lab.url("/images/create"), headers={"x-registry-auth": "e30="})


# -- proxies


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (["Via: 1.1 gate.example (squid)", "Content-Type: text/html"], "a proxy on the way (Via: 1.1 gate.example"),
        (["Proxy-Authenticate: Basic"], "a proxy on the way (Proxy-Authenticate: Basic)"),
        (["Content-Type: text/html; charset=utf-8"], "with a web page, "),
    ],
)
@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "503 Service Unavailable", "200 OK"])
def test_a_proxy_that_answers_instead_of_the_engine_is_named(
    serve: Any, headers: list[str], words: str, status: str
) -> None:
    response = http_response(b"<html>no</html>", *headers, status=status, version="")
    with pytest.raises(EngineUnreachable) as error:
        dockerlab.connect(serve(response).url)
    assert words in str(error.value)
    assert str(error.value).endswith("exclude the engine's address from it, or connect with ssh://.")


@pytest.mark.parametrize("at_once", [False, True])
def test_a_proxy_is_named_for_one_request_and_for_many(tmp_path: Path, at_once: bool) -> None:
    ping = http_response(b"OK")
    page = http_response(b"<html>no</html>", "Via: 1.1 gate", "Content-Type: text/html", status="502 Bad Gateway")

    def respond(connection: socket.socket, request: bytes) -> None:
        connection.sendall(ping if b"_ping" in request else page)

    with (
        bytes_server(tmp_path / "s", respond) as server,
        dockerlab.connect(server.url) as lab,
        pytest.raises(EngineUnreachable, match="a proxy on the way"),
    ):
        if at_once:
            lab.gather("ContainerInspect", [{"id": "a"}, {"id": "b"}])
        else:
            lab.call("ContainerInspect", id="a")


@pytest.mark.parametrize("body", [b'{"message":"No such container: x"}', b"No such container: x\n"])
def test_an_engine_behind_a_proxy_keeps_its_own_errors(serve: Any, body: bytes) -> None:
    response = http_response(body, "Via: 1.1 gate.example", "Content-Type: text/plain", status="404 Not Found")
    with pytest.raises(EngineError, match="No such container: x"):
        Lab(parse(serve(response).url))


def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy, socket.create_server(("127.0.0.1", 0)) as engine:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        proxy.setblocking(False)
        with pytest.raises(dockerlab.ConnectionFailed):
            dockerlab.connect(f"tcp://127.0.0.1:{engine.getsockname()[1]}", timeout=0.2)
        with pytest.raises(BlockingIOError):
            proxy.accept()
