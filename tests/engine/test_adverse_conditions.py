"""What goes wrong around the engine: a full disk, many connections, clients that don't read or go away, odd values."""

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

TALKING = ["sh", "-c", "while :; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; done"]


def handles(host: str) -> int:
    """Count what an engine has open."""
    return sum(1 for _ in Path(f"/proc/{engine_pid(host)}/fd").iterdir())


def memory(host: str) -> int:
    """Give the megabytes that an engine has."""
    pages = Path(f"/proc/{engine_pid(host)}/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE") >> 20


def opened(host: str) -> socket.socket:
    """Connect, and say nothing."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(20)
    made.connect(urlsplit(host).path)
    return made


def created(host: str, command: list[str], labels: dict[str, str]) -> str:
    """Create and start a container."""
    status, told = ask(host, "POST", "/containers/create", {"Image": "busybox", "Cmd": command, "Labels": labels})
    assert status == 201, told
    assert ask(host, "POST", f"/containers/{told['Id']}/start")[0] == 204
    return str(told["Id"])


# -- a full disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of a few megabytes."""
    place = tmp_path / "d"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "small", str(place)], check=True, timeout=20)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=20)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.timeout(120)
def test_a_full_disk_is_told_and_nothing_half_made_stays(small_disk: Path) -> None:
    engine = KillableEngine(small_disk, os.environ.get("DOCKERLAB_ISOLATION", ""))
    engine.start()
    try:
        talker = created(engine.host, ["sh", "-c", "while :; do echo still here; sleep 0.05; done"], {})
        before = engine.directories("containers"), images(engine.host), volumes(engine.host)
        fill(small_disk / "filler")
        for method, path, body in (
            ("POST", "/containers/create", json.dumps({"Image": "busybox", "Cmd": ["true"]}).encode()),
            ("POST", "/images/load", tar_of(("x", b"x" * 100_000))),
            ("POST", "/volumes/create", b'{"Name": "vol"}'),
            ("PUT", f"/containers/{talker}/archive?path=/", tar_of(("big", b"x" * 1_000_000))),
        ):
            status, told = sent(engine.host, method, path, body)
            assert status == 500, (path, status, told)
            assert b"no space left on device" in told.lower(), (path, told)
        told = sent(engine.host, "POST", "/build", tar_of(("Dockerfile", b"FROM busybox\nRUN echo x >/x\n")))[1]
        assert b"no space left on device" in told.lower(), told
        assert (engine.directories("containers"), images(engine.host), volumes(engine.host)) == before
        assert engine.leftovers() == set()
        (small_disk / "filler").unlink()
        assert ask(engine.host, "POST", f"/containers/{talker}/kill")[0] == 204
        assert b"still here\n" in sent(engine.host, "GET", f"/containers/{talker}/logs?stdout=1&tail=3", b"")[1]
        again = created(engine.host, ["true"], {})
        assert ask(engine.host, "POST", f"/containers/{again}/wait")[1]["StatusCode"] == 0
        engine.kill()
        engine.start()
        assert len(ask(engine.host, "GET", "/containers/json?all=1")[1]) == 2
    finally:
        engine.reset()


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def images(host: str) -> list[str]:
    return sorted(one["Id"] for one in ask(host, "GET", "/images/json?all=1")[1])


def volumes(host: str) -> list[str]:
    return sorted(one["Name"] for one in ask(host, "GET", "/volumes")[1]["Volumes"] or [])


def sent(host: str, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """Send bytes; give the status and the bytes of the answer."""
    made = connection(host, timeout=30)
    try:
        kind = "application/json" if body.startswith(b"{") else "application/x-tar"
        made.request(method, path, body=body or None, headers={"Content-Type": kind})
        answer = made.getresponse()
        return answer.status, answer.read()
    finally:
        made.close()


# -- many clients, slow ones, and those that go away ------------------------------------------------------------------


def test_five_hundred_connections_cost_nobody_anything(practice_host: str) -> None:
    before = handles(practice_host)
    with ExitStack() as stack:
        many = [stack.enter_context(opened(practice_host)) for _ in range(500)]
        for number, one in enumerate(many):
            one.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if number % 2 else b""))
        for one in many[1::2]:
            assert one.recv(12) == b"HTTP/1.1 200"
        assert ask(practice_host, "GET", "/version")[0] == 200
    wait_until(lambda: handles(practice_host) <= before + 2)


@pytest.mark.parametrize("path", ["logs?follow=1&stdout=1", "attach?stream=1&stdout=1&logs=1", "stats", "export"])
def test_who_does_not_read_costs_little_and_goes_away_without_a_trace(
    practice_host: str, labels: dict[str, str], path: str
) -> None:
    container = created(practice_host, TALKING, labels)
    before, method = handles(practice_host), b"POST" if path.startswith("attach") else b"GET"
    size = memory(practice_host)
    readers = [opened(practice_host) for _ in range(5)]
    for reader in readers:
        reader.sendall(method + f" /containers/{container}/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    time.sleep(1.5)
    assert ask(practice_host, "GET", "/version")[0] == 200
    assert memory(practice_host) - size < 60, "what nobody reads is not kept"
    for reader in readers:
        reader.close()
    wait_until(lambda: handles(practice_host) <= before + 3)
    assert ask(practice_host, "GET", f"/containers/{container}/json")[1]["State"]["Running"] is True
    assert ask(practice_host, "DELETE", f"/containers/{container}?force=1")[0] == 204


@pytest.mark.parametrize("path", ["/images/load", "/build", "/images/create?fromSrc=-&repo=gone"])
def test_an_upload_that_breaks_off_leaves_nothing(practice_host: str, path: str) -> None:
    before, had = handles(practice_host), images(practice_host)
    with opened(practice_host) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 9000000\r\n\r\n"
        client.sendall(head.encode() + tar_of(("Dockerfile", b"FROM busybox\n"), ("a", b"x" * 100_000))[:60_000])
    wait_until(lambda: handles(practice_host) <= before + 1)
    assert images(practice_host) == had


# -- hostile values --------------------------------------------------------------------------------------------------

HOSTILE = ["../../etc", "a/../b", "a\nb", "a\0b", "\u202e", "..", "-rf", "%2e%2e", "a b", "\ud800"]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:9]))
def test_names_that_are_none_are_refused(practice_host: str, value: str, labels: dict[str, str]) -> None:
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
        status, told = ask(practice_host, method, path, content)
        assert 400 <= status < 500, (method, path[:60], status, told)
        assert told["message"], told


FIELDS = ["Cmd", "Env", "Labels", "Volumes", "ExposedPorts", "HostConfig", "NetworkingConfig", "Healthcheck", "User"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [7, 1e300, True, [[[]]], {"a": {"b": [None]}}, ["\0"], "\0"], ids=repr)
def test_fields_of_other_types_are_refused_or_kept_but_never_break_anything(
    practice_host: str, field: str, value: object, labels: dict[str, str]
) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "Labels": labels, field: value}
    status, told = ask(practice_host, "POST", "/containers/create", body)
    assert status in (201, 400), (status, told)
    if status == 201:
        assert ask(practice_host, "POST", f"/containers/{told['Id']}/start")[0] in (204, 400, 500)
        assert ask(practice_host, "DELETE", f"/containers/{told['Id']}?force=1")[0] == 204


def test_json_that_goes_too_deep_or_is_none_is_refused(practice_host: str) -> None:
    for body in (
        b'{"a":' + b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"Image": NaN',
        b"{\xff}",
        b'{"Cmd":' + b"9" * 5000 + b"}",
    ):
        status, told = sent(practice_host, "POST", "/containers/create", body)
        assert (status, b"message" in told) == (400, True), told[:200]
    assert ask(practice_host, "GET", "/version")[0] == 200
