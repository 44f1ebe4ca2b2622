"""The speed of dockerlab beside other clients of the same engine, as ratios to the API by hand, in one run.

    python tests/bench/client_speed.py --host unix:///var/run/docker.sock [--rounds 5] [--write] [--check]

The engine must have busybox:latest. Its new objects are labelled, and removed at the end. Each client runs in its own
process; docker-py and aiodocker have their own environments, which need the package index the first time.
`--write` writes docs/benchmarks.md; `--check` ends with 1 if a target is missed.
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
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "peers")]

from comparison import IMPORTED, MEMORY, OURS, PEERS, PLAIN, RAW, ROWS, SOCKETS, Row, Tried  # noqa: E402
from page import page  # noqa: E402
from rounds import play  # noqa: E402
from run import CACHE, environment  # noqa: E402
from stock import stock  # noqa: E402

#: A task that takes less than SHORT seconds is repeated TIMES times in a round, and its median counts.
SHORT, TIMES = 0.15, 5
PAGE = ROOT / "docs/benchmarks.md"
IMPORT = "import time; clock = time.perf_counter(); import {}; print(time.perf_counter() - clock)"


def main() -> int:
    """Measure everything, and print or write the page."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; all objects are removed"))
    pythons = {name: Path(sys.executable) for name in (RAW, OURS, PLAIN, *PEERS)}
    pythons |= {name: environment(name, options.cache) for name in ("docker-py", "aiodocker")}
    if not shutil.which("docker"):
        del pythons["docker"]
    with tempfile.TemporaryDirectory(prefix="dlab-bench-") as base, ExitStack() as ends:
        folder = Path(base)
        facts = {"host": options.host, "replay": f"unix://{folder}/again.sock"}
        facts |= ends.enter_context(stock(options.host, folder))
        ends.enter_context(replay(folder))
        workers = {name: ends.enter_context(worker(python, name, facts)) for name, python in pythons.items()}
        tried = measure(workers, pythons, options)
        alone(tried, partial(worker, pythons[OURS], OURS, facts))
    text = page(tried, options.host, options.rounds)
    print(text)
    if options.write:
        PAGE.write_text(text, "utf-8")
    return int(options.check and any("**no**" in line for line in text.splitlines()))


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True, help="unix:///… of an engine with busybox:latest")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs")
    parser.add_argument("--only", default="", help="only the rows with this in their words")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"of docker-py's environment; default: {CACHE}")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--check", action="store_true", help="end with 1 if a target is missed")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


@contextmanager
def replay(folder: Path) -> Iterator[None]:
    """Serve the recorded responses of the engine while the block runs."""
    command = [sys.executable, str(HERE / "replay.py"), str(folder / "again.sock"), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        if server.stdout.readline() != "ready\n":
            raise SystemExit("the server of the recorded responses does not start")
        yield
        server.communicate()


@contextmanager
def worker(python: Path, name: str, facts: dict[str, Any]) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Start a client in its own process, and give a function that runs a task."""
    command = [str(python), str(HERE / "worker.py"), re.sub(r"\W", "_", name)]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=variables, **pipes) as process:  # type: ignore[call-overload]

        def ask(task: str) -> dict[str, Any]:
            process.stdin.write(json.dumps({"task": task}) + "\n")
            process.stdin.flush()
            if not (line := process.stdout.readline()):
                raise SystemExit(f"{name} broke in {task}: see above")
            result: dict[str, Any] = json.loads(line)
            return result

        process.stdin.write(json.dumps(facts) + "\n")
        yield ask
        process.stdin.close()


def measure(workers: dict[str, Any], pythons: dict[str, Path], options: argparse.Namespace) -> Tried:
    """Run all rows on all clients, round by round."""
    tried = Tried()
    tasks: dict[str, dict[str, Callable[[], float]]] = {}
    for row in ROWS:
        if options.only in row.words:
            functions = {
                name: partial(_timed, workers[name], row, name, tried) for name in row.tasks if name in workers
            }
            tasks[row.words] = functions
    if options.only in IMPORTED:
        modules = {RAW: "http.client", OURS: "dockerlab", "docker-py": "docker", "aiodocker": "aiodocker"}
        modules["requests"] = "requests"
        tasks[IMPORTED] = {name: partial(_imported, pythons[name], module) for name, module in modules.items()}
    tried.times = play(tasks, options.rounds, options.seed)
    return tried


def _timed(ask: Callable[[str], dict[str, Any]], row: Row, name: str, tried: Tried) -> float:
    """Run a task, repeatedly if it is short, and return its time. Exit if the result has a wrong size."""
    seconds: list[float] = []
    while not seconds or (seconds[0] < SHORT and len(seconds) < TIMES):
        result = ask(row.tasks[name])
        if row.size is not None and result["size"] != row.size:
            raise SystemExit(f"{row.words}: {name} gives {result['size']}, not {row.size}")
        tried.cpu.setdefault((row.words, name), []).append(result["cpu"])
        seconds.append(float(result["seconds"]))
    return statistics.median(seconds)


def _imported(python: Path, module: str) -> float:
    command = [str(python), "-c", IMPORT.format(module)]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    return float(process.stdout)


def alone(tried: Tried, start: Callable[[], Any]) -> None:
    """Measure in new processes how much memory a task needs, and how many sockets stay open."""
    for task in MEMORY:
        with start() as ask:
            ask("list")
            tried.grown[task] = ask(task)["grown"]
    with start() as ask:
        ask("ping")
        for task in SOCKETS:
            tried.sockets[task] = ask(task)["size"]


if __name__ == "__main__":
    sys.exit(main())
