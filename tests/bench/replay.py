"""Sends recorded responses of an engine, byte by byte, so that a client's speed is measured without the engine's.

    python tests/bench/replay.py SOCKET DIRECTORY      the directory contains the files that preparation.py wrote

It responds to requests for logs and events, and to those that clients send before them. It runs until its standard
input ends.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent.parent)]

from servers import bytes_server  # noqa: E402


def main() -> None:
    directory = Path(sys.argv[2])

    def respond(connection: socket.socket, request: bytes) -> None:
        target = request.split(b" ", 2)[1].decode("ascii")
        name = next((name for name in ("logs", "events", "json", "version") if f"/{name}" in target), "ping")
        name = "logs_with_timestamps" if "timestamps=1" in target else name
        with (directory / name).open("rb") as file:
            connection.sendfile(file)

    with bytes_server(Path(sys.argv[1]), respond):
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
