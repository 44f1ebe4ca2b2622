"""Nothing in the repository depends on one machine, and the locks agree with pyproject.toml."""

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
# Each text is split, so that the test does not find this file.
FOREIGN_PLACES = [
    "/wo" + "rk/", "/tmp/" + "plan", "../" + "shared", "--index" + "-url", "extra-index" + "-url",
    "--find" + "-links", "/opt/" + "wheels", "/opt/" + "pypi",
]  # fmt: skip


def texts() -> list[tuple[Path, str]]:
    """Return every text file of the repository with its content."""
    return [(path, path.read_text("utf-8")) for path in files() if path.suffix not in BINARY]


def project() -> dict[str, Any]:
    """Return the content of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pins(lock: str) -> dict[str, str]:
    """Return the versions in a lock for this Python on this system."""
    lines = re.findall(r"^[\w.-]+==[^\\\n]+", (ROOT / lock).read_text("utf-8"), re.MULTILINE)
    requirements = map(Requirement, lines)
    valid = [item for item in requirements if item.marker is None or item.marker.evaluate()]
    return {canonicalize_name(item.name): str(item.specifier).removeprefix("==") for item in valid}


@pytest.mark.parametrize("text", FOREIGN_PLACES)
def test_no_file_names_a_path_of_one_machine(text: str) -> None:
    assert [relative(path) for path, content in texts() if text in content] == []


def test_no_file_names_a_package_index() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    hosts = set(re.findall(r"https?://(?:[^@/\s']*@)?([\w.-]+)", process.stdout)) - {"localhost"}
    hosts |= {"pypi" + ".org", "files.python" + "hosted.org", "deb.debian" + ".org", "registry.npm" + "js.org"}
    lines = [f"{relative(path)}: {host}" for path, content in texts() for host in hosts if host in content]
    assert lines == []


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
    settings = project()
    requirements = [*settings["project"]["dependencies"], *settings["dependency-groups"]["build"]]
    if "test" in lock:
        requirements += settings["dependency-groups"]["test"]
    pinned = pins(lock)
    for requirement in map(Requirement, requirements):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{lock} lacks {requirement.name}: make lock"
        assert requirement.specifier.contains(version), f"{lock} has {requirement.name} {version}: make lock"


def installed(name: str) -> bool:
    """Return whether a distribution is installed."""
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.index
def test_the_locks_are_what_make_lock_writes() -> None:
    command = ["make", "--no-print-directory", "lock-check", f"VENV={sys.prefix}"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert process.returncode == 0, process.stdout + process.stderr


def test_both_locks_agree() -> None:
    runtime, test = pins("requirements.lock"), pins("requirements-test.lock")
    assert {name: test.get(name) for name in runtime} == runtime


def test_this_environment_is_the_locked_one() -> None:
    pinned = pins("requirements-test.lock")
    here = {name: importlib.metadata.version(name) for name in pinned if installed(name)}
    assert {name: version for name, version in here.items() if version != pinned[name]} == {}


def test_the_version_is_in_the_changelog() -> None:
    assert f"## {dockerlab.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
