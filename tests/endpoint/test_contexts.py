"""Docker's contexts: those that the docker command makes are read as it reads them, and in the same order."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import program
from tls import Authority, tls_front

from dockerlab import Lab
from dockerlab.endpoint import contexts, known_sockets
from dockerlab.endpoint.endpoint import Endpoint, resolve, ways
from dockerlab.endpoint.tls import Tls
from dockerlab.errors import ArgumentError


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Give an environment with a docker directory of its own."""
    return {"DOCKER_CONFIG": str(tmp_path / "docker config"), "PATH": "/usr/local/bin:/usr/bin:/bin"}


def write(env: dict[str, str], name: str, endpoint: Any, **files: str) -> str:
    """Write a context's files; give its digest."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = Path(env["DOCKER_CONFIG"]) / "contexts/meta" / digest
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    for file, text in files.items():
        path = Path(env["DOCKER_CONFIG"]) / "contexts/tls" / digest / "docker" / f"{file}.pem"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return digest


def choose(env: dict[str, str], name: str) -> None:
    """Do what `docker context use` does."""
    at = Path(env["DOCKER_CONFIG"])
    at.mkdir(exist_ok=True)
    (at / "config.json").write_text(json.dumps({"currentContext": name}))


def docker(env: dict[str, str], *words: str, code: int = 0, **more: str) -> str:
    ran = subprocess.run(
        [program("docker"), *words], env={**env, **more}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


# -- by files


def test_a_context_by_its_name_and_the_current_one(env: dict[str, str]) -> None:
    write(env, "far", {"Host": "ssh://me@far"})
    write(env, "near", {"Host": "unix:///run/a b.sock"})
    assert contexts.names(env) == ["far", "near"]
    assert resolve("context:far", env) == Endpoint("ssh", "me@far", "the caller: context:far")
    choose(env, "near")
    assert resolve(None, env) == Endpoint("unix", "/run/a b.sock", "current context: context:near")
    assert resolve("docker", env).address == "/run/a b.sock"
    assert resolve(None, {**env, "DOCKER_CONTEXT": "far"}).url == "ssh://me@far"
    assert resolve(None, {**env, "DOCKER_CONTEXT": "far", "DOCKER_HOST": "tcp://h"}).url == "tcp://h:2375"
    assert resolve(None, {**env, "DOCKERLAB_ENGINE": "context:far"}).url == "ssh://me@far"
    assert resolve("context:default", {"DOCKER_HOST": "tcp://h:1", **env}).url == "tcp://h:1"
    assert resolve("context:default", env).url == "unix:///var/run/docker.sock"


def test_tls_is_the_contexts_own(env: dict[str, str]) -> None:
    digest = write(env, "t", {"Host": "tcp://h:2376", "SkipTLSVerify": False}, ca="a", cert="b", key="c")
    files = Path(env["DOCKER_CONFIG"]) / "contexts/tls" / digest / "docker"
    expected = Tls(*(str(files / f"{name}.pem") for name in ("ca", "cert", "key")))
    found = resolve("context:t", {**env, "DOCKER_CERT_PATH": "/elsewhere", "DOCKER_TLS_VERIFY": "1"})
    assert (found.kind, found.tls) == ("tls", expected)
    write(env, "unverified", {"Host": "tcp://h:2376", "SkipTLSVerify": True})
    assert resolve("context:unverified", env).tls == Tls(verify=False)
    write(env, "portless", {"Host": "tcp://h", "SkipTLSVerify": True})
    assert resolve("context:portless", env).url == "tcp://h:2376"
    write(env, "plain", {"Host": "tcp://h:2375"})
    assert resolve("context:plain", {**env, "DOCKER_TLS_VERIFY": "1"}).kind == "tcp"


def test_contexts_that_are_not_there_or_say_nothing(env: dict[str, str]) -> None:
    write(env, "empty", {})
    write(env, "odd", ["?"])
    write(env, "wrong", {"Host": "ssh://-x"})
    choose(env, "gone")
    for name, words in {
        "gone": f"There is no docker context 'gone' in {env['DOCKER_CONFIG']}, which has only empty, odd, wrong.",
        "empty": "contains no engine address. Set one: docker context update empty --docker host=ADDRESS.",
        "odd": "contains no engine address",
        "wrong": "is not an address",
        "../../x": "There is no docker context",
    }.items():
        with pytest.raises(ArgumentError) as caught:
            resolve(f"context:{name}", env)
        assert words in str(caught.value)
    with pytest.raises(ArgumentError, match="'gone'"):
        resolve(None, env)


@pytest.mark.parametrize("text", ["{", "[]", "\xff", '{"currentContext": 5}'])
def test_a_broken_config_json_is_told_and_passed_over_as_docker_does(env: dict[str, str], text: str) -> None:
    Path(env["DOCKER_CONFIG"]).mkdir()
    (Path(env["DOCKER_CONFIG"]) / "config.json").write_text(text, "latin-1")
    told = {way.name: way for way in ways(None, env)}
    assert not told["current context"].is_chosen
    assert ("Correct that file" in told["current context"].finding) is ("5" not in text)


def test_without_a_home_there_are_no_contexts() -> None:
    assert contexts.names({}) == []
    assert contexts.current({}) == ""
    with pytest.raises(ArgumentError, match="in your home directory"):
        resolve("context:x", {})


# -- by the docker command


def test_what_docker_context_create_writes_is_read(
    env: dict[str, str], practice_host: str, authority: Authority, tmp_path: Path
) -> None:
    docker(env, "context", "create", "plain one", "--docker", f"host={practice_host}", code=1)
    docker(env, "context", "create", "plain", "--docker", f"host={practice_host}")
    files = authority.issue("context")
    with tls_front(practice_host, files) as port:
        host = f"host=tcp://localhost:{port}"
        named = ",".join(f"{name}={files}/{name}.pem" for name in ("ca", "cert", "key"))
        docker(env, "context", "create", "secured", "--docker", f"{host},{named}")
        docker(env, "context", "create", "lax", "--docker", f"{host},{named},skip-tls-verify=true")
        assert contexts.names(env) == ["lax", "plain", "secured"]
        for name in ("plain", "secured", "lax"):
            docker(env, "context", "use", name)
            found = resolve(None, env)
            assert found == replace(resolve(f"context:{name}", env), source=f"current context: context:{name}")
            with Lab(found) as lab:
                told = docker(env, "version", "--format", "{{.Server.Version}}").strip()
                assert lab.call("SystemVersion").json()["Version"] == told
                assert found.kind == ("unix" if name == "plain" else "tls")
    docker(env, "context", "use", "default")
    assert contexts.current(env) == ""


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"DOCKER_CONTEXT": "two"},
        {"DOCKER_CONTEXT": "default"},
        {"DOCKER_HOST": "unix:///host.sock"},
        {"DOCKER_HOST": "unix:///host.sock", "DOCKER_CONTEXT": "two"},
    ],
)
def test_the_order_is_the_docker_commands(
    env: dict[str, str], settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_sockets, "candidates", lambda env: iter(()))  # whatever listens on this machine
    for name in ("one", "two"):
        docker(env, "context", "create", name, "--docker", f"host=unix:///{name}.sock")
    docker(env, "context", "use", "one")
    said = docker(env, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", **settings)
    assert resolve("docker", {**env, **settings}).url == said.splitlines()[-1]
