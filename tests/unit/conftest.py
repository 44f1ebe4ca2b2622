"""A server that says what a test wants to hear."""

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
    """Give a function that starts a server which answers every request with the same bytes, then hangs up if asked."""
    with ExitStack() as stack:

        def start(said: bytes, then_hang_up: bool = False) -> BytesServer:
            def talk(opened: socket.socket, head: bytes) -> None:
                opened.sendall(said)
                if then_hang_up:
                    opened.shutdown(socket.SHUT_RDWR)

            return stack.enter_context(bytes_server(tmp_path / f"{len(list(tmp_path.iterdir()))}.s", talk))

        yield start
