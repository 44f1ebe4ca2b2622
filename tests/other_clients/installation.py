"""Installs a peer: its library in an environment of its own, and the tests of its source archive.

Everything is pinned by hash. The package index is needed the first time; a cache directory keeps the results.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "dockerlab-peers"


def install_library(peer: str, cache: Path) -> Path:
    """Create a virtual environment with the packages of a peer's lock, if it doesn't exist. Return its Python."""
    lock = HERE / f"{peer}.lock"
    directory = cache / f"{peer}-{hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]}"
    python = directory / "bin/python"
    if not (directory / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
        install = [str(python), "-m", "pip", "--quiet", "install", "--require-hashes", "--requirement", str(lock)]
        subprocess.run(install, check=True, timeout=600)
        (directory / "ready").touch()
    return python


def install_tests(suite: dict[str, Any], cache: Path) -> Path:
    """Download a source archive, check its hash, and unpack its tests. Return the directory."""
    name, version = suite["archive"].split("==")
    directory, file = cache / f"{name}-{version}", cache / f"{name}-{version}.tar.gz"
    if not file.exists():
        download = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", "--no-binary", name]
        subprocess.run([*download, "--dest", str(cache), suite["archive"]], check=True, timeout=300)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    if sha256 != suite["sha256"]:
        raise SystemExit(
            f"{file} is not the archive that suites.toml pins: its sha256 is {sha256}. Delete it to retry."
        )
    if not directory.exists():
        with tarfile.open(file) as tar:
            # Only the tests: the library beside them would hide the installed one.
            members = [member for member in tar if member.name.startswith(f"{name}-{version}/tests/")]
            tar.extractall(cache, members)  # safe, because the hash is known
    return directory


def write_lock(peer: str, requirements: list[str]) -> int:
    """Write a peer's lock as `make lock` does for the project: hashes for all platforms, and no index addresses."""
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "-", "--no-config", "--quiet"]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate"]
    command += ["--custom-compile-command", f"python tests/other_clients/run.py {peer} --lock"]
    command += ["--output-file", str(HERE / f"{peer}.lock")]
    return subprocess.run(command, input="\n".join(requirements), text=True, check=False).returncode
