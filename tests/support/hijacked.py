"""A hijacked connection over any way to an engine: bytes go into a container that counts them, or that reads none."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from dockerlab import Lab
from dockerlab.errors import EngineTimeout, StreamBroken
from dockerlab.transport.pools import shutdown_write

#: More than all that is between here and a program can keep.
MUCH = 64 << 20
DEAF = ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo here; while :; do sleep 0.1; done"]


def counted(lab: Lab, labels: dict[str, str], size: int) -> int:
    """Let a container count so many bytes, which end when the writing ends."""
    name = labels["dockerlab.test"]
    lab.call(
        "ContainerCreate", name=name, image="busybox", cmd=["wc", "-c"], labels=labels, open_stdin=True, stdin_once=True
    )
    connection = lab._transport.new_connection(20)
    connection.putrequest("POST", f"/containers/{name}/attach?stream=1&stdin=1&stdout=1", skip_host=True)
    for header, value in {"Host": "localhost", "Connection": "Upgrade", "Upgrade": "tcp"}.items():
        connection.putheader(header, value)
    connection.endheaders()
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    lab.call("ContainerStart", id=name)
    connection.sock.sendall(b"x" * size)
    shutdown_write(connection.sock)
    said = b""
    while more := connection.sock.recv(65536):
        said += more
    connection.close()
    return int(said[8:])  # after the head of its frame


def unread(lab: Lab, labels: dict[str, str], seconds: float = 0.5) -> bytes:
    """Write to a container that doesn't read: it ends in time. Gives what another thread hears, which waits on."""
    name = labels["dockerlab.test"]
    lab.container.create("busybox", name=name, cmd=DEAF, labels=labels, open_stdin=True, stdin_once=True)
    heard: list[bytes] = []

    def listen() -> None:
        with contextlib.suppress(StreamBroken):  # an engine that ends without having read resets the connection
            heard.extend(piece.data for piece in talk)

    with lab.container.attach(name, stdin=True, tty=False) as talk:
        lab.container.start(name)
        heard.append(talk.read_until("here\n"))
        reader = threading.Thread(target=listen, daemon=True)
        reader.start()
        clock = time.monotonic()
        with pytest.raises(EngineTimeout, match=rf"For {seconds:g} s no input was accepted, .* timeout=…\.$"):
            talk.write(bytes(MUCH), timeout=seconds)
        assert seconds <= time.monotonic() - clock < seconds + 10
        with pytest.raises(StreamBroken, match=r"cut off.* again\.$"):
            talk.write(b"what nobody could make sense of")
        assert reader.is_alive(), "who reads has no limit, and waits on"
        lab.container.kill(name, signal="TERM")
        reader.join(15)
        assert not reader.is_alive()
    return b"".join(heard)
