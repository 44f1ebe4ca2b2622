"""Docker contexts: dockerlab reads them like the docker command, and in the same order of precedence."""

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
    """Give an environment with its own docker directory."""
    return {"DOCKER_CONFIG": str(tmp_path / "docker config"), "PATH": "/usr/local/bin:/usr/bin:/bin"}


def write(env: dict[str, str], name: str, endpoint: Any, **files: str) -> str:
    """Write the files of a context, and return its digest."""
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
    """Select the current context, like `docker context use`."""
    folder = Path(env["DOCKER_CONFIG"])
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"currentContext": name}))


def docker(env: dict[str, str], *arguments: str, code: int = 0, **settings: str) -> str:
    process = subprocess.run(
        [program("docker"), *arguments],
        env={**env, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == code, process.stdout + process.stderr
    return process.stdout + process.stderr


# -- contexts as files


def test_a_context_by_name_and_the_current_one(env: dict[str, str]) -> None:
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


def test_a_context_has_its_own_tls_files(env: dict[str, str]) -> None:
    digest = write(env, "t", {"Host": "tcp://h:2376", "SkipTLSVerify": False}, ca="a", cert="b", key="c")
    files = Path(env["DOCKER_CONFIG"]) / "contexts/tls" / digest / "docker"
    expected = Tls(*(str(files / f"{name}.pem") for name in ("ca", "cert", "key")))
    endpoint = resolve("context:t", {**env, "DOCKER_CERT_PATH": "/elsewhere", "DOCKER_TLS_VERIFY": "1"})
    assert (endpoint.kind, endpoint.tls) == ("tls", expected)
    write(env, "unverified", {"Host": "tcp://h:2376", "SkipTLSVerify": True})
    assert resolve("context:unverified", env).tls == Tls(verify=False)
    write(env, "portless", {"Host": "tcp://h", "SkipTLSVerify": True})
    assert resolve("context:portless", env).url == "tcp://h:2376"
    write(env, "plain", {"Host": "tcp://h:2375"})
    assert resolve("context:plain", {**env, "DOCKER_TLS_VERIFY": "1"}).kind == "tcp"


def test_missing_and_malformed_contexts(env: dict[str, str]) -> None:
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
        with pytest.raises(ArgumentError) as error:
            resolve(f"context:{name}", env)
        assert words in str(error.value)
    with pytest.raises(ArgumentError, match="'gone'"):
        resolve(None, env)


@pytest.mark.parametrize("text", ["{", "[]", "\xff", '{"currentContext": 5}'])
def test_a_malformed_config_json_is_reported_and_ignored(env: dict[str, str], text: str) -> None:
    Path(env["DOCKER_CONFIG"]).mkdir()
    (Path(env["DOCKER_CONFIG"]) / "config.json").write_text(text, "latin-1")
    by_name = {way.name: way for way in ways(None, env)}
    assert not by_name["current context"].is_chosen
    assert ("Correct that file" in by_name["current context"].finding) is ("5" not in text)


def test_without_a_home_there_are_no_contexts() -> None:
    assert contexts.names({}) == []
    assert contexts.current({}) == ""
    with pytest.raises(ArgumentError, match="in your home directory"):
        resolve("context:x", {})


# -- contexts of the docker command


def test_contexts_of_docker_context_create_are_read(
    env: dict[str, str], practice_host: str, authority: Authority, tmp_path: Path
) -> None:
    docker(env, "context", "create", "plain one", "--docker", f"host={practice_host}", code=1)
    docker(env, "context", "create", "plain", "--docker", f"host={practice_host}")
    files = authority.issue("context")
    with tls_front(practice_host, files) as port:
        host = f"host=tcp://localhost:{port}"
        options = ",".join(f"{name}={files}/{name}.pem" for name in ("ca", "cert", "key"))
        docker(env, "context", "create", "secured", "--docker", f"{host},{options}")
        docker(env, "context", "create", "lax", "--docker", f"{host},{options},skip-tls-verify=true")
        assert contexts.names(env) == ["lax", "plain", "secured"]
        for name in ("plain", "secured", "lax"):
            docker(env, "context", "use", name)
            endpoint = resolve(None, env)
            assert endpoint == replace(resolve(f"context:{name}", env), source=f"current context: context:{name}")
            with Lab(endpoint) as lab:
                version = docker(env, "version", "--format", "{{.Server.Version}}").strip()
                assert lab.call("SystemVersion").json()["Version"] == version
                assert endpoint.kind == ("unix" if name == "plain" else "tls")
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
def test_the_order_is_that_of_the_docker_command(
    env: dict[str, str], settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_sockets, "candidates", lambda env: iter(()))  # ignore what listens on this machine
    for name in ("one", "two"):
        docker(env, "context", "create", name, "--docker", f"host=unix:///{name}.sock")
    docker(env, "context", "use", "one")
    output = docker(env, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", **settings)
    assert resolve("docker", {**env, **settings}).url == output.splitlines()[-1]
