"""Nothing in the repository depends on the machine where it was written; the locks say what pyproject.toml asks."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repository import ROOT, files, relative

import dockerlab

BINARY = {".png", ".jpg", ".ico", ".gz", ".tar", ".parquet"}
# each is split so that this file doesn't find itself
ELSEWHERE = [
    "/wo" + "rk/", "/tmp/" + "plan", "../" + "shared", "--index" + "-url", "extra-index" + "-url",
    "--find" + "-links", "/opt/" + "wheels", "/opt/" + "pypi",
]  # fmt: skip


def texts() -> list[tuple[Path, str]]:
    """Read every text file of the repository."""
    return [(path, path.read_text("utf-8")) for path in files() if path.suffix not in BINARY]


def project() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pins(lock: str) -> dict[str, str]:
    """Read the versions that a lock has for this Python on this system."""
    lines = re.findall(r"^[\w.-]+==[^\\\n]+", (ROOT / lock).read_text("utf-8"), re.MULTILINE)
    pinned = [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate()]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in pinned}


@pytest.mark.parametrize("text", ELSEWHERE)
def test_no_file_names_a_place_of_one_machine(text: str) -> None:
    assert [relative(path) for path, content in texts() if text in content] == []


def test_no_file_names_a_package_index() -> None:
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    hosts = set(re.findall(r"https?://(?:[^@/\s']*@)?([\w.-]+)", asked.stdout)) - {"localhost"}
    hosts |= {"pypi" + ".org", "files.python" + "hosted.org", "deb.debian" + ".org", "registry.npm" + "js.org"}
    found = [f"{relative(path)}: {host}" for path, content in texts() for host in hosts if host in content]
    assert found == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_a_lock_pins_everything_by_hash(lock: str) -> None:
    lines = (ROOT / lock).read_text("utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith((" ", "#", "\t"))]
    assert len(entries) > 50
    assert [line for line in entries if not re.fullmatch(r"[\w.-]+==\S+( ; .+)? \\", line)] == []
    starts = [number for number, line in enumerate(lines) if line in entries]
    assert [lines[number] for number in starts if "--hash=sha256:" not in lines[number + 1]] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_a_lock_satisfies_pyproject(lock: str) -> None:
    described = project()
    wanted = [*described["project"]["dependencies"], *described["dependency-groups"]["build"]]
    if "test" in lock:
        wanted += described["dependency-groups"]["test"]
    pinned = pins(lock)
    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{lock} lacks {requirement.name}: make lock"
        assert requirement.specifier.contains(version), f"{lock} has {requirement.name} {version}: make lock"


def installed(name: str) -> bool:
    """Tell whether a distribution is here."""
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.index
def test_the_locks_are_what_make_lock_writes() -> None:
    command = ["make", "--no-print-directory", "lock-check", f"VENV={sys.prefix}"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_both_locks_agree() -> None:
    runtime, test = pins("requirements.lock"), pins("requirements-test.lock")
    assert {name: test.get(name) for name in runtime} == runtime


def test_this_environment_is_the_locked_one() -> None:
    pinned = pins("requirements-test.lock")
    here = {name: importlib.metadata.version(name) for name in pinned if installed(name)}
    assert {name: version for name, version in here.items() if version != pinned[name]} == {}


def test_the_version_stands_in_the_changelog() -> None:
    assert f"## {dockerlab.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
