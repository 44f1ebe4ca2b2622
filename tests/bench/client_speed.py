"""Compares the speed of dockerlab with other clients of the same engine, as ratios to http.client, in one run.

    python tests/bench/client_speed.py --host unix:///var/run/docker.sock [--rounds 5] [--write] [--check]

The engine must have busybox:latest. The containers created there carry a label, and are removed afterwards. Each client
works in one process of its own during the whole run. docker-py and aiodocker have environments of their own, which need
the package index the first time.
`--write` writes docs/benchmarks.md; `--check` ends with exit code 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "other_clients")]

from comparison import (  # noqa: E402
    ADDITIONAL_MEMORY,
    ADDITIONAL_SOCKETS,
    DOCKERLAB,
    IMPORT,
    OTHERS,
    RAW,
    ROWS,
    WITHOUT_PYARROW,
    Measurements,
    Row,
)
from installation import CACHE, install_library  # noqa: E402
from page import MISSED, render_page  # noqa: E402
from preparation import prepare  # noqa: E402
from rounds import time_rounds  # noqa: E402

#: A task that takes less than this many seconds is repeated this many times per round, and the median counts.
SHORT_SECONDS, REPETITIONS = 0.15, 5
PAGE = ROOT / "docs/benchmarks.md"
IMPORT_PROGRAM = "import time; clock = time.perf_counter(); import {}; print(time.perf_counter() - clock)"

#: Has a client do one task, and returns what `worker.measure` does.
RunTask = Callable[[str], dict[str, Any]]


def main() -> int:
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated; the created containers are removed"))
    pythons = {name: Path(sys.executable) for name in (RAW, DOCKERLAB, WITHOUT_PYARROW, *OTHERS)}
    pythons |= {name: install_library(name, options.cache) for name in ("docker-py", "aiodocker")}
    if not shutil.which("docker"):
        del pythons["docker"]
    with tempfile.TemporaryDirectory(prefix="dlab-bench-") as base, ExitStack() as stack:
        directory = Path(base)
        facts = {"host": options.host, "replay_host": f"unix://{directory}/replay.sock"}
        facts |= stack.enter_context(prepare(options.host, directory))
        stack.enter_context(replay_server(directory))
        workers = {name: stack.enter_context(worker(python, name, facts)) for name, python in pythons.items()}
        measurements = measure_rows(workers, pythons, options)
        measure_resources(measurements, partial(worker, pythons[DOCKERLAB], DOCKERLAB, facts))
    page = render_page(measurements, options.host, options.rounds)
    print(page)
    if options.write:
        PAGE.write_text(page, "utf-8")
    return int(options.check and any(MISSED in line for line in page.splitlines()))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True, help="unix:///… of an engine with busybox:latest")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="seed for the order of the runs")
    parser.add_argument("--only", default="", help="measure only the rows that contain this text")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"directory of the environments (default: {CACHE})")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--check", action="store_true", help="end with exit code 1 if a target is missed")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


@contextmanager
def replay_server(directory: Path) -> Iterator[None]:
    """Serve the recorded responses while the block runs."""
    command = [sys.executable, str(HERE / "replay.py"), str(directory / "replay.sock"), str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        if server.stdout.readline() != "ready\n":
            raise SystemExit("the replay server did not start; its error is above")
        yield
        server.communicate()


@contextmanager
def worker(python: Path, name: str, facts: dict[str, Any]) -> Iterator[RunTask]:
    """Start a client in a process of its own. Give a function that has it do a task."""
    command = [str(python), str(HERE / "worker.py"), re.sub(r"\W", "_", name)]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=variables, **pipes) as process:  # type: ignore[call-overload]

        def run_task(task: str) -> dict[str, Any]:
            process.stdin.write(json.dumps({"task": task}) + "\n")
            process.stdin.flush()
            if not (line := process.stdout.readline()):
                raise SystemExit(f"{name} failed in the task {task}; its error is above")
            result: dict[str, Any] = json.loads(line)
            return result

        process.stdin.write(json.dumps(facts) + "\n")
        yield run_task
        process.stdin.close()


def measure_rows(workers: dict[str, RunTask], pythons: dict[str, Path], options: argparse.Namespace) -> Measurements:
    """Time all rows on all clients, round by round."""
    measurements = Measurements()
    runs: dict[str, dict[str, Callable[[], float]]] = {}
    for row in ROWS:
        if options.only in row.title:
            runs[row.title] = {
                name: partial(_time_task, workers[name], row, name, measurements)
                for name in row.tasks
                if name in workers
            }
    if options.only in IMPORT:
        modules = {RAW: "http.client", DOCKERLAB: "dockerlab", "docker-py": "docker", "aiodocker": "aiodocker"}
        modules["requests"] = "requests"
        runs[IMPORT] = {name: partial(_time_import, pythons[name], module) for name, module in modules.items()}
    measurements.times = time_rounds(runs, options.rounds, options.seed)
    return measurements


def _time_task(run_task: RunTask, row: Row, name: str, measurements: Measurements) -> float:
    """Have a client do a task, several times if it is short. Exit if the result has the wrong size."""
    seconds: list[float] = []
    while not seconds or (seconds[0] < SHORT_SECONDS and len(seconds) < REPETITIONS):
        result = run_task(row.tasks[name])
        if row.size is not None and result["size"] != row.size:
            raise SystemExit(f"{row.title}: the result of {name} has the size {result['size']}, not {row.size}")
        measurements.processor_seconds.setdefault((row.title, name), []).append(result["processor_seconds"])
        seconds.append(float(result["seconds"]))
    return statistics.median(seconds)


def _time_import(python: Path, module: str) -> float:
    command = [str(python), "-c", IMPORT_PROGRAM.format(module)]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    return float(process.stdout)


def measure_resources(measurements: Measurements, start: Callable[[], Any]) -> None:
    """Measure additional memory and additional sockets in new processes, which did nothing before."""
    for task in ADDITIONAL_MEMORY:
        with start() as run_task:
            run_task("list")
            measurements.additional_memory[task] = run_task(task)["additional_memory"]
    with start() as run_task:
        run_task("ping")
        for task in ADDITIONAL_SOCKETS:
            measurements.additional_sockets[task] = run_task(task)["size"]


if __name__ == "__main__":
    sys.exit(main())
