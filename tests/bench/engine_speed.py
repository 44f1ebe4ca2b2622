"""Compares the practice engine's speed with that of a Docker daemon on the same machine, as ratios, in one run.

    python tests/bench/engine_speed.py --against unix:///var/run/docker.sock [--isolation NAME] [--rounds 5] [--check]

The daemon must have busybox:latest. The containers created there carry a label, and are removed afterwards. Memory is
the resident memory of the process that listens at the socket: Docker's without containerd, and both without the helper
process of each running container. `--check` ends with exit code 1 if a target is missed.
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

from engine_client import LABELS, SECONDS, EngineClient  # noqa: E402
from engines import temporary_engine  # noqa: E402
from plain_http import engine_pid  # noqa: E402
from rounds import markdown_table, median_ratio, time_rounds  # noqa: E402

PRACTICE, DOCKER = "practice", "docker"
CONTAINERS, LOG_BYTES, FILE_BYTES = 300, 100_000_000, 300_000_000
LINE = "a line of a log that is as long as lines of logs often are, with a number at its end: 1234567890"
LOGS_TASK = f"logs of {LOG_BYTES / 1e6:.0f} MB"
#: Targets of the tasks, as parts of Docker's time.
TARGETS = (0.3, 1, 0.5, 1, 1, 1, 1)
#: Targets of the practice engine alone, which don't depend on Docker's figures.
START_SECONDS, LOG_MEGABYTES_PER_SECOND = 0.5, 100.0
IDLE_MEGABYTES, CONTAINER_MEGABYTES, GROWTH_MEGABYTES = 40.0, 0.5, 10.0


def main() -> int:
    options = parse_arguments()
    with temporary_engine(options.isolation) as host:
        practice, docker = EngineClient(PRACTICE, host), EngineClient(DOCKER, options.against)
        platform = practice.request("GET", "/version")["Platform"]["Name"]
        version = docker.request("GET", "/version")["Version"]
        isolation = options.isolation or "its best rung"
        print(f"{platform}, {isolation}, compared with Docker {version}; {options.rounds} rounds\n")
        try:
            figures = memory_figures(practice, docker)
            figures += start_figures(options.rounds)
            figures += speed_figures([practice, docker], options)
        finally:
            docker.remove_labelled(LABELS)
    headings = ["what", PRACTICE, DOCKER, "ratio", "target", "met"]
    print(markdown_table([headings, *(figure.cells() for figure in figures)]))
    return int(options.check and not all(figure.is_met for figure in figures))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", required=True, help="unix:///… of a Docker daemon with busybox:latest")
    parser.add_argument("--isolation", default="", help="the rung of the practice engine")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="seed for the order of the runs")
    parser.add_argument("--check", action="store_true", help="end with exit code 1 if a target is missed")
    return parser.parse_args()


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    title: str
    practice: str
    docker: str
    ratio: str
    target: str
    is_met: bool

    def cells(self) -> list[str]:
        return [self.title, self.practice, self.docker, self.ratio, self.target, "yes" if self.is_met else "no"]


def memory_figures(practice: EngineClient, docker: EngineClient) -> list[Figure]:
    """Measure the memory of both engines at rest, and with many containers."""
    idle = resident_megabytes(practice), resident_megabytes(docker)
    for engine in (practice, docker):
        for _ in range(CONTAINERS):
            engine.create("sleep", "1000")
        engine.list(CONTAINERS)
    per_container = [
        (resident_megabytes(engine) - before) / CONTAINERS
        for engine, before in zip((practice, docker), idle, strict=True)
    ]
    return [
        Figure(
            "memory at rest, MB", f"{idle[0]:.1f}", f"{idle[1]:.1f}", "",
            f"≤ {IDLE_MEGABYTES:g}", idle[0] <= IDLE_MEGABYTES,
        ),
        Figure(
            "additional memory per container, MB", f"{per_container[0]:.2f}", f"{per_container[1]:.2f}", "",
            f"≤ {CONTAINER_MEGABYTES:g}", per_container[0] <= CONTAINER_MEGABYTES,
        ),
    ]  # fmt: skip


def resident_megabytes(engine: EngineClient) -> float:
    """Return the resident memory of the process that listens at an engine's socket."""
    pages = int(Path(f"/proc/{engine_pid(engine.host)}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def start_figures(rounds: int) -> list[Figure]:
    """Time how long the practice engine takes from the start of its process until it responds."""
    seconds = statistics.median(_start_seconds() for _ in range(rounds))
    is_met = seconds <= START_SECONDS
    return [Figure("start until the first response, s", f"{seconds:.2f}", "", "", f"≤ {START_SECONDS:g}", is_met)]


def _start_seconds() -> float:
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        location = ["--host", f"unix://{base}/e.sock", "--state", f"{base}/state"]
        command = [sys.executable, "-m", "dockerlab.engine"]
        begin = time.perf_counter()
        with subprocess.Popen([*command, "serve", *location], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            while not is_responding(f"{base}/e.sock"):
                if time.perf_counter() - begin > SECONDS:
                    raise SystemExit(f"a practice engine has not responded {SECONDS} s after its start")
                time.sleep(0.002)
            seconds = time.perf_counter() - begin
            subprocess.run([*command, "reset", *location], stdout=subprocess.DEVNULL, timeout=SECONDS, check=True)
    return seconds


def is_responding(path: str) -> bool:
    """Return whether an engine responds to a ping at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(path)
            client.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\n\r\n")
            return client.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False


def speed_figures(engines: list[EngineClient], options: argparse.Namespace) -> list[Figure]:
    """Time the tasks of both engines. Needs the containers that `memory_figures` created."""
    runs: dict[str, dict[str, Callable[[], float]]] = {}
    for engine in engines:
        for task, run in tasks(engine).items():
            runs.setdefault(task, {})[engine.name] = run
    before = resident_megabytes(engines[0])
    times = time_rounds(runs, options.rounds, options.seed)
    growth = resident_megabytes(engines[0]) - before
    targets = dict(zip(runs, TARGETS, strict=True))
    speed = LOG_BYTES / 1e6 / statistics.median(times[LOGS_TASK][PRACTICE])
    return [
        *(_task_figure(task, times[task], target) for task, target in targets.items()),
        Figure(
            "logs, MB/s", f"{speed:.0f}", "", "",
            f"≥ {LOG_MEGABYTES_PER_SECOND:g}", speed >= LOG_MEGABYTES_PER_SECOND,
        ),
        Figure(
            "additional memory after all tasks, MB", f"{growth:.1f}", "", "",
            f"≤ {GROWTH_MEGABYTES:g}", growth <= GROWTH_MEGABYTES,
        ),
    ]  # fmt: skip


def tasks(engine: EngineClient) -> dict[str, Callable[[], float]]:
    """Create what an engine's tasks need, and return them by name, in the order of their targets."""
    sleeper = engine.create("sleep", "1000")
    engine.request("POST", f"/containers/{sleeper}/start")
    log_container = engine.run("sh", "-c", f"yes '{LINE}' | head -c {LOG_BYTES}")
    blocks = FILE_BYTES // 1_000_000
    files = f"/containers/{engine.run('dd', 'if=/dev/zero', 'of=/big', 'bs=1000000', f'count={blocks}')}"
    uploads = f"/containers/{engine.create('true')}/archive?path=/"
    size = f"{FILE_BYTES / 1e6:.0f} MB"
    return {
        "create, start, wait, remove": engine.lifecycle,
        "exec with its exit code": partial(engine.exec, sleeper),
        f"list of {CONTAINERS}": partial(engine.list, CONTAINERS),
        LOGS_TASK: partial(engine.read, f"/containers/{log_container}/logs?stdout=1", LOG_BYTES),
        f"export of {size}": partial(engine.read, f"{files}/export", FILE_BYTES),
        f"archive of {size}, from the container": partial(engine.read, f"{files}/archive?path=/big", FILE_BYTES),
        f"archive of {size}, to the container": partial(engine.upload, uploads, FILE_BYTES),
    }


def _task_figure(task: str, times: dict[str, list[float]], target: float) -> Figure:
    """Return the row of one task: medians in milliseconds, and the median of the ratios."""
    ratio = median_ratio(times, PRACTICE, DOCKER)
    practice, docker = (f"{statistics.median(times[name]) * 1000:.1f} ms" for name in (PRACTICE, DOCKER))
    return Figure(task, practice, docker, f"{ratio:.2f}", f"≤ {target:g}", ratio <= target)


if __name__ == "__main__":
    sys.exit(main())
