"""A server that sends the bytes of a test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from servers import BytesServer, bytes_server


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    """Give a function that starts a server which answers every request with the same bytes."""
    with ExitStack() as stack:

        def start(response: bytes, then_hang_up: bool = False) -> BytesServer:
            def respond(connection: socket.socket, _: bytes) -> None:
                connection.sendall(response)
                if then_hang_up:
                    connection.shutdown(socket.SHUT_RDWR)

            return stack.enter_context(bytes_server(tmp_path / f"{len(list(tmp_path.iterdir()))}.s", respond))

        yield start
