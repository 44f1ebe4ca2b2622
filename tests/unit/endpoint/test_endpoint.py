"""Which engine is used: the order of the ways to find one, and what each address means."""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from dockerlab.endpoint import endpoint, known_sockets
from dockerlab.endpoint.endpoint import Endpoint, parse, resolve, ways
from dockerlab.endpoint.tls import Tls
from dockerlab.errors import ArgumentError, EngineUnreachable


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Give an environment in which no usual socket exists."""
    with tempfile.TemporaryDirectory(prefix="dl-") as base:  # short: a socket's path has at most 107 bytes
        monkeypatch.setattr(known_sockets, "USUAL_SOCKET", f"{base}/docker.sock")
        monkeypatch.setattr(known_sockets, "PODMAN_SOCKET", f"{base}/podman.sock")
        yield {"XDG_RUNTIME_DIR": f"{base}/run", "HOME": f"{base}/home"}


@contextmanager
def listening(path: str) -> Iterator[None]:
    """Listen at a unix socket while the block runs."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        yield
    Path(path).unlink()


@pytest.fixture
def python_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace Python by a script that decides what happens when the practice engine is started."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho starting\necho DOCKER_HOST=unix:///run/practice.sock\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(script))
    return script


# -- the order


def test_the_caller_has_precedence_over_the_environment(no_sockets: dict[str, str], python_script: Path) -> None:
    env = {"DOCKERLAB_ENGINE": "unix:///lab.sock", "DOCKER_HOST": "tcp://10.0.0.1:2375", **no_sockets}
    assert resolve("unix:///mine.sock", env) == Endpoint("unix", "/mine.sock", "the caller")
    assert resolve(None, env) == Endpoint("unix", "/lab.sock", "DOCKERLAB_ENGINE")
    assert resolve(None, {**env, "DOCKERLAB_ENGINE": ""}) == Endpoint("tcp", "10.0.0.1:2375", "DOCKER_HOST")
    assert resolve("practice", env) == Endpoint("unix", "/run/practice.sock", "the caller")
    assert resolve(None, {**env, "DOCKERLAB_ENGINE": "practice"}).address == "/run/practice.sock"


def test_the_usual_socket_is_used_if_something_answers(no_sockets: dict[str, str], python_script: Path) -> None:
    assert resolve(None, no_sockets).address == "/run/practice.sock"
    Path(known_sockets.USUAL_SOCKET).touch()
    assert resolve(None, no_sockets).address == "/run/practice.sock"
    Path(known_sockets.USUAL_SOCKET).unlink()
    with listening(known_sockets.USUAL_SOCKET):
        usual = known_sockets.USUAL_SOCKET
        assert resolve(None, no_sockets) == Endpoint("unix", usual, "the usual socket answers: Docker")


@pytest.mark.parametrize("number", range(1, 12))
def test_usual_sockets_are_tried_in_their_order(number: int, no_sockets: dict[str, str], python_script: Path) -> None:
    places = list(known_sockets.candidates(no_sockets))
    assert len(places) == 12
    path, engine = places[number]
    with listening(path), listening(places[-1][0]) if number != 11 else nullcontext():
        assert resolve(None, no_sockets) == Endpoint("unix", path, f"the usual socket answers: {engine}")
        assert resolve("docker", no_sockets).address == path


def test_docker_never_means_the_practice_engine(no_sockets: dict[str, str], python_script: Path) -> None:
    assert resolve("docker", no_sockets).address == known_sockets.USUAL_SOCKET
    assert resolve("docker", {"DOCKER_HOST": "tcp://h:1"}).url == "tcp://h:1"
    assert resolve(None, {"DOCKERLAB_ENGINE": "docker", "DOCKER_HOST": "unix:///d.sock"}).address == "/d.sock"
    assert resolve("docker", {"DOCKERLAB_ENGINE": "practice", **no_sockets}).address == known_sockets.USUAL_SOCKET


def test_each_way_says_why_it_is_taken_or_not(no_sockets: dict[str, str]) -> None:
    Path(known_sockets.USUAL_SOCKET).touch()
    rows = [(way.name, way.finding, way.is_chosen) for way in ways(None, {"DOCKER_HOST": "ssh://me@h", **no_sockets})]
    assert rows[:6] == [
        ("the caller", "nothing", False),
        ("DOCKERLAB_ENGINE", "not set", False),
        ("DOCKER_HOST", "ssh://me@h", True),
        ("DOCKER_CONTEXT", "not set", False),
        ("current context", "default: the usual socket", False),
        ("usual socket", f"{known_sockets.USUAL_SOCKET} (Docker): nothing listens", False),
    ]
    assert {reason.rpartition(": ")[2] for _, reason, _ in rows[6:-1]} == {"not there"}
    assert rows[-1] == ("practice", "no other engine was found", True)
    wrong = next(way for way in ways("tcp://", no_sockets) if way.is_chosen)
    assert (wrong.endpoint, type(wrong.error)) == (None, ArgumentError)


# -- addresses


@pytest.mark.parametrize(
    ("url", "kind", "address", "http"),
    [
        ("unix:///var/run/docker.sock", "unix", "/var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock"),
        ("unix:///tmp/a b%20c.sock", "unix", "/tmp/a b%20c.sock", "http+unix://%2Ftmp%2Fa%20b%2520c.sock"),
        ("tcp://127.0.0.1:2375", "tcp", "127.0.0.1:2375", "http://127.0.0.1:2375"),
        ("tcp://engine.example", "tcp", "engine.example:2375", "http://engine.example:2375"),
        ("http://engine.example:80/", "tcp", "engine.example:80", "http://engine.example:80"),
        ("tcp://[::1]:2375", "tcp", "[::1]:2375", "http://[::1]:2375"),
        ("tcp://[fe80::1]", "tcp", "[fe80::1]:2375", "http://[fe80::1]:2375"),
        ("ssh://host", "ssh", "host", "http+ssh://host"),
        (
            "ssh://me@Host.example:22/run/d.sock",
            "ssh",
            "me@Host.example:22/run/d.sock",
            "http+ssh://me%40Host.example%3A22%2Frun%2Fd.sock",
        ),
        (
            "ssh://me@[::1]:22/a%20b.sock",
            "ssh",
            "me@[::1]:22/a%20b.sock",
            "http+ssh://me%40%5B%3A%3A1%5D%3A22%2Fa%2520b.sock",
        ),
    ],
)
def test_addresses_are_parsed(url: str, kind: str, address: str, http: str) -> None:
    endpoint_ = parse(url)
    assert (endpoint_.kind, endpoint_.address, endpoint_.http) == (kind, address, http)
    assert parse(endpoint_.url) == endpoint_


def test_a_tcp_address_has_host_and_port() -> None:
    assert (parse("tcp://[::1]:99").host, parse("tcp://[::1]:99").port) == ("::1", 99)
    assert (parse("tcp://h").host, parse("tcp://h").port, parse("tcp://h").host_header) == ("h", 2375, "h:2375")
    assert (parse("unix:///a").host_header, parse("ssh://h").host_header) == ("localhost", "localhost")
    assert parse("tcp://[fe80::1%eth0]:1").host_header == "[fe80::1]:1"
    assert [(parse(url).host, parse(url).port) for url in ("unix:///a", "ssh://me@h:99", "ssh://[::1]")] == [
        ("", 0), ("h", 99), ("::1", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("npipe:////./pipe/docker_engine", "named pipes of Windows. Use it in WSL 2"),
        ("fd://", "Use the socket: unix:///var/run/docker.sock"),
        ("/var/run/docker.sock", "unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST"),
        ("ssh://", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://-oProxyCommand=touch$IFS/tmp/x", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://-l@host", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://me;id@host", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://@host", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://host name", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://host:port", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://host:70000", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://host/a%0Ab", "Write ssh://USER@HOST:PORT/PATH"),
        ("ssh://me:pw@host", "An address must not contain a password. Use a key"),
        ("context:none-such", "There is no docker context 'none-such'"),
        ("Practice", '"practice", "docker"'),
        ("unix://relative.sock", "is not a socket's path"),
        ("unix:///" + "x" * 107, "at most 107 bytes"),
        ("tcp://", "Write tcp://HOST:PORT"),
        ("tcp://host:port", "Write tcp://HOST:PORT"),
        ("tcp://host:99999", "Write tcp://HOST:PORT"),
        ("tcp://user@host:1", "Write tcp://HOST:PORT"),
        ("tcp://host:1/path", "Write tcp://HOST:PORT"),
    ],
)
def test_the_error_for_a_wrong_address_says_what_to_write(url: str, words: str) -> None:
    with pytest.raises(ArgumentError) as error:
        resolve(url, {})
    assert words in str(error.value)


# -- TLS, by the same variables as the docker command's


def test_when_tls_is_used_and_with_which_files(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    named = {"DOCKER_CERT_PATH": str(tmp_path)}
    verified = parse("tcp://h", env={"DOCKER_TLS_VERIFY": "1", **named})
    assert (verified.kind, verified.url, verified.http) == ("tls", "tcp://h:2376", "https://h:2376")
    assert verified.tls == Tls(ca, cert, key)
    assert parse("tcp://h:1", env={"DOCKER_TLS_VERIFY": "0", **named}).tls == Tls(ca, cert, key), "as docker reads it"
    assert parse("tcp://h", env={"DOCKER_TLS": "1", **named}).tls == Tls(ca, cert, key, verify=False)
    assert parse("tcp://h", env=named).kind == "tcp"
    assert parse("tcp://h", env={"DOCKER_TLS_VERIFY": "1", "DOCKER_CONFIG": str(tmp_path)}).tls == Tls(ca, cert, key)
    assert parse("unix:///d.sock", env={"DOCKER_TLS_VERIFY": "1"}).tls is None
    assert (parse("https://h").address, parse("https://h").tls) == ("h:443", Tls())
    (tmp_path / "cert.pem").unlink()
    (tmp_path / "key.pem").unlink()
    assert parse("tcp://h", env={"DOCKER_TLS_VERIFY": "1", **named}).tls == Tls(ca)


def test_insecure_is_set_by_the_caller_or_the_environment() -> None:
    assert not resolve("tcp://h", {}).insecure
    assert resolve("tcp://h", {}, insecure=True).insecure
    assert resolve("tcp://h", {"DOCKERLAB_INSECURE": "1"}).insecure
    assert not resolve("tcp://h", {"DOCKERLAB_INSECURE": "0"}).insecure


# -- starting the practice engine


def test_the_error_says_why_the_practice_engine_did_not_start(python_script: Path) -> None:
    python_script.write_text("#!/bin/sh\necho something >&2\necho the disk is full >&2\nexit 1\n")
    with pytest.raises(EngineUnreachable, match=r"did not start: the disk is full\nFind out more: dockerlab doctor"):
        resolve("practice", {})
    python_script.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(EngineUnreachable, match="did not start: it gave no reason"):
        resolve("practice", {})


def test_waiting_for_the_practice_engine_has_a_limit(python_script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "START_SECONDS", 0.2)
    python_script.write_text("#!/bin/sh\nexec sleep 20\n")
    with pytest.raises(EngineUnreachable, match=r"did not start within 0\.2 s"):
        resolve("practice", {})


def test_a_python_that_cannot_be_run_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with pytest.raises(EngineUnreachable, match="did not start"):
        resolve("practice", {})


def test_the_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "DOCKERLAB_ENGINE", "tcp://h:1")
    assert resolve() == Endpoint("tcp", "h:1", "DOCKERLAB_ENGINE")
