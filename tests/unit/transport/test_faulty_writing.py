"""Failures while input is written to an engine: the write ends in time, and reading goes on."""

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
LARGE = bytes(range(256)) * (64 << 10)  # 16 MiB, more than any socket buffers
SHORT = 0.3


def stdout_frame(data: bytes) -> bytes:
    return b"\1\0\0\0" + len(data).to_bytes(4, "big") + data


class ConnectionKind:
    """How a kind of connection is opened, how the engine accepts it, and how it sends output."""

    def __init__(self, open_: Callable[[Lab], Any], accept: Callable[[bytes], bytes], output: Callable[[bytes], bytes]):
        self.open, self.accept, self.output = open_, accept, output


KINDS = {
    "attach": ConnectionKind(
        lambda lab: lab.container.attach("web", stdin=True, tty=False), lambda head: SWITCHED, stdout_frame
    ),
    "exec": ConnectionKind(lambda lab: lab.exec.start("e"), lambda head: SWITCHED, stdout_frame),
    "websocket": ConnectionKind(
        lambda lab: lab.container.attach_websocket("web"), websocket_accept, lambda data: websocket_frame(BINARY, data)
    ),
}  # fmt: skip


@contextmanager
def connected(
    folder: Path, kind: ConnectionKind, then: Callable[[socket.socket], None], timeout: float = SHORT
) -> Iterator[Any]:
    """Connect to an engine that accepts the connection and then calls a function with it."""

    def respond(connection: socket.socket, head: bytes) -> None:
        if b"/_ping " in head:
            connection.sendall(http_response(version="1.51"))
            return
        connection.sendall(kind.accept(head))
        then(connection)

    with (
        nothing_left_open(),
        bytes_server(folder / "e.sock", respond) as server,
        dockerlab.connect(server.url, timeout=timeout) as lab,
        kind.open(lab) as stream,
    ):
        yield stream


@pytest.mark.parametrize("name", KINDS)
def test_an_engine_that_stops_reading(name: str, tmp_path: Path) -> None:
    kind, go = KINDS[name], threading.Event()

    def deaf(connection: socket.socket) -> None:
        go.wait(20)
        connection.sendall(kind.output(b"still here"))
        connection.shutdown(socket.SHUT_WR)
        go.wait(20)

    output: list[bytes] = []
    with connected(tmp_path, kind, deaf) as stream:
        reader = threading.Thread(target=lambda: output.append(stream.read()), daemon=True)
        reader.start()
        clock = time.monotonic()
        with pytest.raises(EngineTimeout, match=r"For 0\.3 s no input was accepted, .* timeout=…\.$"):
            stream.write(LARGE)
        assert SHORT <= time.monotonic() - clock < SHORT + 3
        with pytest.raises(StreamBroken, match=r"cut off, .*\.$"):
            stream.write(b"more")
        assert reader.is_alive(), "a read has no timeout"
        go.set()
        reader.join(10)
        assert not reader.is_alive()
    assert output == [b"still here"]


@pytest.mark.parametrize("name", KINDS)
def test_a_write_can_have_its_own_timeout(name: str, tmp_path: Path) -> None:
    over = threading.Event()
    with connected(tmp_path, KINDS[name], lambda _: bool(over.wait(20)) or None, timeout=60) as stream:
        clock = time.monotonic()
        with pytest.raises(EngineTimeout, match=r"For 0\.2 s "):
            stream.write(LARGE, timeout=0.2)
        assert time.monotonic() - clock < 3
        with pytest.raises(ArgumentError, match="timeout is a number of seconds above 0"):
            stream.write(b"", timeout=0)
        over.set()


@pytest.mark.parametrize("name", KINDS)
def test_slow_reading_is_no_error(name: str, tmp_path: Path) -> None:
    """The timeout applies to each pause, not to the whole write, which takes longer here."""
    received = bytearray()

    def slow(connection: socket.socket) -> None:
        while True:
            for _ in range(16):
                if not (more := connection.recv(65536)):
                    return
                received.extend(more)
            time.sleep(0.01)

    with connected(tmp_path, KINDS[name], slow, timeout=0.1) as stream:
        clock = time.monotonic()
        stream.write(LARGE)
        assert time.monotonic() - clock > 0.1
        stream.close_stdin()
        end = time.monotonic() + 10
        while len(received) < len(LARGE) and time.monotonic() < end:
            time.sleep(0.02)
    assert messages(bytes(received)) == LARGE if name == "websocket" else bytes(received) == LARGE


def events(data: bytes) -> list[Any]:
    """Return the events of a websocket's data, as the engine sees them."""
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
    return b"".join(event.data for event in events(data) if isinstance(event, BytesMessage))


@pytest.mark.parametrize("name", KINDS)
def test_closing_from_another_thread_ends_a_writer_immediately(name: str, tmp_path: Path) -> None:
    over = threading.Event()
    errors: list[BaseException] = []

    def write(stream: Any) -> None:
        try:
            stream.write(LARGE)
        except BaseException as error:
            errors.append(error)

    with connected(tmp_path, KINDS[name], lambda _: bool(over.wait(20)) or None, timeout=60) as stream:
        writer = threading.Thread(target=write, args=(stream,), daemon=True)
        writer.start()
        time.sleep(0.2)
        assert writer.is_alive()
        clock = time.monotonic()
        stream.close()
        writer.join(10)
        assert not writer.is_alive()
        assert time.monotonic() - clock < 2
        over.set()
    assert [type(error) for error in errors] == [StreamBroken]


def test_pongs_are_never_sent_within_a_message(tmp_path: Path) -> None:
    """The engine sends pings while it doesn't read, so that a message is half sent. Then it reads everything."""
    received, half, done = bytearray(), threading.Event(), threading.Event()

    def then(connection: socket.socket) -> None:
        half.wait(20)
        for number in range(3):
            connection.sendall(websocket_frame(PING, b"%d" % number))
            time.sleep(0.3)  # meanwhile the reader receives the ping, while the message is being sent
        while more := connection.recv(65536):
            received.extend(more)
        done.set()

    with connected(tmp_path, KINDS["websocket"], then, timeout=10) as stream:
        reader = threading.Thread(target=stream.read, daemon=True)
        reader.start()
        threading.Timer(0.1, half.set).start()
        stream.write(LARGE)
        stream.write(b"after it")
        stream.close_stdin()
        time.sleep(0.2)
        stream.close()
        reader.join(10)
        assert done.wait(10)
    frames = events(bytes(received))
    assert [bytes(event.payload) for event in frames if isinstance(event, Pong)] == [b"0", b"1", b"2"]
    assert messages(bytes(received)) == LARGE + b"after it"
    assert isinstance(frames[-1], CloseConnection)


def test_endless_pings_do_not_fill_memory_with_pongs(tmp_path: Path) -> None:
    """An engine that sends pings and never reads costs no memory, and its output is still read."""
    over = threading.Event()

    def then(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(websocket_frame(PING, b"x" * 125) * 200)
        connection.sendall(websocket_frame(BINARY, b"the end"))
        connection.shutdown(socket.SHUT_WR)
        over.wait(20)

    with connected(tmp_path, KINDS["websocket"], then, timeout=10) as stream:
        assert stream.read() == b"the end"
        assert len(stream._connection._unsent) < 2 * 65536
        assert len(stream._connection._pongs) <= 500
        over.set()
