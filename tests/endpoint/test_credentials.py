"""Registry credentials of `docker login` and of credential helpers."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from processes import children, open_files, program
from registries import PASSWORD, USER, small_registry
from sshd import script

import dockerlab
from dockerlab.endpoint.credentials import DOCKER_HUB, for_image, for_registry, registry
from dockerlab.errors import ArgumentError, DockerlabError
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.request import encode

#: A credential helper: it reads the server's name and prints JSON.
HELPER = """#!/bin/sh
test "$1" = get || exit 9
read -r server || test -n "$server" || exit 8
echo "$server" >> "$0.log"
case $server in
  token.example) echo '{"ServerURL":"token.example","Username":"<token>","Secret":"abc"}' ;;
  bad.example) echo 'the secret is abc' ;;
  broken.example) echo 'the keychain is locked' >&2; exit 1 ;;
  gone.example) echo 'credentials not found in native keychain'; exit 1 ;;
  slow.example) sleep 98766 ;;
  *) printf '{"ServerURL":"%s","Username":"me","Secret":"from %s"}\\n' "$server" "${0##*-}" ;;
esac
"""


@pytest.fixture
def config(tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that writes config.json, with two helpers in PATH."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()
    for name in ("one", "two"):
        script(bin_folder / f"docker-credential-{name}", HELPER)

    def write(**settings: Any) -> None:
        (tmp_path / "docker/config.json").write_text(json.dumps(settings))

    return write


def basic(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("busybox", "docker.io"),
        ("busybox:1.36", "docker.io"),
        ("library/busybox@sha256:0", "docker.io"),
        ("me/web", "docker.io"),
        ("docker.io/me/web", "docker.io"),
        ("index.docker.io/me/web", "docker.io"),
        ("localhost/web", "localhost"),
        ("localhost:5000/web:1", "localhost:5000"),
        ("host:5000/web", "host:5000"),
        ("registry.example/a/b/c", "registry.example"),
        ("[::1]:5000/web", "[::1]:5000"),
        ("Upper/web", "Upper"),
    ],
)
def test_the_registry_of_an_image(image: str, name: str) -> None:
    assert registry(image) == name


def test_credentials_in_the_file(config: Any) -> None:
    config(
        auths={
            DOCKER_HUB: basic("me", "p:w"),
            "registry.example": {**basic("you", "old"), "identitytoken": "abc"},
            "https://old.example/v1/": basic("me", "url"),
            "plain.example": {"username": "me", "password": "plain"},
            "empty.example": {},
        }
    )
    hub = {"username": "me", "password": "p:w", "serveraddress": DOCKER_HUB}
    assert for_image("busybox") == for_image("docker.io/me/web") == for_registry("docker.io") == hub
    assert dockerlab.endpoint.credentials.for_image("registry.example/web") == {
        "username": "you", "identitytoken": "abc", "serveraddress": "registry.example",
    }  # fmt: skip
    assert for_image("old.example/web")["password"] == "url"
    assert for_image("plain.example/web")["username"] == "me"
    assert for_image("empty.example/web") == for_image("other.example/web") == {}


def test_the_result_can_be_passed_as_registry_auth(config: Any) -> None:
    config(auths={"registry.example": basic("me", "pw")})
    credentials = for_image("registry.example/web")
    request = encode(OPERATIONS["ImagePush"], {"name": "registry.example/web", "registry_auth": credentials}, "1.51")
    assert json.loads(base64.urlsafe_b64decode(request.headers["X-Registry-Auth"])) == credentials


def test_helpers_are_used_in_the_order_of_docker(config: Any, bin_folder: Path) -> None:
    config(credsStore="one", credHelpers={"special.example": "two"}, auths={"gone.example": basic("me", "file")})
    assert for_image("busybox") == {"username": "me", "password": "from one", "serveraddress": DOCKER_HUB}
    assert for_image("special.example/web")["password"] == "from two"
    assert for_image("token.example/web") == {"identitytoken": "abc", "serveraddress": "token.example"}
    assert for_image("gone.example/web")["password"] == "file"
    assert (bin_folder / "docker-credential-one.log").read_text().split() == [
        DOCKER_HUB,
        "token.example",
        "gone.example",
    ]


def test_helpers_that_fail(config: Any, tmp_path: Path) -> None:
    config(credsStore="one")
    with pytest.raises(DockerlabError, match=r"docker-credential-one failed: the keychain is locked\. Try it by hand"):
        for_image("broken.example/web")
    with pytest.raises(DockerlabError, match="in the form that docker reads") as error:
        for_image("bad.example/web")
    assert "abc" not in str(error.value)
    config(credsStore="none-such")
    with pytest.raises(DockerlabError, match=r"docker-credential-none-such, which is not in PATH\. Install it"):
        for_image("busybox")
    for name in ("../evil", "a b", "-x"):
        config(credsStore=name)
        with pytest.raises(DockerlabError, match="is not a valid name"):
            for_image("busybox")


def test_a_helper_that_hangs_is_stopped(config: Any) -> None:
    config(credsStore="one")
    before, files, clock = children(), open_files(), time.monotonic()
    with pytest.raises(DockerlabError, match=r"did not finish within 0\.3 s: perhaps it waits for a password"):
        for_image("slow.example/web", timeout=0.3)
    assert time.monotonic() - clock < 5
    assert children() <= before
    assert open_files() <= files


def test_malformed_files_and_wrong_names(config: Any, tmp_path: Path) -> None:
    config(auths={"registry.example": {"auth": "no base64!"}})
    with pytest.raises(DockerlabError, match=r"can't be read\. Log in again: docker login registry\.example"):
        for_image("registry.example/web")
    (tmp_path / "docker/config.json").write_text("{")
    with pytest.raises(DockerlabError, match=r"it is not JSON .*Correct that file"):
        for_image("busybox")
    (tmp_path / "docker/config.json").unlink()
    assert for_image("busybox") == {}
    assert for_image("busybox", env={}) == {}
    for name in ("", " ", None):
        with pytest.raises(ArgumentError, match="image is the name of an image"):
            for_image(name)  # type: ignore[arg-type]


def test_credentials_of_docker_login_are_read(config: Any, practice_host: str) -> None:
    docker = program("docker")
    with small_registry("basic") as server:
        command = [docker, "--host", practice_host, "login", "--username", USER, "--password-stdin", server.name]
        process = subprocess.run(
            command, input=PASSWORD, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
        )
        assert process.returncode == 0, process.stderr
        expected = {"username": USER, "password": PASSWORD, "serveraddress": server.name}
        assert for_image(f"{server.name}/web") == expected
