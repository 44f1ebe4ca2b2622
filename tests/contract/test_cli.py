"""The `dockerlab` command: exit codes, output formats, errors that say what to do."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engines import run_engine

Process = subprocess.CompletedProcess[str]
Command = Callable[..., Process]


def command(*arguments: str, timeout: float = 60, **settings: str) -> Process:
    environment = {**os.environ, "COLUMNS": "200", **settings}
    line = [sys.executable, "-m", "dockerlab", *arguments]
    return subprocess.run(
        line, capture_output=True, text=True, timeout=timeout, env=environment, stdin=subprocess.DEVNULL, check=False
    )


@pytest.fixture
def call(host: str) -> Command:
    """Give a function that runs `dockerlab call` on the engine under test."""

    def ask(*words: str, code: int = 0) -> Process:
        process = command("call", *words, "--host", host)
        assert process.returncode == code, process.stdout + process.stderr
        return process

    return ask


@pytest.fixture
def box(lab: Any, labels: dict[str, str]) -> Iterator[str]:
    """Give a running container that has printed two lines."""
    name = f"box-{labels['dockerlab.test'][-12:]}"
    script = ["sh", "-c", "echo one; echo two >&2; exec sleep 60"]
    lab.container.create(name=name, image="busybox", cmd=script, labels=labels)
    lab.container.start(name)
    end = time.monotonic() + 10
    while len(lab.container.logs(name)) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    return name


def name_filter(box: str) -> str:
    return f"filters.name={box}"


def test_a_response_in_each_format(call: Command, box: str, tmp_path: Path) -> None:
    assert box in call("ContainerList", name_filter(box)).stdout
    [record] = json.loads(call("ContainerList", name_filter(box), "--format", "json").stdout)
    assert record["Names"] == [f"/{box}"]
    table = call("ContainerList", name_filter(box), "--columns", "state,name").stdout.splitlines()
    assert [line.split() for line in table] == [["state", "name"], ["running", box]]
    table_ = pd.read_csv(io.StringIO(call("ContainerList", name_filter(box), "--format", "csv").stdout))
    assert table_["name"].tolist() == [box]
    call("ContainerList", name_filter(box), "--format", "parquet", "-o", str(tmp_path / "a.parquet"))
    assert pd.read_parquet(tmp_path / "a.parquet")["state"].tolist() == ["running"]


def test_logs_end_at_their_timeout(call: Command, box: str) -> None:
    lines = call("ContainerLogs", box, "tail=5", "--columns", "message,stream").stdout.splitlines()
    assert sorted(line.split() for line in lines[1:]) == [["one", "stdout"], ["two", "stderr"]]
    clock = time.monotonic()
    followed = call("ContainerLogs", box, "follow=true", "--timeout", "0.5", "--format", "csv").stdout
    events = call("SystemEvents", "since=1m", "--timeout", "0.5", "--format", "csv").stdout
    assert events.startswith("time,type,action")
    samples = call("ContainerStats", box, "--timeout", "3", "--format", "csv").stdout
    assert f",{box}," in samples
    assert {"stdout,one", "stderr,two"} <= set(followed.splitlines())
    assert time.monotonic() - clock < 20
    refused = call("ContainerLogs", box, "follow=true", code=2)
    assert "has no end: add --timeout SECONDS, or follow=false" in refused.stderr


def test_an_export_is_written_to_a_file(call: Command, box: str, tmp_path: Path) -> None:
    message = call("ContainerExport", box, "-o", str(tmp_path / "box.tar")).stdout
    assert message == f"{tmp_path}/box.tar: {(tmp_path / 'box.tar').stat().st_size} bytes\n"
    with tarfile.open(tmp_path / "box.tar") as archive:
        assert "bin" in {name.removeprefix("./").partition("/")[0] for name in archive.getnames()}
    assert "is a tar archive: write it to a file with -o FILE" in call("ContainerExport", box, code=2).stderr


def test_a_change_is_one_row(call: Command, box: str) -> None:
    [stopped] = json.loads(call("ContainerStop", box, "t=0", "--format", "json").stdout.replace("\n", "").join("[]"))
    assert stopped == {"operation": "ContainerStop", "status": 204, "changed": True}
    assert "304" in call("ContainerStop", box).stdout


def test_errors_have_exit_codes_and_advice(call: Command) -> None:
    error = call("ContainerInspect", "no-such-thing", code=1).stderr
    assert error.startswith("dockerlab: 404 ContainerInspect: No such container: no-such-thing")
    assert "dockerlab call ContainerList all=true" in error
    assert "did you mean" in call("ContainerList", "al=true", code=2).stderr.lower()
    assert "ContainerList" in call("ContainersList", code=2).stderr
    for operation in ("ContainerInspect", "ContainerLogs"):
        assert f"{operation} needs `id`" in call(operation, code=2).stderr
        assert f"{operation} has no argument `tty`" in call(operation, "web", "tty=1", code=2).stderr
    assert "There is no column nam. There are: repo_tags," in call("ImageList", "--columns", "nam", code=2).stderr
    unreachable = command("call", "SystemPing", "--host", "unix:///no/such.sock")
    assert (unreachable.returncode, "--host practice" in unreachable.stderr) == (3, True)
    for process in (unreachable, command("call", "--timeout", "0", "SystemPing"), command("no-such-verb")):
        assert "Traceback" not in process.stderr
        assert process.returncode in (2, 3)


def test_operations_are_listed() -> None:
    operations = command("call", "--list", "container").stdout
    assert "GET     /containers/json" in operations
    assert "ImageList" not in operations
    description = command("call", "ContainerLogs", "--list").stdout
    assert "ContainerLogs  GET /containers/{id}/logs  response: mux" in description


def test_each_verb_has_help_with_examples() -> None:
    for verb in ("", "lab", "run", "doctor", "engine", "call"):
        text = command(*verb.split(), "--help").stdout
        assert f"dockerlab {verb}".strip() in text
    assert "Exit codes:" in command("--help").stdout


def test_doctor_reports_every_check() -> None:
    process = command("doctor", "--json")
    report = json.loads(process.stdout)
    status = {check["name"]: check["status"] for check in report["checks"]}
    assert report["ok"] is (process.returncode == 0) is True
    expected = {"python", "packages", "jupyterlab", "course", "engine.practice", "isolation", "image", "directories"}
    assert expected <= set(status)
    assert "not a sandbox" in process.stdout


def test_doctor_says_what_is_broken_and_how_to_fix_it() -> None:
    process = command("doctor", DOCKER_HOST="unix:///no/such.sock", DOCKERLAB_ISOLATION="magic")
    assert process.returncode == 1
    assert "Broken: engine.DOCKER_HOST, isolation." in process.stdout
    assert "DOCKERLAB_ISOLATION=magic does not work here" in process.stdout
    assert "→ unset DOCKERLAB_ISOLATION" in process.stdout


def test_doctor_says_for_each_way_why_it_is_taken_or_not(practice_host: str) -> None:
    settings = {"DOCKERLAB_ENGINE": "", "DOCKER_CONTEXT": "gone", "DOCKER_HOST": practice_host}
    report = json.loads(command("doctor", "--json", **settings).stdout)
    checks = {check["name"]: check for check in report["checks"] if check["name"].startswith("engine.")}
    ways = ["DOCKERLAB_ENGINE", "DOCKER_HOST", "DOCKER_CONTEXT", "context", "usual", "practice"]
    assert list(checks) == [f"engine.{way}" for way in ways]
    assert [name for name, check in checks.items() if check["facts"]["taken"]] == ["engine.DOCKER_HOST"]
    assert checks["engine.DOCKER_HOST"]["status"] == "ok"
    assert "There is no docker context 'gone'" in checks["engine.DOCKER_CONTEXT"]["said"]
    assert checks["engine.DOCKER_CONTEXT"]["status"] == "note", "it comes too late to matter"
    assert len(checks["engine.usual"]["facts"]["sockets"]) >= 10


def test_a_lesson_runs_in_the_terminal(host: str) -> None:
    process = command("run", "01", "--yes", "--engine", host, timeout=110)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "esson 01 is finished: Removed 3 containers: setup, spare, web." in process.stdout
    assert process.stderr == ""
    assert "should not have failed" not in process.stdout
    assert "add --yes" in command("run", "01").stderr
    listing = command("run").stdout
    assert "01  List containers" in listing
    assert "A1  Investigate a log" in listing


@pytest.mark.parametrize("number", ["A1", "a4"])
def test_an_analysis_runs_in_the_terminal_without_an_engine(number: str) -> None:
    process = command("run", number, "--yes", timeout=110, DOCKERLAB_ENGINE="unix:///no/such.sock")
    assert process.returncode == 0, process.stdout + process.stderr
    assert {"A1": "What we know", "a4": "<Picture: "}[number] in process.stdout
    assert process.stderr == ""
    assert "should not have failed" not in process.stdout
    assert "leave --engine out" in command("run", number, "--yes", "--engine", "practice").stderr


def test_an_engine_is_started_and_reset(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.mktemp("o")
    location = ["--host", f"unix://{base}/e.sock", "--state", str(base / "state")]
    try:
        process = command("engine", "start", *location)
        assert process.stdout.splitlines()[-1] == f"DOCKER_HOST=unix://{base}/e.sock"
        assert command("engine", "status", *location).returncode == 0
        assert command("engine", "logs", *location).returncode == 0
        assert command("engine", "stop", *location).returncode == 0
        assert command("engine", "status", *location).returncode != 0
        assert command("engine", "reset", "--yes", *location).returncode == 0
        assert not (base / "state/containers").exists()
    finally:
        run_engine("reset", *location)
