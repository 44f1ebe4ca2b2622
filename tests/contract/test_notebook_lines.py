"""Every curl line and every docker line that a notebook shows runs unchanged on the engine under test."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pytest
from plain_http import ask, remove_container

from dockerlab.course.catalog import LESSONS
from dockerlab.protocol.exchange import Exchange

FOLDER = Path(__file__).parents[2] / "notebooks"
SECONDS = 60


def cells(number: str) -> list[Any]:
    """Return the code cells up to the last one that shows lines."""
    code_cells = [
        cell
        for cell in nbformat.read(FOLDER / LESSONS[number].notebook, as_version=4).cells
        if cell.cell_type == "code"
    ]
    last = max((index for index, cell in enumerate(code_cells) if ".show()" in cell.source), default=-1)
    return code_cells[: last + 1]


def shown_exchanges(source: str, space: dict[str, Any]) -> list[Exchange]:
    """Return the exchanges that a cell shows, just after it ran."""
    exchanges = []
    for line in source.splitlines():
        if line.rstrip().endswith(".show()"):
            exchanges.append(eval(line.strip().removesuffix(".show()"), space))
    return exchanges


def run(line: str, folder: Path, host: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line in a shell. A docker line without --host needs the engine at the usual socket."""
    assert "docker" not in line.split(maxsplit=1)[0] or "--host" in line or host.endswith("/var/run/docker.sock")
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, timeout=SECONDS, check=False)


def check_line(exchange: Exchange, line: str, folder: Path, host: str) -> None:
    """Run a line after removing what its exchange has created, because a name can be created only once."""
    if exchange.operation.id == "ContainerCreate":
        remove_container(host, exchange.arguments["name"])
    process = run(line, folder, host)
    output = process.stdout.decode("utf-8", "replace")
    assert process.returncode == 0, f"{line}\n{output}{process.stderr.decode()}"
    assert '{"message":' not in output, f"{line}\n{output}"
    if exchange.operation.id == "ContainerCreate":
        status, details = ask(host, "GET", f"/containers/{exchange.arguments['name']}/json")
        assert status == 200
        assert exchange.arguments["labels"].items() <= details["Config"]["Labels"].items()
    if exchange.operation.answer == "tar":
        assert [path.stat().st_size > 0 for path in folder.glob("*.tar")] == [True]


@pytest.fixture
def space(host: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DOCKERLAB_ENGINE", host)
    names: dict[str, Any] = {}
    yield names
    if "lesson" in names:
        names["lesson"].finish()


@pytest.mark.parametrize("number", LESSONS)
def test_the_lines_of_a_lesson_run(  # noqa: PLR0913, PLR0917  (fixtures)
    number: str, host: str, space: dict[str, Any], tmp_path: Path, curl: str, docker_cli: str
) -> None:
    assert os.access(curl, os.X_OK)
    assert os.access(docker_cli, os.X_OK)
    lines = 0
    for cell in cells(number):
        expected = contextlib.suppress(Exception) if "raises-exception" in cell.metadata.get("tags", []) else None
        with expected or contextlib.nullcontext():
            exec(compile(cell.source, f"lesson {number}", "exec"), space)
        for exchange in shown_exchanges(cell.source, space):
            for line in filter(None, (exchange.curl, exchange.cli)):
                check_line(exchange, line, tmp_path, host)
                lines += 1
                for tar in tmp_path.glob("*.tar"):
                    tar.unlink()
    assert lines >= 2, "this lesson shows no lines"
