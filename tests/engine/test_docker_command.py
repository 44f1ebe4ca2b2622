"""The standard docker command works with the practice engine, on every rung that works on this machine."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engines import engine_address, run_engine
from processes import wait_until

from dockerlab.engine.processes.isolation import probe

Docker = Callable[..., str]
SERVICE = "trap 'echo bye; exit 0' TERM; echo out; echo err >&2; while :; do sleep 1 & wait $!; done"


@pytest.fixture(scope="module", params=[rung.name for rung in probe()])
def rung_host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an engine on one rung."""
    base = tmp_path_factory.mktemp("e")
    location = ["--host", f"unix://{base}/e.sock", "--state", str(base / "state")]
    yield engine_address(run_engine("start", *location, "--isolation", request.param))
    run_engine("reset", *location)


@pytest.fixture
def docker(rung_host: str, docker_cli: str, tmp_path: Path) -> Iterator[Docker]:
    """Give a function that runs the command and returns its output. All containers are removed afterwards."""
    environment = {**os.environ, "DOCKER_HOST": rung_host, "DOCKER_CONFIG": str(tmp_path)}

    def run(*arguments: str, code: int = 0, text: bool = True) -> str:
        process = subprocess.run(
            [docker_cli, *arguments], capture_output=True, env=environment, timeout=60, check=False
        )
        assert process.returncode == code, (
            f"docker {' '.join(arguments)}\n{process.stdout!r}\n{process.stderr.decode()}"
        )
        return (process.stdout + process.stderr).decode() if text else process.stdout  # type: ignore[return-value]

    yield run
    if containers := run("ps", "--all", "--quiet").split():
        run("rm", "--force", *containers)


def test_version_and_info(docker: Docker) -> None:
    assert "practice engine" in docker("version")
    assert json.loads(docker("version", "--format", "{{json .Server.APIVersion}}")) == "1.51"
    info = docker("info")
    assert "not a sandbox" in info
    assert "Isolation: " in info


def test_images(docker: Docker) -> None:
    # The command prints the names of an image in no particular order.
    assert {*docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()} == {"busybox:latest", "alpine:latest"}


def test_the_life_of_a_container(docker: Docker) -> None:
    identity = docker("create", "--name", "web", "--label", "a=b", "busybox", "sh", "-c", SERVICE).strip()
    assert docker("ps", "--all", "--format", "{{.Names}} {{.Status}}").strip() == "web Created"
    assert docker("start", "web").strip() == "web"
    wait_until(lambda: "err" in docker("logs", "web"))
    assert docker("ps", "--quiet", "--no-trunc").strip() == identity
    assert docker("ps", "--filter", "label=a=b", "--format", "{{.State}}").strip() == "running"
    assert "sleep 1" in docker("top", "web")
    assert "sh" in docker("top", "web", "-o", "pid,comm")
    assert docker("inspect", "--format", "{{.State.Status}} {{.Config.Labels.a}}", "web").strip() == "running b"
    docker("stop", "web")
    assert docker("inspect", "--format", "{{.State.ExitCode}}", "web").strip() == "0"
    assert docker("logs", "web").split() == ["out", "bye", "err"]
    docker("restart", "web")
    docker("kill", "web")
    assert docker("wait", "web").strip() == "137"
    assert docker("rm", "web").strip() == "web"
    assert docker("ps", "--all", "--quiet") == ""


def test_export(docker: Docker) -> None:
    docker("create", "--name", "box", "busybox", "true")
    data = docker("export", "box", text=False)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:  # type: ignore[arg-type]
        names = tar.getnames()
    assert {"bin/sh", "etc/passwd", "etc/hostname"} <= set(names)


def test_run_detached_and_its_exit_code(docker: Docker) -> None:
    docker("run", "--detach", "--name", "fails", "busybox", "sh", "-c", "exit 3")
    assert docker("wait", "fails").strip() == "3"


def test_mistakes_have_the_messages_of_docker(docker: Docker) -> None:
    assert "No such container: nobody" in docker("start", "nobody", code=1)
    docker("run", "--detach", "--name", "one", "busybox", "sleep", "60")
    assert "is already in use by container" in docker("create", "--name", "one", "busybox", code=1)
    assert "container is running: stop the container before removing" in docker("rm", "one", code=1)
    docker("kill", "one")
    docker("wait", "one")
    assert "is not running" in docker("kill", "one", code=1)
    assert "executable file not found" in docker("run", "--detach", "busybox", "sleeep", code=127)
