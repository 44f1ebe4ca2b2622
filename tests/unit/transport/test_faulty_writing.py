"""What may go wrong while something is written to an engine: it ends in time, whoever reads goes on reading."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import BINARY, PING, bytes_server, http_response, nothing_left_open, websocket_accept, websocket_frame
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Pong

import dockerlab
from dockerlab import Lab
from dockerlab.errors import ArgumentError, EngineTimeout, StreamBroken

SWITCHED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
MUCH = bytes(range(256)) * (64 << 10)  # 16 MiB, more than any socket keeps
SOON = 0.3


def framed(data: bytes) -> bytes:
    return b"\1\0\0\0" + len(data).to_bytes(4, "big") + data


class Way:
    """A kind of connection: how it is opened, how the engine agrees, how it says something."""

    def __init__(self, open_: Callable[[Lab], Any], agree: Callable[[bytes], bytes], say: Callable[[bytes], bytes]):
        self.open, self.agree, self.say = open_, agree, say


WAYS = {
    "attach": Way(lambda lab: lab.container.attach("web", stdin=True, tty=False), lambda head: SWITCHED, framed),
    "exec": Way(lambda lab: lab.exec.start("e"), lambda head: SWITCHED, framed),
    "websocket": Way(
        lambda lab: lab.container.attach_websocket("web"), websocket_accept, lambda data: websocket_frame(BINARY, data)
    ),
}  # fmt: skip


@contextmanager
def talking(place: Path, way: Way, then: Callable[[socket.socket], None], timeout: float = SOON) -> Iterator[Any]:
    """Connect to an engine that agrees, and then does something with the connection."""

    def talk(opened: socket.socket, head: bytes) -> None:
        if b"/_ping " in head:
            opened.sendall(http_response(version="1.51"))
            return
        opened.sendall(way.agree(head))
        then(opened)

    with (
        nothing_left_open(),
        bytes_server(place / "e.sock", talk) as server,
        dockerlab.connect(server.url, timeout=timeout) as lab,
        way.open(lab) as connection,
    ):
        yield connection


@pytest.mark.parametrize("name", WAYS)
def test_an_engine_that_stops_reading(name: str, tmp_path: Path) -> None:
    way, go = WAYS[name], threading.Event()

    def deaf(opened: socket.socket) -> None:
        go.wait(20)
        opened.sendall(way.say(b"still here"))
        opened.shutdown(socket.SHUT_WR)
        go.wait(20)

    heard: list[bytes] = []
    with talking(tmp_path, way, deaf) as talk:
        reader = threading.Thread(target=lambda: heard.append(talk.read()), daemon=True)
        reader.start()
        clock = time.monotonic()
        with pytest.raises(EngineTimeout, match=r"For 0\.3 s no input was accepted, .* timeout=…\.$"):
            talk.write(MUCH)
        assert SOON <= time.monotonic() - clock < SOON + 3
        with pytest.raises(StreamBroken, match=r"cut off, .*\.$"):
            talk.write(b"more")
        assert reader.is_alive(), "who reads waits without a limit"
        go.set()
        reader.join(10)
        assert not reader.is_alive()
    assert heard == [b"still here"]


@pytest.mark.parametrize("name", WAYS)
def test_a_write_has_a_timeout_of_its_own(name: str, tmp_path: Path) -> None:
    over = threading.Event()
    with talking(tmp_path, WAYS[name], lambda opened: bool(over.wait(20)) or None, timeout=60) as talk:
        clock = time.monotonic()
        with pytest.raises(EngineTimeout, match=r"For 0\.2 s "):
            talk.write(MUCH, timeout=0.2)
        assert time.monotonic() - clock < 3
        with pytest.raises(ArgumentError, match="timeout is a number of seconds above 0"):
            talk.write(b"", timeout=0)
        over.set()


@pytest.mark.parametrize("name", WAYS)
def test_an_engine_that_reads_slowly_is_no_error(name: str, tmp_path: Path) -> None:
    """The timeout is for silence: all of it takes longer."""
    got = bytearray()

    def slow(opened: socket.socket) -> None:
        while True:
            for _ in range(16):
                if not (more := opened.recv(65536)):
                    return
                got.extend(more)
            time.sleep(0.01)

    with talking(tmp_path, WAYS[name], slow, timeout=0.1) as talk:
        clock = time.monotonic()
        talk.write(MUCH)
        assert time.monotonic() - clock > 0.1
        talk.close_stdin()
        end = time.monotonic() + 10
        while len(got) < len(MUCH) and time.monotonic() < end:
            time.sleep(0.02)
    assert messages(bytes(got)) == MUCH if name == "websocket" else bytes(got) == MUCH


def events(data: bytes) -> list[Any]:
    """Take apart what came through a websocket, as the engine."""
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(
        b"GET / HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    [request] = server.events()
    assert request is not None
    server.send(AcceptConnection())
    server.receive_data(data)
    return list(server.events())


def messages(data: bytes) -> bytes:
    return b"".join(one.data for one in events(data) if isinstance(one, BytesMessage))


@pytest.mark.parametrize("name", WAYS)
def test_closing_from_another_thread_ends_a_writer_at_once(name: str, tmp_path: Path) -> None:
    over = threading.Event()
    failed: list[BaseException] = []

    def write(talk: Any) -> None:
        try:
            talk.write(MUCH)
        except BaseException as error:
            failed.append(error)

    with talking(tmp_path, WAYS[name], lambda opened: bool(over.wait(20)) or None, timeout=60) as talk:
        writer = threading.Thread(target=write, args=(talk,), daemon=True)
        writer.start()
        time.sleep(0.2)
        assert writer.is_alive()
        clock = time.monotonic()
        talk.close()
        writer.join(10)
        assert not writer.is_alive()
        assert time.monotonic() - clock < 2
        over.set()
    assert [type(error) for error in failed] == [StreamBroken]


def test_answers_to_pings_never_get_into_a_message(tmp_path: Path) -> None:
    """The engine pings while it does not read, so that a message is half sent; then it reads all."""
    got, half, done = bytearray(), threading.Event(), threading.Event()

    def then(opened: socket.socket) -> None:
        half.wait(20)
        for number in range(3):
            opened.sendall(websocket_frame(PING, b"%d" % number))
            time.sleep(0.3)  # the reader meets the ping, and finds the message under way
        while more := opened.recv(65536):
            got.extend(more)
        done.set()

    with talking(tmp_path, WAYS["websocket"], then, timeout=10) as talk:
        reader = threading.Thread(target=talk.read, daemon=True)
        reader.start()
        threading.Timer(0.1, half.set).start()
        talk.write(MUCH)
        talk.write(b"after it")
        talk.close_stdin()
        time.sleep(0.2)
        talk.close()
        reader.join(10)
        assert done.wait(10)
    seen = events(bytes(got))
    assert [bytes(one.payload) for one in seen if isinstance(one, Pong)] == [b"0", b"1", b"2"]
    assert messages(bytes(got)) == MUCH + b"after it"
    assert isinstance(seen[-1], CloseConnection)


def test_pings_without_end_are_no_reason_to_keep_their_answers(tmp_path: Path) -> None:
    """An engine that pings and never reads costs no memory, and its output is read on."""
    over = threading.Event()

    def then(opened: socket.socket) -> None:
        for _ in range(100):
            opened.sendall(websocket_frame(PING, b"x" * 125) * 200)
        opened.sendall(websocket_frame(BINARY, b"the end"))
        opened.shutdown(socket.SHUT_WR)
        over.wait(20)

    with talking(tmp_path, WAYS["websocket"], then, timeout=10) as talk:
        assert talk.read() == b"the end"
        assert len(talk._connection._unsent) < 2 * 65536
        assert len(talk._connection._pongs) <= 500
        over.set()
