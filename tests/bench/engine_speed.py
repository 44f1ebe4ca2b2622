"""Compares the speed of the practice engine with that of a Docker daemon on the same machine, as ratios.

    python tests/bench/engine_speed.py --against unix:///var/run/docker.sock [--isolation NAME] [--rounds 5] [--check]

The daemon must have busybox:latest. New objects are labelled, and removed at the end. Memory is the resident memory of
the process that listens: for Docker without containerd, for both without the shim of each running container. With
`--check` the exit code is 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from engines import temporary_engine  # noqa: E402
from rounds import play, ratio, table  # noqa: E402
from tasks import SECONDS, Subject  # noqa: E402

MINE, DOCKER = "practice", "docker"
CONTAINERS, LOG_BYTES, FILE_BYTES = 300, 100_000_000, 300_000_000
LINE = "a line of a log that is as long as lines of logs often are, with a number at its end: 1234567890"
#: Figures of the practice engine that no other engine has a share in: what is allowed at most.
READY, IDLE, EACH, LOG_SPEED, GROWN = 0.5, 40.0, 0.5, 100.0, 10.0


def main() -> int:
    """Measure everything, and print the table."""
    options = arguments()
    with temporary_engine(options.isolation) as host:
        mine, docker = Subject(MINE, host), Subject(DOCKER, options.against)
        kind = mine.ask("GET", "/version")["Platform"]["Name"], docker.ask("GET", "/version")["Version"]
        print(f"{kind[0]}, {options.isolation or 'its best rung'}, beside Docker {kind[1]}; {options.rounds} rounds\n")
        try:
            lines = memory(mine, docker) + ready(options.rounds) + compared([mine, docker], options)
        finally:
            docker.clear()
    print(table([["what", MINE, DOCKER, "ratio", "target", "met"], *(line.cells() for line in lines)]))
    return int(options.check and not all(line.met for line in lines))


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", required=True, help="unix:///… of a Docker daemon with busybox:latest")
    parser.add_argument("--isolation", default="", help="the rung of the practice engine")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs")
    parser.add_argument("--check", action="store_true", help="end with 1 if a target is missed")
    return parser.parse_args()


@dataclass(frozen=True)
class Figure:
    """One line of the table: the measurements of both engines, and whether the target is met."""

    what: str
    mine: str
    docker: str
    share: str
    target: str
    met: bool

    def cells(self) -> list[str]:
        """Return the cells."""
        return [self.what, self.mine, self.docker, self.share, self.target, "yes" if self.met else "no"]


def memory(mine: Subject, docker: Subject) -> list[Figure]:
    """Measure the memory of both engines at rest, and with many containers."""
    before = resident(mine), resident(docker)
    for subject in (mine, docker):
        for _ in range(CONTAINERS):
            subject.create("sleep", "1000")
        subject.list(CONTAINERS)
    each = [(resident(subject) - size) / CONTAINERS for subject, size in zip((mine, docker), before, strict=True)]
    return [
        Figure("memory at rest, MB", f"{before[0]:.1f}", f"{before[1]:.1f}", "", f"≤ {IDLE:g}", before[0] <= IDLE),
        Figure("each container more, MB", f"{each[0]:.2f}", f"{each[1]:.2f}", "", f"≤ {EACH:g}", each[0] <= EACH),
    ]


def resident(subject: Subject) -> float:
    """Return the megabytes of memory of the process that listens at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        client.connect(subject.host.removeprefix("unix://"))
        pid = int.from_bytes(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def ready(rounds: int) -> list[Figure]:
    """Return the seconds from the start of the process until the engine answers."""
    seconds = statistics.median(_started() for _ in range(rounds))
    return [Figure("from its start until it answers, s", f"{seconds:.2f}", "", "", f"≤ {READY:g}", seconds <= READY)]


def _started() -> float:
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        location = ["--host", f"unix://{base}/e.sock", "--state", f"{base}/state"]
        command = [sys.executable, "-m", "dockerlab.engine"]
        begin = time.perf_counter()
        with subprocess.Popen([*command, "serve", *location], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            while not answers(f"{base}/e.sock"):
                if time.perf_counter() - begin > SECONDS:
                    raise SystemExit("a practice engine does not answer")
                time.sleep(0.002)
            seconds = time.perf_counter() - begin
            subprocess.run([*command, "reset", *location], stdout=subprocess.DEVNULL, timeout=SECONDS, check=True)
    return seconds


def answers(path: str) -> bool:
    """Return whether an engine answers a ping at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(path)
            client.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\n\r\n")
            return client.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False


def compared(subjects: list[Subject], options: argparse.Namespace) -> list[Figure]:
    """Time the tasks on both engines. Needs the containers that `memory` has created."""
    tasks: dict[str, dict[str, Callable[[], float]]] = {}
    for subject in subjects:
        sleeper = subject.create("sleep", "1000")
        subject.ask("POST", f"/containers/{sleeper}/start")
        script = f"yes '{LINE}' | head -c {LOG_BYTES}"
        talker = subject.finished("sh", "-c", script)
        filler = subject.finished("dd", "if=/dev/zero", "of=/big", "bs=1000000", f"count={FILE_BYTES // 1_000_000}")
        logs = f"/containers/{talker}/logs?stdout=1"
        for name, run in {
            "create, start, wait, remove": subject.life,
            "exec with its exit code": partial(subject.exec, sleeper),
            f"list of {CONTAINERS}": partial(subject.list, CONTAINERS),
            f"logs of {LOG_BYTES / 1e6:.0f} MB": partial(subject.read, logs, LOG_BYTES),
            f"export of {FILE_BYTES / 1e6:.0f} MB": partial(subject.read, f"/containers/{filler}/export", FILE_BYTES),
        }.items():
            tasks.setdefault(name, {})[subject.name] = run
    before = resident(subjects[0])
    times = play(tasks, options.rounds, options.seed)
    grown = resident(subjects[0]) - before
    targets = dict(zip(tasks, (0.3, 1, 0.5, 1, 1), strict=True))
    lines = [line(name, times[name], target) for name, target in targets.items()]
    speed = LOG_BYTES / 1e6 / statistics.median(times[list(tasks)[3]][MINE])
    return [
        *lines,
        Figure("logs, MB/s", f"{speed:.0f}", "", "", f"≥ {LOG_SPEED:g}", speed >= LOG_SPEED),
        Figure("more memory after all that, MB", f"{grown:.1f}", "", "", f"≤ {GROWN:g}", grown <= GROWN),
    ]


def line(name: str, times: dict[str, list[float]], target: float) -> Figure:
    """Return the line of one task: medians in milliseconds, and the median of the ratios."""
    share = ratio(times, MINE, DOCKER)
    mine, docker = (f"{statistics.median(times[subject]) * 1000:.1f} ms" for subject in (MINE, DOCKER))
    return Figure(name, mine, docker, f"{share:.2f}", f"≤ {target:g}", share <= target)


if __name__ == "__main__":
    sys.exit(main())
