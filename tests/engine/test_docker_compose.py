"""docker-compose, a client that nobody here wrote, brings up a project with two services, a network and a volume."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_http import ask
from processes import program, wait_until

PROJECT = Path(__file__).with_name("compose") / "docker-compose.yml"
SECONDS = 60
Compose = Callable[..., str]


@pytest.fixture
def compose(practice_host: str, tmp_path: Path) -> Iterator[Compose]:
    """Give docker-compose for a project of this test, which is taken down afterwards."""
    name = f"compose-{os.environ['DOCKERLAB_SESSION']}"
    found = [program("docker-compose"), "--project-name", name]
    shutil.copy(PROJECT, tmp_path)
    settings = {"DOCKER_HOST": practice_host, "HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def run(*words: str) -> str:
        ran = subprocess.run(
            [*found, *words],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    yield run
    run("down", "--volumes", "--timeout", "1")
    chosen = f'filters={{"label":["com.docker.compose.project={name}"]}}'
    assert ask(practice_host, "GET", f"/containers/json?all=1&{chosen}")[1] == []
    assert ask(practice_host, "GET", f"/networks?{chosen}")[1] == []
    assert not ask(practice_host, "GET", f"/volumes?{chosen}")[1]["Volumes"]


def inspected(host: str, identity: str) -> dict[str, Any]:
    status, told = ask(host, "GET", f"/containers/{identity.strip()}/json")
    assert status == 200
    return dict(told)


def test_a_project_of_two_services_a_network_and_a_volume(practice_host: str, compose: Compose) -> None:
    compose("up", "--detach")
    web, reader = (compose("ps", "--quiet", service) for service in ("web", "reader"))
    wait_until(lambda: inspected(practice_host, web)["State"]["Health"]["Status"] == "healthy")
    wait_until(lambda: "hello from web1" in compose("logs", "--no-color", "reader"))

    # the volume, read-only for one of them; environment; names and aliases on the network
    line = "echo $GREETING; cat /seen/index.html; touch /seen/x || echo refused; wget -q -O - http://web:8080/"
    said = compose("exec", "-T", "reader", "sh", "-c", line)
    assert said.splitlines() == ["well met", "hello from web1", "refused", "hello from web1"]
    assert "peeker" in json.dumps(inspected(practice_host, reader)["NetworkSettings"]["Networks"])

    # the published port, from this machine
    address, _, port = compose("port", "web", "8080").strip().partition(":")
    opened = http.client.HTTPConnection(address, int(port), timeout=10)
    opened.request("GET", "/")
    assert opened.getresponse().read() == b"hello from web1\n"
    opened.close()

    # one more of a service; all of them are there, and what was not changed is the same container
    compose("up", "--detach", "--scale", "reader=2")
    assert len(compose("ps", "--quiet", "reader").split()) == 2
    assert compose("ps", "--quiet", "web") == web

    compose("restart", "--timeout", "1", "web")
    compose("stop", "--timeout", "1")
    states = {inspected(practice_host, one)["State"]["Status"] for one in compose("ps", "--quiet", "--all").split()}
    assert states == {"exited"}
    compose("start")
    wait_until(lambda: inspected(practice_host, web)["State"]["Health"]["Status"] == "healthy")
