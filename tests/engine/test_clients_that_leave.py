"""A client that goes away stops the work of its request, and nothing of that is left."""

from __future__ import annotations

import bz2
import contextlib
import os
import signal
import socket
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from archives import Member, tar_of
from engines import KillableEngine
from plain_http import ask, container_output, engine_pid
from processes import wait_until

#: What a sparse file says its size is; in the archive it has none of these bytes.
SPARSE_BYTES = 31 << 30
HEAD = "{} {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: {}\r\n\r\n"


def sparse_member(name: str) -> bytes:
    """Return a member of a tar that is one large hole, in the format of GNU tar."""
    header = tarfile.TarInfo(name)
    header.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    large, nothing = b"\x80" + SPARSE_BYTES.to_bytes(11, "big"), b"%011o\0" % 0
    block[386:410] = large + nothing  # its only piece: at its end, and empty
    block[483:495] = large
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def context(dockerfile: bytes) -> bytes:
    """Return a context of a few kilobytes with a file of 31 GB."""
    end = tar_of()
    return tar_of(("Dockerfile", dockerfile)).rstrip(b"\0").ljust(1024, b"\0") + sparse_member("hole") + end


@pytest.fixture
def engine() -> Iterator[KillableEngine]:
    """Give a running engine, which is reset afterwards."""
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        own_engine = KillableEngine(Path(base), os.environ.get("DOCKERLAB_ISOLATION", ""))
        own_engine.start()
        yield own_engine
        own_engine.reset()


def compressed_archive(*members: Member) -> bytes:
    """Return a compressed archive of a few megabytes that ends with a file of 31 GB of zeros."""
    header = tarfile.TarInfo("zeros")
    header.size = SPARSE_BYTES
    zeros = bz2.compress(bytes(1 << 26))
    start = tar_of(*members).rstrip(b"\0")
    start = start.ljust(-len(start) % 512 + len(start), b"\0")
    return bz2.compress(start + header.tobuf()) + zeros * (SPARSE_BYTES >> 26)


def send(engine: KillableEngine, method: str, path: str, body: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(urlsplit(engine.host).path)
    client.sendall(HEAD.format(method, path, len(body)).encode() + body)
    return client


def begin(engine: KillableEngine, path: str, body: bytes, until: bytes) -> socket.socket:
    """Send a request, and read the response until it contains some bytes."""
    client = send(engine, "POST", path, body)
    text = b""
    while until not in text:
        piece = client.recv(65536)
        assert piece, text
        text += piece
    return client


@pytest.mark.parametrize("keyword", ["COPY", "ADD"])
def test_a_build_stops_in_the_middle_of_a_large_file(engine: KillableEngine, keyword: str) -> None:
    images = len(ask(engine.host, "GET", "/images/json?all=1")[1])
    body = context(f"FROM busybox\n{keyword} hole /hole\nRUN touch /never\n".encode())
    assert len(body) < 16 << 10
    client = begin(engine, "/build", body, f"Step 2/3 : {keyword}".encode())
    client.close()
    wait_until(lambda: engine.unfinished_files() == [], what="nothing is left")
    assert len(ask(engine.host, "GET", "/images/json?all=1")[1]) == images
    assert ask(engine.host, "GET", "/containers/json?all=1")[1] == []
    largest = max(path.stat().st_blocks * 512 for path in engine.state.rglob("*") if path.is_file())
    assert largest < 10 << 20


def test_an_export_stops(engine: KillableEngine) -> None:
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "truncate -s 31G /hole"]}
    container = ask(engine.host, "POST", "/containers/create", body)[1]["Id"]
    assert ask(engine.host, "POST", f"/containers/{container}/start")[0] == 204
    assert ask(engine.host, "POST", f"/containers/{container}/wait")[1]["StatusCode"] == 0
    files = open_files(engine)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(urlsplit(engine.host).path)
        client.sendall(f"GET /containers/{container}/export HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        size = 0
        while size < 64 << 20:
            size += len(client.recv(1 << 20))
        assert open_files(engine) > files
    wait_until(lambda: open_files(engine) <= files, what="its files are closed")


def test_the_unpacking_of_a_context_stops(engine: KillableEngine) -> None:
    body = compressed_archive(("Dockerfile", b"FROM busybox\n"))
    with send(engine, "POST", "/build", body):
        wait_until(lambda: [*engine.state.glob("build-*/zeros")], what="the context is being unpacked")
    wait_until(lambda: engine.unfinished_files() == [], what="nothing is left")
    assert [*engine.state.glob("build-*")] == []


@pytest.mark.parametrize("options", ["", "&noOverwriteDirNonDir=1"])
def test_the_unpacking_of_an_archive_stops(engine: KillableEngine, options: str) -> None:
    container = ask(engine.host, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})[1]["Id"]
    files = open_files(engine)
    with send(engine, "PUT", f"/containers/{container}/archive?path=/{options}", compressed_archive(("first", b"x"))):
        wait_until(lambda: open_files(engine) > files + 2, what="the archive is being read")
    wait_until(lambda: open_files(engine) <= files, what="its files are closed")
    assert ask(engine.host, "DELETE", f"/containers/{container}")[0] == 204


def test_a_commit_stops(engine: KillableEngine) -> None:
    images = len(ask(engine.host, "GET", "/images/json?all=1")[1])
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "truncate -s 31G /hole && echo made && exec sleep 600"]}
    container = ask(engine.host, "POST", "/containers/create", body)[1]["Id"]
    assert ask(engine.host, "POST", f"/containers/{container}/start")[0] == 204
    wait_until(lambda: container_output(engine.host, container) == "made\n", what="the file is made")
    with send(engine, "POST", f"/commit?container={container}", b""):
        wait_until(engine.unfinished_files, what="the commit has begun")
    wait_until(lambda: engine.unfinished_files() == [], what="nothing is left")
    assert len(ask(engine.host, "GET", "/images/json?all=1")[1]) == images
    assert ask(engine.host, "GET", f"/containers/{container}/json")[1]["State"]["Status"] == "running"
    assert ask(engine.host, "DELETE", f"/containers/{container}?force=1")[0] == 204


class SilentHost:
    """A server that sends the beginning of a response, and then nothing until its client goes away."""

    def __init__(self, beginning: bytes) -> None:
        self.beginning = beginning
        self.requests = self.ended = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                with client, contextlib.suppress(ConnectionError):
                    client.recv(65536)
                    client.sendall(self.beginning)
                    self.requests += 1
                    while client.recv(65536):
                        pass
                self.ended += 1

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(params=["nothing", "a head", "some content"])
def silent_host(request: pytest.FixtureRequest) -> Iterator[SilentHost]:
    """Give a host that becomes silent before, in, or after the head of its response."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n"
    host = SilentHost({"nothing": b"", "a head": head, "some content": head + b"\r\nFROM"}[request.param])
    yield host
    host.close()


def waiting_request(kind: str, address: str) -> tuple[str, str, bytes]:
    """Return a request for which an engine has to wait for another host."""
    if kind == "pull":
        return "POST", f"/images/create?fromImage={address}/image&tag=1", b""
    if kind == "inspect":
        return "GET", f"/distribution/{address}/image:1/json", b""
    if kind == "log in":
        return "POST", "/auth", f'{{"serveraddress": "{address}"}}'.encode()
    if kind == "context":
        return "POST", f"/build?remote=http://{address}/file", b""
    return "POST", "/build", tar_of(("Dockerfile", f"FROM busybox\nADD http://{address}/file /\n".encode()))


@pytest.mark.parametrize("kind", ["pull", "inspect", "log in", "context", "file"])
def test_waiting_for_a_silent_host_ends(engine: KillableEngine, silent_host: SilentHost, kind: str) -> None:
    with send(engine, *waiting_request(kind, silent_host.address)):
        wait_until(lambda: silent_host.requests == 1, what="the engine waits for the host")
    wait_until(lambda: silent_host.ended == 1, what="the engine doesn't wait any more")
    wait_until(lambda: engine.unfinished_files() == [], what="nothing is left")


def test_an_engine_that_waits_for_a_silent_host_stops(engine: KillableEngine, silent_host: SilentHost) -> None:
    with send(engine, *waiting_request("pull", silent_host.address)):
        wait_until(lambda: silent_host.requests == 1, what="the engine waits for the host")
        pid = engine_pid(engine.host)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="the engine has ended")
    assert silent_host.requests == 1


def open_files(engine: KillableEngine) -> int:
    return sum(1 for _ in Path(f"/proc/{engine_pid(engine.host)}/fd").iterdir())
