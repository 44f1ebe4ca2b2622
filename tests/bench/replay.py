"""Serves recorded responses, byte by byte, from files: this shows the speed of a client without that of the engine.

    python tests/bench/replay.py SOCKET DIRECTORY      the files are those that `stock` wrote

It answers `logs`, `events`, and the requests that clients send before those. It ends with its standard input.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent.parent)]

from servers import bytes_server  # noqa: E402


def main() -> None:
    """Serve until the input ends."""
    folder = Path(sys.argv[2])

    def respond(connection: socket.socket, request: bytes) -> None:
        target = request.split(b" ", 2)[1].decode("ascii")
        name = next((name for name in ("logs", "events", "json", "version") if f"/{name}" in target), "ping")
        name = "stamped" if "timestamps=1" in target else name
        with (folder / name).open("rb") as file:
            connection.sendfile(file)

    with bytes_server(Path(sys.argv[1]), respond):
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
