"""Where there is no busybox, the image is made from this machine's own programs: the same lessons run on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import engine_address
from plain_http import ask, connection

from dockerlab.course.story_programs import WEB, settings
from dockerlab.engine.common.host_programs import elf_dependencies
from dockerlab.engine.processes.isolation import PROOT, probe


@pytest.fixture(scope="module", params=[rung.name for rung in probe() if rung.name != PROOT])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an engine with one rung that finds no busybox."""
    base = tmp_path_factory.mktemp("h")
    where = ["--host", f"unix://{base}/e.sock", "--state", str(base / "state")]
    environment = {**os.environ, "DOCKERLAB_BUSYBOX": "none"}

    def engine(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dockerlab.engine", *words, *where]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)

    yield engine_address(engine("start", "--isolation", request.param))
    engine("reset")


def test_the_image_says_where_it_is_from(host: str) -> None:
    status, steps = ask(host, "GET", "/images/busybox/history")
    assert status == 200
    assert steps[-1]["CreatedBy"] == "ADD this machine's programs / "


def test_the_web_service_of_the_lessons_runs(host: str) -> None:
    known = settings(WEB, "web")
    body = {"Image": "busybox", "Cmd": known["cmd"], "Env": known["env"], "WorkingDir": known["working_dir"]}
    status, made = ask(host, "POST", "/containers/create?name=web", body)
    assert status == 201
    ask(host, "POST", "/containers/web/start")
    until_logged(host, "web: ready")
    _, table = ask(host, "GET", "/containers/web/top")
    commands = [row[-1] for row in table["Processes"]]
    assert 'sh -c eval "$PROGRAM"' in commands  # ps sorts by pid, and pids begin anew some day
    assert sorted(command.split()[0] for command in commands) == ["httpd", "sh", "sleep"]
    assert next(command for command in commands if command.startswith("httpd")).startswith("httpd -f -p 127.0.0.1:18")
    assert ask(host, "POST", "/containers/web/stop")[0] == 204
    _, ended = ask(host, "GET", "/containers/web/json")
    assert ended["State"]["ExitCode"] == 0
    assert ask(host, "DELETE", f"/containers/{made['Id']}")[0] == 204


def until_logged(host: str, text: str, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while True:
        opened = connection(host)
        opened.request("GET", "/containers/web/logs?stdout=1&stderr=1")
        told = opened.getresponse().read().decode("utf-8", "replace")
        opened.close()
        if text in told:
            return
        assert time.monotonic() < end, told
        time.sleep(0.1)


def test_elf_headers_are_read() -> None:
    told = elf_dependencies(Path("/bin/sh").resolve())
    assert told is not None
    assert any(name.startswith("libc.") for name in told.libraries)
    assert elf_dependencies(Path(__file__)) is None
