"""Where is an engine? The order of the answers, and what each address means."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from dockerlab import endpoint
from dockerlab.endpoint import Endpoint, parse, resolve
from dockerlab.errors import ArgumentError, EngineUnreachable


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a path for the usual socket at which nothing is."""
    path = str(tmp_path / "docker.sock")
    monkeypatch.setattr(endpoint, "USUAL_SOCKET", path)
    return path


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a script in Python's place, so that starting the practice engine is what the script says."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho starting\necho DOCKER_HOST=unix:///run/practice.sock\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(script))
    return script


# -- the order


def test_the_caller_comes_first_then_the_environment(usual: str, started: Path) -> None:
    env = {"DOCKERLAB_ENGINE": "unix:///lab.sock", "DOCKER_HOST": "tcp://10.0.0.1:2375"}
    assert resolve("unix:///mine.sock", env) == Endpoint("unix", "/mine.sock", "the caller")
    assert resolve(None, env) == Endpoint("unix", "/lab.sock", "DOCKERLAB_ENGINE")
    assert resolve(None, {**env, "DOCKERLAB_ENGINE": ""}) == Endpoint("tcp", "10.0.0.1:2375", "DOCKER_HOST")
    assert resolve("practice", env) == Endpoint("unix", "/run/practice.sock", "the caller")
    assert resolve(None, {**env, "DOCKERLAB_ENGINE": "practice"}).address == "/run/practice.sock"


def test_the_usual_socket_is_used_if_something_answers(usual: str, started: Path) -> None:
    assert resolve(None, {}).address == "/run/practice.sock"
    Path(usual).touch()
    assert resolve(None, {}).address == "/run/practice.sock"
    Path(usual).unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(usual)
        listener.listen()
        assert resolve(None, {}) == Endpoint("unix", usual, "the usual socket answers")


def test_docker_means_docker_host_or_the_usual_socket_and_never_the_practice_engine(usual: str, started: Path) -> None:
    assert resolve("docker", {}).address == usual
    assert resolve("docker", {"DOCKER_HOST": "tcp://h:1"}).url == "tcp://h:1"
    assert resolve(None, {"DOCKERLAB_ENGINE": "docker", "DOCKER_HOST": "unix:///d.sock"}).address == "/d.sock"
    assert resolve("docker", {"DOCKERLAB_ENGINE": "practice"}).address == usual


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
    ],
)
def test_addresses_that_can_be_used(url: str, kind: str, address: str, http: str) -> None:
    found = parse(url)
    assert (found.kind, found.address, found.http) == (kind, address, http)
    assert parse(found.url) == found


def test_a_tcp_address_has_host_and_port() -> None:
    assert (parse("tcp://[::1]:99").host, parse("tcp://[::1]:99").port) == ("::1", 99)
    assert (parse("tcp://h").host, parse("tcp://h").port, parse("tcp://h").host_header) == ("h", 2375, "h:2375")
    assert parse("unix:///a").host_header == "localhost"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ssh://me@host", "ssh -L /tmp/engine.sock:/var/run/docker.sock HOST"),
        ("npipe:////./pipe/docker_engine", "does not speak npipe:// yet"),
        ("fd://", "does not speak fd:// yet"),
        ("https://host:2376", "does not speak https:// yet"),
        ("/var/run/docker.sock", '"practice", "docker", unix:///PATH or tcp://HOST:PORT'),
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
def test_addresses_that_can_not_be_used_name_the_way_out(url: str, words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        resolve(url, {})
    assert words in str(caught.value)


def test_tls_is_refused_for_tcp_and_does_not_matter_for_a_socket() -> None:
    env = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1"}
    with pytest.raises(ArgumentError, match=r"DOCKER_TLS_VERIFY is set.*ssh -L"):
        resolve(None, env)
    assert resolve(None, {**env, "DOCKER_HOST": "unix:///d.sock"}).address == "/d.sock"


# -- starting the practice engine


def test_why_the_practice_engine_did_not_start_is_said(started: Path) -> None:
    started.write_text("#!/bin/sh\necho something >&2\necho the disk is full >&2\nexit 1\n")
    with pytest.raises(
        EngineUnreachable, match=r"did not start: the disk is full\nLook further with: dockerlab doctor"
    ):
        resolve("practice", {})
    started.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(EngineUnreachable, match="did not start: it said nothing"):
        resolve("practice", {})


def test_a_practice_engine_that_takes_too_long_is_given_up(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "START_SECONDS", 0.2)
    started.write_text("#!/bin/sh\nexec sleep 20\n")
    with pytest.raises(EngineUnreachable, match=r"did not start within 0\.2 s"):
        resolve("practice", {})


def test_a_python_that_can_not_be_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with pytest.raises(EngineUnreachable, match="did not start"):
        resolve("practice", {})


def test_the_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "DOCKERLAB_ENGINE", "tcp://h:1")
    assert resolve() == Endpoint("tcp", "h:1", "DOCKERLAB_ENGINE")
