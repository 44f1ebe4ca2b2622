"""Kills the practice engine repeatedly at random moments while clients work, and checks that nothing is lost.

    python tests/endurance/crash_loop.py [--times 200] [--clients 3] [--seed N] [--isolation NAME]

After each start all responses must still be true: running containers have the same processes, stopped ones the correct
exit codes, no log line is missing or doubled, created objects exist, removed ones don't, and the state directory has
nothing else. Prints a table, and exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "bench")]

from client import Client, NoResponse  # noqa: E402
from engines import KillableEngine  # noqa: E402
from rounds import table  # noqa: E402

MAX_WORK, MAX_PAUSE = 0.6, 0.3  #: seconds of work before a kill, and from the kill to the start
CLEANUP_SECONDS = 10
HEADINGS = ["kills", "responses", "checked", "living", "ended", "log lines", "restart ms", "at most", "wrong"]


def main() -> int:
    """Kill the engine so many times, and print the table."""
    options = arguments()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        engine = KillableEngine(Path(base), options.isolation)
        engine.start()
        try:
            rows, wrong = crash(engine, options)
            wrong += check_empty_engine(engine, options)
        finally:
            engine.reset()
        remaining = [*engine.mounts(), *map(str, engine.shims())]
        wrong += [f"left on the machine: {item}" for item in remaining]
    print(table([HEADINGS, *rows]))
    print("\n".join(wrong) or "nothing was lost")
    return int(bool(wrong))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--isolation", default="")
    options = parser.parse_args()
    options.clients = [Client("", number, random.Random(options.seed + number)) for number in range(options.clients)]
    return options


def crash(engine: KillableEngine, options: argparse.Namespace) -> tuple[list[list[str]], list[str]]:
    """Run the rounds. Return one row per tenth of them, and the problems."""
    chance, rows, wrong = random.Random(options.seed), [], []
    for client in options.clients:
        client.host = engine.host
    every = max(1, options.times // 10)
    checked, seconds, earlier_responses = dict.fromkeys(("objects", "living", "ended", "lines"), 0), [], 0
    for turn in range(1, options.times + 1):
        wrong += work(options.clients, lambda: time.sleep(chance.uniform(0, MAX_WORK)), engine)
        time.sleep(chance.uniform(0, MAX_PAUSE))
        seconds.append(engine.start())
        for client in options.clients:
            problems, counts = client.compare()
            wrong += [f"kill {turn}: {problem}" for problem in problems]
            checked = {name: number + counts[name] for name, number in checked.items()}
        wrong += [f"kill {turn}: {problem}" for problem in leftovers(engine, options.clients)]
        if turn % every == 0 or turn == options.times:
            answers = sum(client.responses for client in options.clients) - earlier_responses
            earlier_responses += answers
            times = f"{statistics.median(seconds) * 1000:.0f}", f"{max(seconds) * 1000:.0f}"
            rows.append([str(turn), str(answers), *map(str, checked.values()), *times, str(len(wrong))])
            checked, seconds = dict.fromkeys(checked, 0), []
            print(table([HEADINGS, rows[-1]]).splitlines()[-1], flush=True)
    return rows, wrong


def work(clients: list[Client], wait: object, engine: KillableEngine) -> list[str]:
    """Let all clients work until the engine is killed. Return the refused requests."""
    over, wrong = threading.Event(), []

    def send_requests(client: Client) -> None:
        try:
            while not over.is_set():
                client.step()
        except NoResponse:
            return
        except AssertionError as error:
            wrong.append(str(error))

    with ThreadPoolExecutor(len(clients)) as pool:
        for client in clients:
            pool.submit(send_requests, client)
        wait()  # type: ignore[operator]
        engine.kill()
        over.set()
    return wrong


def leftovers(engine: KillableEngine, clients: list[Client]) -> list[str]:
    """Return directories, control groups and processes that belong to no object, once the engine has cleaned up."""
    ids = {container["Id"] for container in clients[0].ask("GET", "/containers/json?all=1")}
    volumes = {volume["Name"] for volume in clients[0].ask("GET", "/volumes")["Volumes"] or []}
    end = time.monotonic() + CLEANUP_SECONDS
    while True:
        running = clients[0].ask("GET", '/containers/json?filters={"status":["running","paused"]}')
        wrong = [f"unknown entries in the state directory: {engine.leftovers()}"] if engine.leftovers() else []
        wrong += [f"directories of no container: {engine.directories('containers') - ids}"] * (
            engine.directories("containers") > ids
        )
        wrong += [f"directories of no volume: {engine.directories('volumes') - volumes}"] * (
            engine.directories("volumes") > volumes
        )
        if groups := engine.control_groups() - {container["Id"] for container in running}:
            wrong.append(f"control groups of no running container: {groups}")
        if len(engine.shims()) > len(running):
            wrong.append(f"{len(engine.shims())} shims for {len(running)} containers")
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(0.1)


def check_empty_engine(engine: KillableEngine, options: argparse.Namespace) -> list[str]:
    """Remove everything, and check that nothing remains."""
    first = options.clients[0]
    for container in first.ask("GET", "/containers/json?all=1"):
        first.ask("DELETE", f"/containers/{container['Id']}?force=1")
    for client in options.clients:
        client.containers.clear()
    time.sleep(1)
    return [f"at the end: {problem}" for problem in leftovers(engine, options.clients)]


if __name__ == "__main__":
    sys.exit(main())
