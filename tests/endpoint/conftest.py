"""What connections to an engine need: certificates and sshd."""

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
def running_sshd() -> Iterator[Sshd]:
    """Give a running sshd."""
    path = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    for name in ("ssh", "ssh-keygen"):
        program(name)
    with sshd_running(path or program("sshd")) as running:
        yield running


@pytest.fixture
def sshd(running_sshd: Sshd, practice_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """Give sshd with the practice engine behind it, and its client in PATH. No ssh process may remain afterwards."""
    running_sshd.docker(practice_host)
    running_sshd.trust("host")
    monkeypatch.setenv("PATH", f"{running_sshd.near}{os.pathsep}{os.environ['PATH']}")
    before = children()
    yield running_sshd
    assert children() <= before


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory that is first in PATH."""
    (tmp_path / "near").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'near'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "near"
