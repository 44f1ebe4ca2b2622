"""Podman's socket among the usual sockets, with a real Podman if one is installed."""

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
    """Give a runtime directory in which `podman system service` listens at its usual socket."""
    podman = program("podman")
    with tempfile.TemporaryDirectory(prefix="pod-") as base:  # short, because a socket's path has at most 107 bytes
        socket = Path(base) / "run/podman/podman.sock"
        socket.parent.mkdir(parents=True)
        monkeypatch.setattr(known_sockets, "USUAL_SOCKET", f"{base}/docker.sock")
        monkeypatch.setattr(known_sockets, "PODMAN_SOCKET", f"{base}/podman.sock")
        options = ["--root", f"{base}/root", "--runroot", f"{base}/runroot", "--storage-driver", "vfs"]
        command = [podman, *options, "system", "service", "--time", "60", f"unix://{socket}"]
        log = Path(base) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "XDG_RUNTIME_DIR": f"{base}/run"},
            )  # fmt: skip
        try:
            end = time.monotonic() + 20
            while known_sockets.refusal(str(socket)):
                if process.poll() is not None:
                    pytest.skip(f"podman can't serve here: {log.read_text()[-200:]}")
                assert time.monotonic() < end
                time.sleep(0.05)
            yield Path(base) / "run"
        finally:
            # For an ordinary user there are two processes, and a third one that keeps the user namespace.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
            for holder in Path(base).glob("**/pause.pid"):
                os.kill(int(holder.read_text()), signal.SIGKILL)


def test_the_usual_socket_of_podman_is_used(runtime: Path) -> None:
    endpoint = resolve(None, {"XDG_RUNTIME_DIR": str(runtime), "HOME": "/nonexistent", "PATH": os.environ["PATH"]})
    assert endpoint.source == "the usual socket answers: rootless Podman"
    with Lab(endpoint) as lab:
        assert lab.call("SystemInfo").json()["Name"]
        assert lab.container.list(all=True).empty
