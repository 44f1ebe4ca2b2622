"""The first steps of a newcomer: `make lab`, `pip install`, and a hosting service that builds binder/."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import jupyterlab
from repository import ROOT, Newcomer

BINDER = ROOT / "binder"


@pytest.fixture
def newcomer() -> Iterator[Newcomer]:
    base = Path(
        tempfile.mkdtemp(prefix="newcomer-")
    )  # short, for the engine's socket, and outside root's own directories
    base.chmod(0o755)
    user = Newcomer(base / "n")
    user.set_up()
    yield user
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert process.returncode == 0, process.stdout + process.stderr
    [file] = out.iterdir()
    return file


def test_the_wheel_contains_the_course(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    course = {f"dockerlab/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert len(course) >= 11
    assert course <= set(names)
    assert {"dockerlab/py.typed", "dockerlab/protocol/operations.py", "dockerlab/engine/__main__.py"} <= set(names)
    data = {f"dockerlab/{path.relative_to(ROOT)}" for path in (ROOT / "notebooks/data").rglob("*") if path.is_file()}
    assert data
    assert data <= set(names), "analyses read data beside the notebooks"
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert [name for name in names if re.search(r"checkpoint|__pycache__|^tests|(?<!lessons)/\.", name)] == []


def test_the_wheel_has_its_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "Description-Content-Type: text/markdown" in metadata
    assert len(metadata.split("\n\n", 1)[1]) > 1000, "the README is the description"


def test_the_error_for_an_old_python(tmp_path: Path) -> None:
    error = set_up_with(tmp_path, "exit 1")
    assert "needs Python 3.11 or newer" in error


def test_the_error_for_a_missing_venv_module(tmp_path: Path) -> None:
    error = set_up_with(tmp_path, 'case "$2" in *ensurepip*) exit 1 ;; esac')
    assert "apt-get install python3-venv" in error


def set_up_with(folder: Path, script: str) -> str:
    """Run `make lab` with a shell script in place of every Python, and return the error."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("bash", "sh", "make", "sed", "grep", "touch", "rm"):
        (programs / name).symlink_to(str(shutil.which(name)))
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        fake = programs / name
        fake.write_text(f"#!/bin/bash\n{script}\n")
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    command = ["make", "lab", f"VENV={folder / 'venv'}", "SHELL=" + str(shutil.which("bash"))]
    environment = {"PATH": str(programs), "HOME": str(folder)}
    process = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert process.returncode != 0
    return process.stderr


def test_the_hosted_python_is_new_enough() -> None:
    match = re.fullmatch(r"python-3\.(\d+)\n", (BINDER / "runtime.txt").read_text())
    assert match is not None
    assert int(match[1]) >= 11


def test_hosted_scripts_can_be_run() -> None:
    for name in ("postBuild", "start"):
        assert os.access(BINDER / name, os.X_OK), name
        assert (BINDER / name).read_text().startswith("#!/bin/bash\n")
    assert "set -euo pipefail" in (BINDER / "postBuild").read_text()
    assert (BINDER / "start").read_text().endswith('exec "$@"\n')


@pytest.mark.index
@pytest.mark.timeout(600)
def test_the_hosted_notebook_can_be_built_and_started(newcomer: Newcomer) -> None:
    venv = newcomer.base / "venv"
    path = f"{venv}/bin:/usr/local/bin:/usr/bin:/bin"
    newcomer.must(newcomer.python, "-m", "venv", venv)
    newcomer.must(f"{venv}/bin/pip", "install", "--quiet", "-r", "binder/requirements.txt", seconds=500)
    newcomer.must("binder/postBuild", PATH=path, seconds=120)
    lesson = "import dockerlab; lesson = dockerlab.lesson('01'); print(lesson); lesson.finish()"
    try:
        output = newcomer.must("binder/start", "python", "-c", lesson, PATH=path, DOCKERLAB_ENGINE="docker")
    finally:
        newcomer.run(f"{venv}/bin/dockerlab", "engine", "stop")
    assert "<Lesson 01" in output
    assert "jupyterlab" in newcomer.must("binder/start", "jupyter", "--version", PATH=path)


@pytest.mark.index
@pytest.mark.timeout(600)
def test_make_lab_in_a_new_copy_ends_with_a_working_address(newcomer: Newcomer) -> None:
    newcomer.must("make", ".venv/.lab", f"PYTHON={newcomer.python}", seconds=500)
    output = newcomer.must("make", ".venv/.lab")
    assert "installing" not in output, "the second time nothing is installed"
    check_first_lesson(newcomer.start("make", "lab", "NO_BROWSER=1"))


@pytest.mark.index
@pytest.mark.timeout(600)
def test_the_wheel_alone_has_the_command_and_the_course(newcomer: Newcomer, wheel: Path) -> None:
    file = shutil.copy(wheel, newcomer.base)
    newcomer.must(newcomer.python, "-m", "venv", newcomer.base / "venv")
    command = newcomer.base / "venv/bin/dockerlab"
    newcomer.must(newcomer.base / "venv/bin/pip", "install", "--quiet", file, seconds=500)
    assert "engine" in newcomer.must(command, "--help")
    course = newcomer.base / "home/course"
    check_first_lesson(newcomer.start(command, "lab", course, "--no-browser"))
    assert (course / "01-list-containers.ipynb").is_file()


def check_first_lesson(process: subprocess.Popen[str]) -> None:
    """Open the first lesson at the address that a process prints."""
    with jupyterlab(process) as url, urllib.request.urlopen(url, timeout=30) as response:
        assert "00-start-here" in url
        assert "JupyterLab" in response.read().decode()
