"""Without busybox, the image is made from this machine's own programs, and the same lessons run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import engine_address
from plain_http import ask, container_output
from processes import wait_until

from dockerlab.course.story_programs import WEB, settings
from dockerlab.engine.common.host_programs import elf_dependencies
from dockerlab.engine.processes.isolation import PROOT, probe


@pytest.fixture(scope="module", params=[rung.name for rung in probe() if rung.name != PROOT])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an engine on one rung that finds no busybox."""
    base = tmp_path_factory.mktemp("h")
    location = ["--host", f"unix://{base}/e.sock", "--state", str(base / "state")]
    environment = {**os.environ, "DOCKERLAB_BUSYBOX": "none"}

    def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dockerlab.engine", *arguments, *location]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)

    yield engine_address(engine("start", "--isolation", request.param))
    engine("reset")


def test_the_history_says_that_it_is_made_of_the_hosts_programs(host: str) -> None:
    status, steps = ask(host, "GET", "/images/busybox/history")
    assert status == 200
    assert steps[-1]["CreatedBy"] == "ADD this machine's programs / "


def test_the_web_service_of_the_lessons_runs(host: str) -> None:
    program = settings(WEB, "web")
    body = {"Image": "busybox", "Cmd": program["cmd"], "Env": program["env"], "WorkingDir": program["working_dir"]}
    status, container = ask(host, "POST", "/containers/create?name=web", body)
    assert status == 201
    ask(host, "POST", "/containers/web/start")
    wait_until(lambda: "web: ready" in container_output(host, "web"))
    _, table = ask(host, "GET", "/containers/web/top")
    commands = [row[-1] for row in table["Processes"]]
    assert 'sh -c eval "$PROGRAM"' in commands  # not by position: ps sorts by pid, and pids wrap around
    assert sorted(command.split()[0] for command in commands) == ["httpd", "sh", "sleep"]
    assert next(command for command in commands if command.startswith("httpd")).startswith("httpd -f -p 127.0.0.1:18")
    assert ask(host, "POST", "/containers/web/stop")[0] == 204
    _, details = ask(host, "GET", "/containers/web/json")
    assert details["State"]["ExitCode"] == 0
    assert ask(host, "DELETE", f"/containers/{container['Id']}")[0] == 204


def test_elf_headers_are_read() -> None:
    dependencies = elf_dependencies(Path("/bin/sh").resolve())
    assert dependencies is not None
    assert any(name.startswith("libc.") for name in dependencies.libraries)
    assert elf_dependencies(Path(__file__)) is None
