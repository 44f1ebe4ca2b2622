"""docker-compose, an independent client, starts a project with two services, a network and a volume."""

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
    """Give a function that runs docker-compose for a project of this test, which is removed afterwards."""
    name = f"compose-{os.environ['DOCKERLAB_SESSION']}"
    command = [program("docker-compose"), "--project-name", name]
    shutil.copy(PROJECT, tmp_path)
    settings = {"DOCKER_HOST": practice_host, "HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def run(*arguments: str) -> str:
        process = subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert process.returncode == 0, f"{arguments}: {process.stdout}{process.stderr}"
        return process.stdout

    yield run
    run("down", "--volumes", "--timeout", "1")
    filters = f'filters={{"label":["com.docker.compose.project={name}"]}}'
    assert ask(practice_host, "GET", f"/containers/json?all=1&{filters}")[1] == []
    assert ask(practice_host, "GET", f"/networks?{filters}")[1] == []
    assert not ask(practice_host, "GET", f"/volumes?{filters}")[1]["Volumes"]


def inspect(host: str, identity: str) -> dict[str, Any]:
    status, details = ask(host, "GET", f"/containers/{identity.strip()}/json")
    assert status == 200
    return dict(details)


def test_a_project_of_two_services_a_network_and_a_volume(practice_host: str, compose: Compose) -> None:
    compose("up", "--detach")
    web, reader = (compose("ps", "--quiet", service) for service in ("web", "reader"))
    wait_until(lambda: inspect(practice_host, web)["State"]["Health"]["Status"] == "healthy")
    wait_until(lambda: "hello from web1" in compose("logs", "--no-color", "reader"))

    # The volume is read-only for one service. Also checked: variables, and names and aliases on the network.
    line = "echo $GREETING; cat /seen/index.html; touch /seen/x || echo refused; wget -q -O - http://web:8080/"
    output = compose("exec", "-T", "reader", "sh", "-c", line)
    assert output.splitlines() == ["well met", "hello from web1", "refused", "hello from web1"]
    assert "peeker" in json.dumps(inspect(practice_host, reader)["NetworkSettings"]["Networks"])

    # The published port can be reached on this machine.
    address, _, port = compose("port", "web", "8080").strip().partition(":")
    client = http.client.HTTPConnection(address, int(port), timeout=10)
    client.request("GET", "/")
    assert client.getresponse().read() == b"hello from web1\n"
    client.close()

    # A service gets one more container. The unchanged service keeps its container.
    compose("up", "--detach", "--scale", "reader=2")
    assert len(compose("ps", "--quiet", "reader").split()) == 2
    assert compose("ps", "--quiet", "web") == web

    compose("restart", "--timeout", "1", "web")
    compose("stop", "--timeout", "1")
    states = {
        inspect(practice_host, container)["State"]["Status"] for container in compose("ps", "--quiet", "--all").split()
    }
    assert states == {"exited"}
    compose("start")
    wait_until(lambda: inspect(practice_host, web)["State"]["Health"]["Status"] == "healthy")
