"""Registry credentials of `podman login`: which file, which entry, and their order relative to docker's."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import program
from sshd import script

from dockerlab.endpoint import credentials
from dockerlab.endpoint.credentials import DOCKER_HUB, for_image, for_registry, podman_files
from dockerlab.errors import DockerlabError

PODMAN, DOCKER = "Podman 5.4.2", "Docker 28.5.2"
#: The files, in Podman's order.
RUNTIME, CONFIG, DOCKERS = "run/containers/auth.json", "home/.config/containers/auth.json", "home/.docker/config.json"


def basic(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:pw".encode()).decode()}


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the environment of a user with an empty home and no credential files."""
    monkeypatch.setattr(credentials, "RUNTIME", tmp_path / "system")
    return {"HOME": f"{tmp_path}/home", "XDG_RUNTIME_DIR": f"{tmp_path}/run", "PATH": os.environ["PATH"]}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes one of the files."""

    def write(place: str, **settings: Any) -> Path:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
        return path

    return write


def user(image: str, env: dict[str, str], engine: str = PODMAN) -> str:
    return for_image(image, engine=engine, env=env).get("username", "")


def test_files_in_their_order(env: dict[str, str], write: Any, tmp_path: Path) -> None:
    image = "registry.example/web"
    assert for_image(image, engine=PODMAN, env=env) == {}
    for place, name in ((DOCKERS, "third"), (CONFIG, "second"), (RUNTIME, "first")):
        write(place, auths={"registry.example": basic(name), f"{name}.example": basic(name)})
        assert user(image, env) == name
    assert user("third.example/web", env) == "third"
    assert user(image, env, DOCKER) == user(image, env, "") == "third"
    assert user("first.example/web", env, DOCKER) == "first"
    assert podman_files(env) == [tmp_path / RUNTIME, tmp_path / CONFIG]


def test_variables_name_other_files(env: dict[str, str], write: Any, tmp_path: Path) -> None:
    write(RUNTIME, auths={"registry.example": basic("runtime")})
    write(DOCKERS, auths={"docker.example": basic("docker")})
    env["REGISTRY_AUTH_FILE"] = str(write("mine.json", auths={"mine.example": basic("mine")}))
    assert user("mine.example/web", env) == "mine"
    assert user("registry.example/web", env) == user("docker.example/web", env) == "", "nothing else is read"
    assert user("docker.example/web", env, DOCKER) == "docker"
    del env["REGISTRY_AUTH_FILE"], env["XDG_RUNTIME_DIR"]
    write(f"system/{os.getuid()}/auth.json", auths={"registry.example": basic("system")})
    assert user("registry.example/web", env) == "system"
    env["XDG_CONFIG_HOME"] = str(tmp_path / "other")
    write("other/containers/auth.json", auths={"other.example": basic("other")})
    assert user("other.example/web", env) == "other"


def test_the_longest_matching_key_is_used(env: dict[str, str], write: Any) -> None:
    keys = ["r.example:5000", "r.example:5000/a", "r.example:5000/a/b/web", "only.example/team", "docker.io/me/web"]
    write(
        RUNTIME, auths={key: basic(key.replace(":", " ")) for key in keys} | {"https://old.example/v1/": basic("old")}
    )
    for image, key in {
        "r.example:5000/web:1": "r.example:5000",
        "r.example:5000/ab/web": "r.example:5000",
        "r.example:5000/a/web": "r.example:5000/a",
        "r.example:5000/a/b/web:1.2@sha256:0": "r.example:5000/a/b/web",
        "only.example/team/web": "only.example/team",
        "only.example/web": "",
        "me/web:1": "docker.io/me/web",
        "docker.io/me/web": "docker.io/me/web",
        "busybox": "",
        "old.example/web": "old",
    }.items():
        assert user(image, env) == key.replace(":", " "), image
    assert for_registry("only.example", engine=PODMAN, env=env) == {}
    assert for_registry("r.example:5000", engine=PODMAN, env=env)["serveraddress"] == "r.example:5000"


@pytest.mark.parametrize("key", ["docker.io", "docker.io/library", "https://index.docker.io/v1/"])
def test_docker_hub(env: dict[str, str], write: Any, key: str) -> None:
    write(CONFIG, auths={key: basic("me")})
    expected = {"username": "me", "password": "pw", "serveraddress": DOCKER_HUB}
    assert for_image("busybox", engine=PODMAN, env=env) == expected


def test_a_helper_has_precedence_over_files(env: dict[str, str], write: Any, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin/docker-credential-one", """#!/bin/sh\nread -r server || test -n "$server"
        printf '{"Username":"helper","Secret":"for %s"}' "$server"\n""")  # fmt: skip
    env["PATH"] = f"{tmp_path}/bin:{env['PATH']}"
    write(RUNTIME, auths={"r.example": basic("file")}, credHelpers={"r.example": "one"})
    assert for_image("r.example/web", engine=PODMAN, env=env) == {
        "username": "helper", "password": "for r.example", "serveraddress": "r.example",
    }  # fmt: skip


def test_an_unreadable_file(env: dict[str, str], write: Any) -> None:
    write(RUNTIME).write_text("{")
    with pytest.raises(DockerlabError, match=r"auth\.json can't be read: it is not JSON .*with REGISTRY_AUTH_FILE\."):
        for_image("busybox", engine=PODMAN, env=env)
    write(RUNTIME, auths={"r.example": {"auth": "no base64!"}})
    with pytest.raises(DockerlabError, match=r"Log in again: podman login r\.example\."):
        for_image("r.example/web", engine=PODMAN, env=env)


def test_podman_reads_the_same_credentials(env: dict[str, str], write: Any, tmp_path: Path) -> None:
    podman = program("podman")
    (tmp_path / "home").mkdir()
    write(RUNTIME, auths={key: basic(key) for key in ("r.example", "r.example/a", "only.example/team")})
    write(CONFIG, auths={key: basic(f"config {key}") for key in ("r.example", "config.example")})
    write(DOCKERS, auths={key: basic(f"docker {key}") for key in ("r.example", "docker.example")})
    expected = {
        "r.example/web": "r.example",
        "r.example/a/web": "r.example/a",
        "only.example/web": "",
        "only.example/team/web": "only.example/team",
        "config.example/web": "config config.example",
        "docker.example/web": "docker docker.example",
    }
    assert {image: user(image, env) for image in expected} == expected
    with tempfile.TemporaryDirectory(prefix="pod-") as base:  # short, because Podman refuses a long runroot
        own = ["--root", f"{base}/root", "--runroot", f"{base}/runroot", "--storage-driver", "vfs"]
        for image, name in expected.items():
            command = [podman, *own, "login", "--get-login", image]
            process = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
            assert process.stdout.strip() == name, process.stderr
            assert process.returncode == 0 or (name == "" and "not logged in" in process.stderr), process.stderr
