"""What tests do with a Lab: make containers, remove objects afterwards, write to hijacked connections."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dockerlab import Lab
from dockerlab.errors import EngineError, EngineTimeout, StreamBroken
from dockerlab.transport.pools import shutdown_write

__all__ = ["container", "count_input", "field", "removed_afterwards", "unique_name", "write_to_deaf_container"]

#: More than all buffers between a test and a program can hold.
MORE_THAN_BUFFERS = 64 << 20
DEAF_COMMAND = ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo here; while :; do sleep 0.1; done"]


def unique_name(labels: dict[str, str], prefix: str = "box") -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{labels['dockerlab.test'][-12:]}"


def field(table: Any, name: str) -> Any:
    """Return one value of a long table."""
    return dict(zip(table["field"], table["value"], strict=True))[name]


@contextlib.contextmanager
def container(lab: Any, labels: dict[str, str], *cmd: str, start: bool = True, **config: Any) -> Iterator[str]:
    """Give the name of a new container that runs a command. The fixture `labels` removes it."""
    name = unique_name(labels, config.pop("prefix", "box"))
    lab.container.create("busybox", name=name, cmd=list(cmd), labels=labels, **config)
    if start:
        lab.container.start(name)
    yield name


@contextlib.contextmanager
def removed_afterwards(remove: Callable[[], Any]) -> Iterator[None]:
    """Call a function after the block, and ignore the engine's error if the object no longer exists."""
    try:
        yield
    finally:
        with contextlib.suppress(EngineError):
            remove()


# -- input of a hijacked connection --------------------------------------------------------------------------


def count_input(lab: Lab, labels: dict[str, str], size: int) -> int:
    """Send so many bytes to a container that counts its input, end the input, and return the container's count."""
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
    output = b""
    while piece := connection.sock.recv(65536):
        output += piece
    connection.close()
    return int(output[8:])  # after the frame's header


def write_to_deaf_container(lab: Lab, labels: dict[str, str], seconds: float = 0.5) -> bytes:
    """Write more than fits to a container that doesn't read: the write must end at its timeout.

    Another thread reads the container's output meanwhile, without a timeout, and must go on. Return that output.
    """
    name = labels["dockerlab.test"]
    lab.container.create("busybox", name=name, cmd=DEAF_COMMAND, labels=labels, open_stdin=True, stdin_once=True)
    output: list[bytes] = []

    def read_output() -> None:
        with contextlib.suppress(StreamBroken):  # an engine that ends without having read resets the connection
            output.extend(piece.data for piece in stream)

    with lab.container.attach(name, stdin=True, tty=False) as stream:
        lab.container.start(name)
        output.append(stream.read_until("here\n"))
        reader = threading.Thread(target=read_output, daemon=True)
        reader.start()
        begin = time.monotonic()
        with pytest.raises(EngineTimeout, match=rf"For {seconds:g} s no input was accepted, .* timeout=…\.$"):
            stream.write(bytes(MORE_THAN_BUFFERS), timeout=seconds)
        assert seconds <= time.monotonic() - begin < seconds + 10
        with pytest.raises(StreamBroken, match=r"cut off.* again\.$"):
            stream.write(b"after an incomplete write")
        assert reader.is_alive(), "a read without a timeout goes on"
        lab.container.kill(name, signal="TERM")
        reader.join(15)
        assert not reader.is_alive()
    return b"".join(output)
