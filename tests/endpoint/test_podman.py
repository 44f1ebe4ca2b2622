"""Podman's own socket, and the usual places, with a real Podman where one is installed."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import program

from dockerlab import Lab
from dockerlab.endpoint import known_sockets
from dockerlab.endpoint.endpoint import resolve


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a runtime directory in which `podman system service` listens at its usual place."""
    podman = program("podman")
    with tempfile.TemporaryDirectory(prefix="pod-") as base:  # short: a socket's path has at most 107 bytes
        socket = Path(base) / "run/podman/podman.sock"
        socket.parent.mkdir(parents=True)
        monkeypatch.setattr(known_sockets, "USUAL_SOCKET", f"{base}/docker.sock")
        monkeypatch.setattr(known_sockets, "PODMAN_SOCKET", f"{base}/podman.sock")
        own = ["--root", f"{base}/root", "--runroot", f"{base}/runroot", "--storage-driver", "vfs"]
        command = [podman, *own, "system", "service", "--time", "60", f"unix://{socket}"]
        said = Path(base) / "said"
        with said.open("wb") as output:
            running = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "XDG_RUNTIME_DIR": f"{base}/run"},
            )  # fmt: skip
        try:
            end = time.monotonic() + 20
            while known_sockets.refusal(str(socket)):
                if running.poll() is not None:
                    pytest.skip(f"podman can't serve here: {said.read_text()[-200:]}")
                assert time.monotonic() < end
                time.sleep(0.05)
            yield Path(base) / "run"
        finally:
            # of a user who isn't root it is two processes, and a third that holds that user's namespace
            os.killpg(running.pid, signal.SIGKILL)
            running.wait(20)
            for holder in Path(base).glob("**/pause.pid"):
                os.kill(int(holder.read_text()), signal.SIGKILL)


def test_podmans_usual_socket_is_found_and_speaks(runtime: Path) -> None:
    found = resolve(None, {"XDG_RUNTIME_DIR": str(runtime), "HOME": "/nonexistent", "PATH": os.environ["PATH"]})
    assert found.source == "the usual socket answers: rootless Podman"
    with Lab(found) as lab:
        assert lab.call("SystemInfo").json()["Name"]
        assert lab.container.list(all=True).empty
