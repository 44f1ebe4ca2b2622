"""Kills the practice engine many times at random moments while clients use it, and checks that nothing is lost.

    python tests/endurance/crash_loop.py [--times 200] [--clients 3] [--seed N] [--isolation NAME]

After each restart, everything that the engine has ever confirmed must still be true: running containers have the same
main process, stopped containers have the right exit code, each line of a log is there exactly once, created objects
exist, removed objects don't, and the state directory contains nothing else. Prints a table, and ends with exit code 1
if there is a problem.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "bench")]

from engines import KillableEngine  # noqa: E402
from model_client import ConnectionLost, ModelClient  # noqa: E402
from rounds import markdown_table  # noqa: E402

MAX_WORK_SECONDS, MAX_DOWN_SECONDS = 0.6, 0.3  #: before each kill, and between a kill and the restart
CLEANUP_SECONDS = 10  #: in which the traces of stopped and removed objects must disappear
COUNTS = ("objects", "running", "stopped", "lines")
HEADINGS = ["kills", "responses", "objects", "running", "stopped", "log lines", "restart ms", "max. ms", "problems"]


def main() -> int:
    options = parse_arguments()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        engine = KillableEngine(Path(base), options.isolation)
        engine.start()
        clients = [
            ModelClient(engine.host, number, random.Random(options.seed + number)) for number in range(options.clients)
        ]
        try:
            rows, problems = crash(engine, clients, options)
            problems += check_after_removal(engine, clients)
        finally:
            engine.reset()
        problems += [f"left on the machine: {trace}" for trace in (*engine.mounts(), *engine.shims())]
    print(markdown_table([HEADINGS, *rows]))
    print("\n".join(problems) or "nothing was lost")
    return int(bool(problems))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200, help="number of kills (default: 200)")
    parser.add_argument("--clients", type=int, default=3, help="number of clients (default: 3)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed for everything random")
    parser.add_argument("--isolation", default="", help="the rung of the practice engine")
    return parser.parse_args()


def crash(
    engine: KillableEngine, clients: list[ModelClient], options: argparse.Namespace
) -> tuple[list[list[str]], list[str]]:
    """Do all kills. Return one row of the table per tenth of them, and the problems."""
    generator = random.Random(options.seed)
    rows: list[list[str]] = []
    problems: list[str] = []
    counts, seconds, earlier_responses = dict.fromkeys(COUNTS, 0), [], 0
    for kill in range(1, options.times + 1):
        problems += work(clients, engine, lambda: time.sleep(generator.uniform(0, MAX_WORK_SECONDS)))
        time.sleep(generator.uniform(0, MAX_DOWN_SECONDS))
        seconds.append(engine.start())
        for client in clients:
            differences, client_counts = client.compare()
            problems += [f"kill {kill}: {difference}" for difference in differences]
            counts = {name: number + client_counts[name] for name, number in counts.items()}
        problems += [f"kill {kill}: {trace}" for trace in orphaned_traces(engine, clients[0])]
        if kill % max(1, options.times // 10) == 0 or kill == options.times:
            responses = sum(client.responses for client in clients) - earlier_responses
            earlier_responses += responses
            times = f"{statistics.median(seconds) * 1000:.0f}", f"{max(seconds) * 1000:.0f}"
            rows.append([str(kill), str(responses), *map(str, counts.values()), *times, str(len(problems))])
            counts, seconds = dict.fromkeys(COUNTS, 0), []
            print(markdown_table([HEADINGS, rows[-1]]).splitlines()[-1], flush=True)
    return rows, problems


def work(clients: list[ModelClient], engine: KillableEngine, wait: Callable[[], None]) -> list[str]:
    """Let all clients work, and kill the engine after a wait. Return the requests that it refused."""
    is_killed, problems = threading.Event(), []

    def step_until_killed(client: ModelClient) -> None:
        try:
            while not is_killed.is_set():
                client.step()
        except ConnectionLost:
            return
        except AssertionError as error:
            problems.append(str(error))

    with ThreadPoolExecutor(len(clients)) as pool:
        for client in clients:
            pool.submit(step_until_killed, client)
        wait()
        engine.kill()
        is_killed.set()
    return problems


def orphaned_traces(engine: KillableEngine, client: ModelClient) -> list[str]:
    """Return directories, control groups and processes that belong to no object.

    Wait for them to disappear first, because containers may just have ended.
    """
    containers = {container["Id"] for container in client.request("GET", "/containers/json?all=1")}
    volumes = {volume["Name"] for volume in client.request("GET", "/volumes")["Volumes"] or []}
    end = time.monotonic() + CLEANUP_SECONDS
    while True:
        running = client.request("GET", '/containers/json?filters={"status":["running","paused"]}')
        traces = []
        if leftovers := engine.leftovers():
            traces.append(f"unexpected files in the state directory: {leftovers}")
        if (directories := engine.directories("containers")) > containers:
            traces.append(f"directories of no container: {directories - containers}")
        if (directories := engine.directories("volumes")) > volumes:
            traces.append(f"directories of no volume: {directories - volumes}")
        if groups := engine.control_groups() - {container["Id"] for container in running}:
            traces.append(f"control groups of no running container: {groups}")
        if (shims := len(engine.shims())) > len(running):
            traces.append(f"{shims} shims for {len(running)} running containers")
        if not traces or time.monotonic() > end:
            return traces
        time.sleep(0.1)


def check_after_removal(engine: KillableEngine, clients: list[ModelClient]) -> list[str]:
    """Remove all containers, and return the traces that are left."""
    for container in clients[0].request("GET", "/containers/json?all=1"):
        clients[0].request("DELETE", f"/containers/{container['Id']}?force=1")
    for client in clients:
        client.containers.clear()
    time.sleep(1)
    return [f"at the end: {trace}" for trace in orphaned_traces(engine, clients[0])]


if __name__ == "__main__":
    sys.exit(main())
