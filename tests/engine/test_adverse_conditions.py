"""The engine in adverse conditions: a full disk, many connections, clients that don't read, hostile values."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from archives import tar_of
from engines import KillableEngine
from plain_http import ask, connection, engine_pid
from processes import wait_until

PRINTING = ["sh", "-c", "while :; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; done"]


def open_handles(host: str) -> int:
    """Return the number of files that an engine has open."""
    return sum(1 for _ in Path(f"/proc/{engine_pid(host)}/fd").iterdir())


def memory_megabytes(host: str) -> int:
    """Return the megabytes of memory that an engine uses."""
    pages = Path(f"/proc/{engine_pid(host)}/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE") >> 20


def connect(host: str) -> socket.socket:
    """Return a connection to an engine."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(urlsplit(host).path)
    return client


def run_container(host: str, command: list[str], labels: dict[str, str]) -> str:
    """Create and start a container, and return its id."""
    status, container = ask(host, "POST", "/containers/create", {"Image": "busybox", "Cmd": command, "Labels": labels})
    assert status == 201, container
    assert ask(host, "POST", f"/containers/{container['Id']}/start")[0] == 204
    return str(container["Id"])


# -- a full disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a mounted file system of a few megabytes."""
    folder = tmp_path / "d"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "small", str(folder)], check=True, timeout=20)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=20)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.timeout(120)
def test_a_full_disk_is_an_error_and_leaves_nothing_incomplete(small_disk: Path) -> None:
    engine = KillableEngine(small_disk, os.environ.get("DOCKERLAB_ISOLATION", ""))
    engine.start()
    try:
        talker = run_container(engine.host, ["sh", "-c", "while :; do echo still here; sleep 0.05; done"], {})
        before = engine.directories("containers"), images(engine.host), volumes(engine.host)
        fill(small_disk / "filler")
        for method, path, body in (
            ("POST", "/containers/create", json.dumps({"Image": "busybox", "Cmd": ["true"]}).encode()),
            ("POST", "/images/load", tar_of(("x", b"x" * 100_000))),
            ("POST", "/volumes/create", b'{"Name": "vol"}'),
            ("PUT", f"/containers/{talker}/archive?path=/", tar_of(("big", b"x" * 1_000_000))),
        ):
            status, response = send(engine.host, method, path, body)
            assert status == 500, (path, status, response)
            assert b"no space left on device" in response.lower(), (path, response)
        response = send(engine.host, "POST", "/build", tar_of(("Dockerfile", b"FROM busybox\nRUN echo x >/x\n")))[1]
        assert b"no space left on device" in response.lower(), response
        assert (engine.directories("containers"), images(engine.host), volumes(engine.host)) == before
        assert engine.leftovers() == set()
        (small_disk / "filler").unlink()
        assert ask(engine.host, "POST", f"/containers/{talker}/kill")[0] == 204
        assert b"still here\n" in send(engine.host, "GET", f"/containers/{talker}/logs?stdout=1&tail=3", b"")[1]
        again = run_container(engine.host, ["true"], {})
        assert ask(engine.host, "POST", f"/containers/{again}/wait")[1]["StatusCode"] == 0
        engine.kill()
        engine.start()
        assert len(ask(engine.host, "GET", "/containers/json?all=1")[1]) == 2
    finally:
        engine.reset()


def fill(path: Path) -> None:
    """Write until the file system is full."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def images(host: str) -> list[str]:
    return sorted(image["Id"] for image in ask(host, "GET", "/images/json?all=1")[1])


def volumes(host: str) -> list[str]:
    return sorted(volume["Name"] for volume in ask(host, "GET", "/volumes")[1]["Volumes"] or [])


def send(host: str, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """Send a request, and return the status and the body of the response."""
    client = connection(host, timeout=30)
    try:
        kind = "application/json" if body.startswith(b"{") else "application/x-tar"
        client.request(method, path, body=body or None, headers={"Content-Type": kind})
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()


# -- many clients, slow ones, and those that disconnect -------------------------------------------------------------


def test_five_hundred_connections_do_not_disturb_other_clients(practice_host: str) -> None:
    before = open_handles(practice_host)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(practice_host)) for _ in range(500)]
        for number, client in enumerate(clients):
            client.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if number % 2 else b""))
        for client in clients[1::2]:
            assert client.recv(12) == b"HTTP/1.1 200"
        assert ask(practice_host, "GET", "/version")[0] == 200
    wait_until(lambda: open_handles(practice_host) <= before + 2)


@pytest.mark.parametrize("path", ["logs?follow=1&stdout=1", "attach?stream=1&stdout=1&logs=1", "stats", "export"])
def test_a_client_that_does_not_read_costs_little_memory_and_leaves_nothing(
    practice_host: str, labels: dict[str, str], path: str
) -> None:
    container = run_container(practice_host, PRINTING, labels)
    before, method = open_handles(practice_host), b"POST" if path.startswith("attach") else b"GET"
    size = memory_megabytes(practice_host)
    readers = [connect(practice_host) for _ in range(5)]
    for reader in readers:
        reader.sendall(method + f" /containers/{container}/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    time.sleep(1.5)
    assert ask(practice_host, "GET", "/version")[0] == 200
    assert memory_megabytes(practice_host) - size < 60, "unread output is not kept in memory"
    for reader in readers:
        reader.close()
    wait_until(lambda: open_handles(practice_host) <= before + 3)
    assert ask(practice_host, "GET", f"/containers/{container}/json")[1]["State"]["Running"] is True
    assert ask(practice_host, "DELETE", f"/containers/{container}?force=1")[0] == 204


@pytest.mark.parametrize("path", ["/images/load", "/build", "/images/create?fromSrc=-&repo=gone"])
def test_an_interrupted_upload_leaves_nothing(practice_host: str, path: str) -> None:
    before, images_before = open_handles(practice_host), images(practice_host)
    with connect(practice_host) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 9000000\r\n\r\n"
        client.sendall(head.encode() + tar_of(("Dockerfile", b"FROM busybox\n"), ("a", b"x" * 100_000))[:60_000])
    wait_until(lambda: open_handles(practice_host) <= before + 1)
    assert images(practice_host) == images_before


# -- hostile values --------------------------------------------------------------------------------------------------

HOSTILE = ["../../etc", "a/../b", "a\nb", "a\0b", "\u202e", "..", "-rf", "%2e%2e", "a b", "\ud800"]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:9]))
def test_invalid_names_are_refused(practice_host: str, value: str, labels: dict[str, str]) -> None:
    name = quote(value.encode("utf-8", "surrogatepass"), safe="")
    body = {"Image": "busybox", "Cmd": ["true"], "Labels": labels}
    requests: list[tuple[str, str, Any]] = [
        ("POST", f"/containers/create?name={name}", body),
        ("POST", "/volumes/create", {"Name": value, "Labels": labels}),
        ("GET", f"/containers/{name}/json", None),
        ("GET", f"/images/{name}/json", None),
        ("DELETE", f"/volumes/{name}", None),
        ("GET", f"/networks/{name}", None),
        ("POST", f"/images/busybox/tag?repo={name}", None),
        ("POST", "/containers/create", {**body, "Image": value}),
        ("POST", "/containers/create", {**body, "HostConfig": {"Binds": [f"{value}:/x"]}}),
    ]
    for method, path, content in requests:
        status, response = ask(practice_host, method, path, content)
        assert 400 <= status < 500, (method, path[:60], status, response)
        assert response["message"], response


FIELDS = ["Cmd", "Env", "Labels", "Volumes", "ExposedPorts", "HostConfig", "NetworkingConfig", "Healthcheck", "User"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [7, 1e300, True, [[[]]], {"a": {"b": [None]}}, ["\0"], "\0"], ids=repr)
def test_fields_of_another_type_are_refused_or_stored(
    practice_host: str, field: str, value: object, labels: dict[str, str]
) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "Labels": labels, field: value}
    status, response = ask(practice_host, "POST", "/containers/create", body)
    assert status in (201, 400), (status, response)
    if status == 201:
        assert ask(practice_host, "POST", f"/containers/{response['Id']}/start")[0] in (204, 400, 500)
        assert ask(practice_host, "DELETE", f"/containers/{response['Id']}?force=1")[0] == 204


def test_deeply_nested_or_invalid_json_is_refused(practice_host: str) -> None:
    for body in (
        b'{"a":' + b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"Image": NaN',
        b"{\xff}",
        b'{"Cmd":' + b"9" * 5000 + b"}",
    ):
        status, response = send(practice_host, "POST", "/containers/create", body)
        assert (status, b"message" in response) == (400, True), response[:200]
    assert ask(practice_host, "GET", "/version")[0] == 200
