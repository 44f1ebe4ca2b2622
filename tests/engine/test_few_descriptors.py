"""An engine with 64 file descriptors: it says once that clients have to wait, and answers when there are some again."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from engines import KillableEngine
from plain_http import ask, engine_pid
from processes import wait_until

DESCRIPTORS, CLIENTS = 64, 100


@pytest.fixture
def engine() -> Iterator[KillableEngine]:
    """Give an engine that is not started. It is reset afterwards."""
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        own_engine = KillableEngine(Path(base), os.environ.get("DOCKERLAB_ISOLATION", ""))
        yield own_engine
        own_engine.reset()


def start_with_few(engine: KillableEngine) -> None:
    """Start an engine that may open few files from the beginning."""
    command = [sys.executable, "-m", "dockerlab.engine", "start", "--host", engine.host, "--state", str(engine.state)]
    command += ["--isolation", engine.isolation] if engine.isolation else []
    limited = ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", *command]
    subprocess.run(limited, check=True, timeout=60, capture_output=True)


def take_away(engine: KillableEngine) -> None:
    """Start an engine as usual, and then take its right to open more files."""
    engine.start()
    resource.prlimit(engine_pid(engine.host), resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


@pytest.mark.parametrize("start", [start_with_few, take_away])
def test_clients_wait_and_the_log_says_so_once(engine: KillableEngine, start: object) -> None:
    assert callable(start)
    start(engine)
    log = engine.state / "engine.log"
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(CLIENTS)]
        for client in clients:
            client.settimeout(20)
            client.connect(urlsplit(engine.host).path)
        wait_until(lambda: "new clients have to wait" in log.read_text(), what="the log says it")
        clients[0].sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert clients[0].recv(12) == b"HTTP/1.1 200"
    assert ask(engine.host, "GET", "/version")[0] == 200
    assert ask(engine.host, "GET", "/containers/json")[0] == 200
    lines = log.read_text().splitlines()
    assert sum("new clients have to wait" in line for line in lines) == 1
    assert len(lines) < 20, lines
