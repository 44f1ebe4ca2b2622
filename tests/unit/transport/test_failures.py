"""Connections that go wrong, each with an error that names the mend."""

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


def failing(url: str, kind: type[ConnectionFailed], timeout: float = 5, operation: str = "SystemPing") -> str:
    opened = open_transport(url, timeout)
    with pytest.raises(ConnectionFailed) as caught:
        send_operation(opened, operation)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    opened.close()
    return str(caught.value)


# -- no engine


def test_no_socket_and_nobody_behind_it(tmp_path: Path) -> None:
    mend = "Start it (for Docker: sudo systemctl start docker), check DOCKER_HOST, or use the practice engine: "
    path = tmp_path / "gone.sock"
    assert mend in failing(f"unix://{path}", EngineUnreachable)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    assert failing(f"unix://{path}", EngineUnreachable).startswith(f"No engine answers at unix://{path}. {mend}")
    path.unlink()
    path.touch()
    assert mend in failing(f"unix://{path}", EngineUnreachable)


def test_nobody_at_a_tcp_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        said = failing(f"tcp://127.0.0.1:{taken.getsockname()[1]}", EngineUnreachable)
    assert "or use the practice engine" in said


def test_a_host_that_is_not_there() -> None:
    said = failing("tcp://no-such-host.invalid", EngineUnreachable)
    assert said.startswith("The name no-such-host.invalid is not known (tcp://no-such-host.invalid:2375). Check")


def not_for_this_user(mode: int, group: int) -> str:
    """Ask at a socket of such a mode and group, as somebody else where the tests run as root: root may use any."""
    with tempfile.TemporaryDirectory() as base:  # and not pytest's directory, which is its user's alone
        folder = Path(base)
        folder.chmod(0o755)
        return at_socket(folder, mode, group)


def at_socket(folder: Path, mode: int, group: int) -> str:
    with bytes_server(folder / "e.sock", lambda opened, head: None) as server:
        if os.geteuid() != 0:
            (folder / "e.sock").chmod(0)
            return failing(server.url, PermissionDenied)
        os.chown(folder / "e.sock", -1, group)
        (folder / "e.sock").chmod(mode)
        return as_nobody(server.url)


def test_a_socket_that_is_not_for_this_user() -> None:
    mail = grp.getgrgid(8).gr_name
    join = f"Join the socket's group {mail}: sudo usermod -aG {mail} $USER, then log in again or run newgrp {mail}"
    alone = "only root may. Become root (sudo)"
    for mode, group, words in ((0o660, 8, join), (0o660, 0, alone), (0o600, 8, alone)):
        said = not_for_this_user(mode, group)
        assert words in said or (os.geteuid() != 0 and " may. Become" in said)
        assert 'dockerlab.connect("practice")' in said


def test_a_socket_in_a_directory_that_is_not_for_this_user(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir()
    with bytes_server(tmp_path / "shut/e.sock", lambda opened, head: None) as server:
        tmp_path.chmod(0o755)
        (tmp_path / "shut").chmod(0)
        said = as_nobody(server.url) if os.geteuid() == 0 else failing(server.url, PermissionDenied)
        (tmp_path / "shut").chmod(0o700)
    assert "sudo usermod -aG docker $USER" in said
    assert "newgrp docker" in said


def as_nobody(url: str) -> str:
    """Ask in a child that gave its rights away, and give its error's text."""
    out, into = os.pipe()
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
        os.write(into, text.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


# -- too slow


def test_an_engine_that_says_nothing(serve: Any) -> None:
    server = serve(b"")
    clock = time.monotonic()
    said = failing(server.url, EngineTimeout, 0.2)
    assert time.monotonic() - clock < 2
    assert said.startswith("The engine did not answer within 0.2 s. Give it more time with timeout=…")


def test_one_call_may_have_its_own_timeout(serve: Any) -> None:
    opened = open_transport(serve(b"").url, 60)
    with pytest.raises(EngineTimeout, match=r"within 0\.1 s"):
        send_operation(opened, "SystemPing", 0.1)


def test_an_engine_that_stops_in_the_middle_of_its_answer(serve: Any) -> None:
    assert "within 0.2 s" in failing(serve(b"HTTP/1.1 200 OK\r\nContent-Le").url, EngineTimeout, 0.2)
    assert "within 0.2 s" in failing(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").url, EngineTimeout, 0.2)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), True, "5", None])
def test_what_is_no_timeout_is_refused(bad: object, serve: Any) -> None:
    url = serve(http_response()).url
    with pytest.raises(ArgumentError, match="timeout is a number of seconds above 0"):
        dockerlab.connect(url, timeout=bad)  # type: ignore[arg-type]
    if bad is not None:
        with pytest.raises(ArgumentError, match="timeout is a number of seconds above 0"):
            dockerlab.connect(url).call("SystemPing", timeout=bad)  # type: ignore[arg-type]


def test_for_ever_is_a_timeout(serve: Any) -> None:
    with dockerlab.connect(serve(http_response()).url, timeout=float("inf")) as lab:
        assert lab.call("SystemPing", timeout=1e30).status == 200


# -- broken answers


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_ends_too_early_is_never_taken_for_whole(serve: Any, said: bytes, streamed: bool) -> None:
    opened = open_transport(serve(said, then_hang_up=True).url)
    with pytest.raises(StreamBroken, match="before its response was complete"):
        if streamed:
            with opened.open(encode(OPERATIONS["ContainerExport"], {"id": "web"}, "1.41")) as body:
                list(body.chunks())
        else:
            send_operation(opened)
    opened.close()


def test_an_answer_without_a_length_ends_with_its_connection(serve: Any) -> None:
    server = serve(b"HTTP/1.0 200 OK\r\n\r\nall of it", then_hang_up=True)
    assert send_operation(open_transport(server.url)).body == b"all of it"


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9\r\n", b"220 mail ESMTP\r\n\r\n"])
def test_what_does_not_speak_http_is_said(serve: Any, said: bytes) -> None:
    url = serve(said, then_hang_up=True).url
    assert f"What answers at {url} does not speak HTTP. Check DOCKER_HOST" in failing(url, EngineUnreachable)


# -- not an engine that we speak with


def test_an_http_server_that_is_no_engine(serve: Any) -> None:
    for said in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", http_response(version="next")):
        with pytest.raises(EngineUnreachable, match="its response has no API version"):
            dockerlab.connect(serve(said).url)
    with pytest.raises(EngineError, match="404 SystemPing"):
        dockerlab.connect(serve(http_response(b"not here", status="404 Not Found")).url)
    for status in ("301 Moved Permanently", "307 Temporary Redirect"):
        moved = serve(http_response(b"", "Location: /x", status=status)).url
        with pytest.raises(EngineUnreachable, match="it is not a Docker engine"):
            dockerlab.connect(moved)
        with pytest.raises(EngineError, match="redirects its clients"):
            send_operation(open_transport(moved), "ContainerList")


def test_a_port_that_wants_tls(serve: Any) -> None:
    said = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
    for words in (said, b"\x15\x03\x01\x00\x02\x02"):
        with pytest.raises(
            EngineUnreachable, match=r"speaks TLS, but the request was plain HTTP\. Set DOCKER_TLS_VERIFY=1"
        ):
            dockerlab.connect(serve(words, then_hang_up=True).url)


@pytest.mark.parametrize(("theirs", "ours"), [("1.41", "1.41"), ("1.45", "1.45"), ("1.51", "1.51"), ("1.60", "1.51")])
def test_the_version_is_one_that_both_speak(serve: Any, theirs: str, ours: str) -> None:
    server = serve(http_response(version=theirs))
    with dockerlab.connect(server.url) as lab:
        assert lab.version == ours
        lab.call("SystemPing")
    assert [head.split()[1] for head in server.requests] == [b"/_ping", f"/v{ours}/_ping".encode()]


def test_an_engine_that_is_too_old(serve: Any) -> None:
    with pytest.raises(EngineUnreachable, match=r"speaks API 1\.40, and dockerlab needs 1\.41 or newer: update it"):
        dockerlab.connect(serve(http_response(version="1.40")).url)
