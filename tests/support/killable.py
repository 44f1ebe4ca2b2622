"""A practice engine of one's own that can be killed and started again, and what it leaves on the machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from plain_http import listener

__all__ = ["Killable"]

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60


class Killable:
    """An engine below a directory."""

    def __init__(self, base: Path, isolation: str) -> None:
        """Prepare it; nothing runs yet."""
        self.base, self.isolation = base, isolation
        self.host, self.state = f"unix://{base}/e.sock", base / "state"

    def start(self) -> float:
        """Start it; give the seconds until it answers."""
        began = time.perf_counter()
        self._do("start", *(["--isolation", self.isolation] if self.isolation else []))
        return time.perf_counter() - began

    def kill(self) -> None:
        """Kill the engine, and nothing else."""
        os.kill(listener(self.host), signal.SIGKILL)

    def reset(self) -> None:
        """End it, its containers and its state."""
        self._do("reset")

    def _do(self, verb: str, *more: str) -> None:
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER")}
        command = [sys.executable, "-m", "dockerlab.engine", verb, "--host", self.host, "--state", str(self.state)]
        ran = subprocess.run(
            [*command, *more],
            env={**surroundings, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if ran.returncode:
            raise SystemExit(f"{verb} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")

    # -- what there is of it -------------------------------------------------------------------------------------

    def kept(self, kind: str) -> set[str]:
        """Name the directories of containers or volumes."""
        place = self.state / kind
        return {entry.name for entry in place.iterdir() if entry.is_dir()} if place.is_dir() else set()

    def scraps(self) -> set[str]:
        """Name what lies in the state directory and has no business there after a start."""
        usual = {"containers", "images", "volumes", "networks", "switch.sock", "start.lock"}
        return (
            {entry.name for entry in self.state.iterdir()}
            - usual
            - {
                f"{name}.{kind}"
                for name in ("engine", "identity", "keeper", "switch")
                for kind in ("json", "lock", "log")
            }
        )

    def shims(self) -> set[int]:
        """Find the processes that hold something of a container's directory open."""
        found = set()
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and any(f"{self.state}/containers/" in link for link in _handles(process)):
                found.add(int(process.name))
        return found

    def groups(self) -> set[str]:
        """Name the control groups that it has for containers, by their ids."""
        known = json.loads((self.state / "identity.json").read_text("utf-8"))["id"]
        places = [*Path("/sys/fs/cgroup").glob(f"*/dockerlab/{known}"), Path(f"/sys/fs/cgroup/dockerlab/{known}")]
        return {entry.name for place in places if place.is_dir() for entry in place.iterdir() if entry.is_dir()}

    def mounts(self) -> list[str]:
        """List the mounts of this machine below the directory."""
        lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
        return [line for line in lines if f" {self.base}" in line]


def _handles(process: Path) -> list[str]:
    found = []
    try:
        for handle in (process / "fd").iterdir():
            found.append(str(handle.readlink()))
    except OSError:  # it has just ended
        return []
    return found
