"""The `dockerlab` command as its users type it: exit codes, forms of output, errors that name the mend."""

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

Ran = subprocess.CompletedProcess[str]
Command = Callable[..., Ran]


def command(*words: str, timeout: float = 60, **settings: str) -> Ran:
    environment = {**os.environ, "COLUMNS": "200", **settings}
    line = [sys.executable, "-m", "dockerlab", *words]
    return subprocess.run(
        line, capture_output=True, text=True, timeout=timeout, env=environment, stdin=subprocess.DEVNULL, check=False
    )


@pytest.fixture
def call(host: str) -> Command:
    """Give `dockerlab call` on the engine under test."""

    def ask(*words: str, code: int = 0) -> Ran:
        ran = command("call", *words, "--host", host)
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran

    return ask


@pytest.fixture
def box(lab: Any, labels: dict[str, str]) -> Iterator[str]:
    """Give a container that says two lines and naps."""
    name = f"box-{labels['dockerlab.test'][-12:]}"
    script = ["sh", "-c", "echo one; echo two >&2; exec sleep 60"]
    lab.container.create(name=name, image="busybox", cmd=script, labels=labels)
    lab.container.start(name)
    end = time.monotonic() + 10
    while len(lab.container.logs(name)) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    return name


def mine(box: str) -> str:
    return f"filters.name={box}"


def test_an_answer_in_each_form(call: Command, box: str, tmp_path: Path) -> None:
    assert box in call("ContainerList", mine(box)).stdout
    [record] = json.loads(call("ContainerList", mine(box), "--format", "json").stdout)
    assert record["Names"] == [f"/{box}"]
    table = call("ContainerList", mine(box), "--columns", "state,name").stdout.splitlines()
    assert [line.split() for line in table] == [["state", "name"], ["running", box]]
    read = pd.read_csv(io.StringIO(call("ContainerList", mine(box), "--format", "csv").stdout))
    assert read["name"].tolist() == [box]
    call("ContainerList", mine(box), "--format", "parquet", "-o", str(tmp_path / "a.parquet"))
    assert pd.read_parquet(tmp_path / "a.parquet")["state"].tolist() == ["running"]


def test_logs_end_when_they_are_told_to(call: Command, box: str) -> None:
    said = call("ContainerLogs", box, "tail=5", "--columns", "message,stream").stdout.splitlines()
    assert sorted(line.split() for line in said[1:]) == [["one", "stdout"], ["two", "stderr"]]
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


def test_an_export_goes_into_a_file(call: Command, box: str, tmp_path: Path) -> None:
    said = call("ContainerExport", box, "-o", str(tmp_path / "box.tar")).stdout
    assert said == f"{tmp_path}/box.tar: {(tmp_path / 'box.tar').stat().st_size} bytes\n"
    with tarfile.open(tmp_path / "box.tar") as archive:
        assert "bin" in {name.removeprefix("./").partition("/")[0] for name in archive.getnames()}
    assert "is a tar archive: write it to a file with -o FILE" in call("ContainerExport", box, code=2).stderr


def test_a_change_is_one_row(call: Command, box: str) -> None:
    [stopped] = json.loads(call("ContainerStop", box, "t=0", "--format", "json").stdout.replace("\n", "").join("[]"))
    assert stopped == {"operation": "ContainerStop", "status": 204, "changed": True}
    assert "304" in call("ContainerStop", box).stdout


def test_errors_have_their_exit_codes_and_mends(call: Command) -> None:
    gone = call("ContainerInspect", "no-such-thing", code=1).stderr
    assert gone.startswith("dockerlab: 404 ContainerInspect: No such container: no-such-thing")
    assert "dockerlab call ContainerList all=true" in gone
    assert "did you mean" in call("ContainerList", "al=true", code=2).stderr.lower()
    assert "ContainerList" in call("ContainersList", code=2).stderr
    for operation in ("ContainerInspect", "ContainerLogs"):
        assert f"{operation} needs `id`" in call(operation, code=2).stderr
        assert f"{operation} has no argument `tty`" in call(operation, "web", "tty=1", code=2).stderr
    assert "There is no column nam. There are: repo_tags," in call("ImageList", "--columns", "nam", code=2).stderr
    away = command("call", "SystemPing", "--host", "unix:///no/such.sock")
    assert (away.returncode, "--host practice" in away.stderr) == (3, True)
    for ran in (away, command("call", "--timeout", "0", "SystemPing"), command("no-such-verb")):
        assert "Traceback" not in ran.stderr
        assert ran.returncode in (2, 3)


def test_what_can_be_called_is_listed() -> None:
    listed = command("call", "--list", "container").stdout
    assert "GET     /containers/json" in listed
    assert "ImageList" not in listed
    told = command("call", "ContainerLogs", "--list").stdout
    assert "ContainerLogs  GET /containers/{id}/logs  response: mux" in told


def test_each_verb_has_help_with_examples() -> None:
    for verb in ("", "lab", "run", "doctor", "engine", "call"):
        told = command(*verb.split(), "--help").stdout
        assert f"dockerlab {verb}".strip() in told
    assert "Exit codes:" in command("--help").stdout


def test_doctor_says_what_is_here() -> None:
    ran = command("doctor", "--json")
    report = json.loads(ran.stdout)
    status = {check["name"]: check["status"] for check in report["checks"]}
    assert report["ok"] is (ran.returncode == 0) is True
    expected = {"python", "packages", "jupyterlab", "course", "engine.practice", "isolation", "image", "directories"}
    assert expected <= set(status)
    assert "not a sandbox" in ran.stdout


def test_doctor_names_what_is_broken_and_the_mend() -> None:
    ran = command("doctor", DOCKER_HOST="unix:///no/such.sock", DOCKERLAB_ISOLATION="magic")
    assert ran.returncode == 1
    assert "Broken: engine.DOCKER_HOST, isolation." in ran.stdout
    assert "DOCKERLAB_ISOLATION=magic does not work here" in ran.stdout
    assert "→ unset DOCKERLAB_ISOLATION" in ran.stdout


def test_doctor_tells_of_every_way_why_it_is_taken_or_not(practice_host: str) -> None:
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
    ran = command("run", "01", "--yes", "--engine", host, timeout=110)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "esson 01 is finished: Removed 3 containers: setup, spare, web." in ran.stdout
    assert ran.stderr == ""
    assert "should not have failed" not in ran.stdout
    assert "add --yes" in command("run", "01").stderr
    assert "01  List containers" in command("run").stdout
    assert "A1  Investigate a log" in command("run").stdout


@pytest.mark.parametrize("number", ["A1", "a4"])
def test_an_analysis_runs_in_the_terminal_without_an_engine(number: str) -> None:
    ran = command("run", number, "--yes", timeout=110, DOCKERLAB_ENGINE="unix:///no/such.sock")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {"A1": "What we know", "a4": "<Picture: "}[number] in ran.stdout
    assert ran.stderr == ""
    assert "should not have failed" not in ran.stdout
    assert "leave --engine out" in command("run", number, "--yes", "--engine", "practice").stderr


def test_an_engine_of_ones_own_is_started_and_reset(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.mktemp("o")
    where = ["--host", f"unix://{base}/e.sock", "--state", str(base / "state")]
    try:
        started = command("engine", "start", *where)
        assert started.stdout.splitlines()[-1] == f"DOCKER_HOST=unix://{base}/e.sock"
        assert command("engine", "status", *where).returncode == 0
        assert command("engine", "logs", *where).returncode == 0
        assert command("engine", "stop", *where).returncode == 0
        assert command("engine", "status", *where).returncode != 0
        assert command("engine", "reset", "--yes", *where).returncode == 0
        assert not (base / "state/containers").exists()
    finally:
        run_engine("reset", *where)
