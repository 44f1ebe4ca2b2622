"""Podman's own socket, and the usual places, with a real Podman where one is installed."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from practice import program

from dockerlab import Lab, usual
from dockerlab.endpoint import resolve


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a runtime directory in which `podman system service` listens at its usual place."""
    podman = program("podman")
    with tempfile.TemporaryDirectory(prefix="pod-") as base:  # short: a socket's path has at most 107 bytes
        socket = Path(base) / "run/podman/podman.sock"
        socket.parent.mkdir(parents=True)
        monkeypatch.setattr(usual, "USUAL_SOCKET", f"{base}/docker.sock")
        monkeypatch.setattr(usual, "PODMAN_SOCKET", f"{base}/podman.sock")
        own = ["--root", f"{base}/root", "--runroot", f"{base}/runroot", "--storage-driver", "vfs"]
        command = [podman, *own, "system", "service", "--time", "60", f"unix://{socket}"]
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 20
            while usual.refusal(str(socket)):
                assert running.stdout is not None
                if running.poll() is not None:
                    pytest.skip(f"podman can't serve here: {running.stdout.read().decode()[-200:]}")
                assert time.monotonic() < end
                time.sleep(0.05)
            yield Path(base) / "run"
        finally:
            running.kill()  # asked to end, Podman 4.3 may wait for connections that are long gone
            running.communicate(timeout=20)


def test_podmans_usual_socket_is_found_and_speaks(runtime: Path) -> None:
    found = resolve(None, {"XDG_RUNTIME_DIR": str(runtime), "HOME": "/nonexistent", "PATH": os.environ["PATH"]})
    assert found.source == "the usual socket answers: rootless Podman"
    with Lab(found) as lab:
        assert lab.call("SystemInfo").json()["Name"]
        assert lab.container.list(all=True).empty
