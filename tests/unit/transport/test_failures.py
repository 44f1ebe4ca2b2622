"""Connections that fail, each with an error that says what to do."""

from __future__ import annotations

import grp
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from servers import bytes_server, http_response, open_transport, send_operation

import dockerlab
from dockerlab.errors import (
    ArgumentError,
    ConnectionFailed,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    PermissionDenied,
    StreamBroken,
)
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.request import encode


def failure(url: str, error_class: type[ConnectionFailed], timeout: float = 5, operation: str = "SystemPing") -> str:
    transport = open_transport(url, timeout)
    with pytest.raises(ConnectionFailed) as error:
        send_operation(transport, operation)
    assert type(error.value) is error_class
    assert error.value.__cause__ is None
    transport.close()
    return str(error.value)


# -- no engine


def test_no_socket_and_a_socket_without_a_listener(tmp_path: Path) -> None:
    advice = "Start it (for Docker: sudo systemctl start docker), check DOCKER_HOST, or use the practice engine: "
    path = tmp_path / "gone.sock"
    assert advice in failure(f"unix://{path}", EngineUnreachable)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    assert failure(f"unix://{path}", EngineUnreachable).startswith(f"No engine answers at unix://{path}. {advice}")
    path.unlink()
    path.touch()
    assert advice in failure(f"unix://{path}", EngineUnreachable)


def test_a_tcp_port_without_a_listener() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        message = failure(f"tcp://127.0.0.1:{reserved.getsockname()[1]}", EngineUnreachable)
    assert "or use the practice engine" in message


def test_an_unknown_host_name() -> None:
    message = failure("tcp://no-such-host.invalid", EngineUnreachable)
    assert message.startswith("The name no-such-host.invalid is not known (tcp://no-such-host.invalid:2375). Check")


def permission_error(mode: int, group: int) -> str:
    """Return the error for a socket with a mode and a group. If the tests run as root, connect as another user."""
    with tempfile.TemporaryDirectory() as base:  # other users can't enter pytest's own directory
        folder = Path(base)
        folder.chmod(0o755)
        return permission_error_in(folder, mode, group)


def permission_error_in(folder: Path, mode: int, group: int) -> str:
    with bytes_server(folder / "e.sock", lambda connection, request: None) as server:
        if os.geteuid() != 0:
            (folder / "e.sock").chmod(0)
            return failure(server.url, PermissionDenied)
        os.chown(folder / "e.sock", -1, group)
        (folder / "e.sock").chmod(mode)
        return as_nobody(server.url)


def test_a_socket_without_permission_for_this_user() -> None:
    mail = grp.getgrgid(8).gr_name
    join = f"Join the socket's group {mail}: sudo usermod -aG {mail} $USER, then log in again or run newgrp {mail}"
    root_only = "only root may. Become root (sudo)"
    for mode, group, words in ((0o660, 8, join), (0o660, 0, root_only), (0o600, 8, root_only)):
        message = permission_error(mode, group)
        assert words in message or (os.geteuid() != 0 and " may. Become" in message)
        assert 'dockerlab.connect("practice")' in message


def test_a_socket_in_a_directory_without_permission(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    with bytes_server(tmp_path / "private/e.sock", lambda connection, request: None) as server:
        tmp_path.chmod(0o755)
        (tmp_path / "private").chmod(0)
        message = as_nobody(server.url) if os.geteuid() == 0 else failure(server.url, PermissionDenied)
        (tmp_path / "private").chmod(0o700)
    assert "sudo usermod -aG docker $USER" in message
    assert "newgrp docker" in message


def as_nobody(url: str) -> str:
    """Connect in a child process as nobody, and return the text of the error."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        text = "nothing was raised"
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            send_operation(open_transport(url))
        except PermissionDenied as error:
            text = str(error)
        except BaseException as error:
            text = repr(error)
        os.write(write_end, text.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


# -- too slow


def test_an_engine_that_does_not_answer(serve: Any) -> None:
    server = serve(b"")
    clock = time.monotonic()
    message = failure(server.url, EngineTimeout, 0.2)
    assert time.monotonic() - clock < 2
    assert message.startswith("The engine did not answer within 0.2 s. Give it more time with timeout=…")


def test_a_call_can_have_its_own_timeout(serve: Any) -> None:
    transport = open_transport(serve(b"").url, 60)
    with pytest.raises(EngineTimeout, match=r"within 0\.1 s"):
        send_operation(transport, "SystemPing", 0.1)


def test_an_engine_that_stops_within_its_response(serve: Any) -> None:
    assert "within 0.2 s" in failure(serve(b"HTTP/1.1 200 OK\r\nContent-Le").url, EngineTimeout, 0.2)
    assert "within 0.2 s" in failure(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").url, EngineTimeout, 0.2)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), True, "5", None])
def test_a_wrong_timeout_is_an_error(bad: object, serve: Any) -> None:
    url = serve(http_response()).url
    with pytest.raises(ArgumentError, match="timeout is a number of seconds above 0"):
        dockerlab.connect(url, timeout=bad)  # type: ignore[arg-type]
    if bad is not None:
        with pytest.raises(ArgumentError, match="timeout is a number of seconds above 0"):
            dockerlab.connect(url).call("SystemPing", timeout=bad)  # type: ignore[arg-type]


def test_a_timeout_can_be_infinite(serve: Any) -> None:
    with dockerlab.connect(serve(http_response()).url, timeout=float("inf")) as lab:
        assert lab.call("SystemPing", timeout=1e30).status == 200


# -- broken responses


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_that_ends_too_early_is_an_error(serve: Any, response: bytes, streamed: bool) -> None:
    transport = open_transport(serve(response, then_hang_up=True).url)
    with pytest.raises(StreamBroken, match="before its response was complete"):
        if streamed:
            with transport.open(encode(OPERATIONS["ContainerExport"], {"id": "web"}, "1.41")) as body:
                list(body.chunks())
        else:
            send_operation(transport)
    transport.close()


def test_a_response_without_a_length_ends_with_its_connection(serve: Any) -> None:
    server = serve(b"HTTP/1.0 200 OK\r\n\r\nall of it", then_hang_up=True)
    assert send_operation(open_transport(server.url)).body == b"all of it"


@pytest.mark.parametrize("response", [b"SSH-2.0-OpenSSH_9\r\n", b"220 mail ESMTP\r\n\r\n"])
def test_a_server_that_does_not_speak_http(serve: Any, response: bytes) -> None:
    url = serve(response, then_hang_up=True).url
    assert f"What answers at {url} does not speak HTTP. Check DOCKER_HOST" in failure(url, EngineUnreachable)


# -- servers that are not a supported engine


def test_an_http_server_that_is_not_an_engine(serve: Any) -> None:
    for response in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", http_response(version="next")):
        with pytest.raises(EngineUnreachable, match="its response has no API version"):
            dockerlab.connect(serve(response).url)
    with pytest.raises(EngineError, match="404 SystemPing"):
        dockerlab.connect(serve(http_response(b"not here", status="404 Not Found")).url)
    for status in ("301 Moved Permanently", "307 Temporary Redirect"):
        moved = serve(http_response(b"", "Location: /x", status=status)).url
        with pytest.raises(EngineUnreachable, match="it is not a Docker engine"):
            dockerlab.connect(moved)
        with pytest.raises(EngineError, match="redirects its clients"):
            send_operation(open_transport(moved), "ContainerList")


def test_a_port_that_speaks_tls(serve: Any) -> None:
    refusal = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
    for response in (refusal, b"\x15\x03\x01\x00\x02\x02"):
        with pytest.raises(
            EngineUnreachable, match=r"speaks TLS, but the request was plain HTTP\. Set DOCKER_TLS_VERIFY=1"
        ):
            dockerlab.connect(serve(response, then_hang_up=True).url)


@pytest.mark.parametrize(("newest", "chosen"), [("1.41", "1.41"), ("1.45", "1.45"), ("1.51", "1.51"), ("1.60", "1.51")])
def test_the_newest_version_that_both_support_is_used(serve: Any, newest: str, chosen: str) -> None:
    server = serve(http_response(version=newest))
    with dockerlab.connect(server.url) as lab:
        assert lab.version == chosen
        lab.call("SystemPing")
    assert [request.split()[1] for request in server.requests] == [b"/_ping", f"/v{chosen}/_ping".encode()]


def test_an_engine_that_is_too_old(serve: Any) -> None:
    with pytest.raises(EngineUnreachable, match=r"speaks API 1\.40, and dockerlab needs 1\.41 or newer: update it"):
        dockerlab.connect(serve(http_response(version="1.40")).url)
