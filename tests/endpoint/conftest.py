"""The real things that a way to an engine needs: certificates, a front that speaks TLS, sshd."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import children, program
from sshd import Sshd, sshd_running
from tls import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give an authority that signs certificates."""
    return Authority(tmp_path_factory.mktemp("tls") / "ours", program("openssl"))


@pytest.fixture(scope="module")
def sshd_there() -> Iterator[Sshd]:
    """Give a running sshd."""
    found = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    for name in ("ssh", "ssh-keygen"):
        program(name)
    with sshd_running(found or program("sshd")) as running:
        yield running


@pytest.fixture
def sshd(sshd_there: Sshd, practice_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """Give sshd with the practice engine behind it, and its client in PATH; no ssh may be left afterwards."""
    sshd_there.docker(practice_host)
    sshd_there.trust("host")
    monkeypatch.setenv("PATH", f"{sshd_there.near}{os.pathsep}{os.environ['PATH']}")
    before = children()
    yield sshd_there
    assert children() <= before


@pytest.fixture
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory that is first in PATH."""
    (tmp_path / "near").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'near'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "near"
