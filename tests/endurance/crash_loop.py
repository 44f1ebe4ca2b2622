"""Kills the practice engine again and again at some moment while clients work, and looks at what is left.

    python tests/endurance/crash_loop.py [--times 200] [--clients 3] [--seed N] [--isolation NAME]

After each start all that an answer has ever told must be true: what runs has the process it had, what has ended has a
true code, no line of a log is missing or there twice, what was made is there, what was removed is gone, and the state
directory has nothing else. Ends with 1 if anything is wrong, and prints a table.
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

from client import Client, Lost  # noqa: E402
from engines import KillableEngine  # noqa: E402
from rounds import table  # noqa: E402

LONGEST, DEAD = 0.6, 0.3  #: seconds of work before a kill, and until the engine is started again, at most
SETTLED = 10
HEADINGS = ["kills", "answers", "looked at", "living", "ended", "log lines", "restart ms", "at most", "wrong"]


def main() -> int:
    """Kill it as often as was asked for; print the table."""
    options = arguments()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        engine = KillableEngine(Path(base), options.isolation)
        engine.start()
        try:
            rows, wrong = crash(engine, options)
            wrong += last_look(engine, options)
        finally:
            engine.reset()
        left = [*engine.mounts(), *map(str, engine.shims())]
        wrong += [f"left on the machine: {one}" for one in left]
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
    options.people = [Client("", number, random.Random(options.seed + number)) for number in range(options.clients)]
    return options


def crash(engine: KillableEngine, options: argparse.Namespace) -> tuple[list[list[str]], list[str]]:
    """Do the rounds; give a row for each tenth of them, and what is wrong."""
    chance, rows, wrong = random.Random(options.seed), [], []
    for person in options.people:
        person.host = engine.host
    every = max(1, options.times // 10)
    looked, seconds, counted = dict.fromkeys(("things", "living", "ended", "lines"), 0), [], 0
    for turn in range(1, options.times + 1):
        wrong += work(options.people, lambda: time.sleep(chance.uniform(0, LONGEST)), engine)
        time.sleep(chance.uniform(0, DEAD))
        seconds.append(engine.start())
        for person in options.people:
            found, more = person.compare()
            wrong += [f"kill {turn}: {one}" for one in found]
            looked = {name: number + more[name] for name, number in looked.items()}
        wrong += [f"kill {turn}: {one}" for one in scraps(engine, options.people)]
        if turn % every == 0 or turn == options.times:
            answers = sum(person.answered for person in options.people) - counted
            counted += answers
            times = f"{statistics.median(seconds) * 1000:.0f}", f"{max(seconds) * 1000:.0f}"
            rows.append([str(turn), str(answers), *map(str, looked.values()), *times, str(len(wrong))])
            looked, seconds = dict.fromkeys(looked, 0), []
            print(table([HEADINGS, rows[-1]]).splitlines()[-1], flush=True)
    return rows, wrong


def work(people: list[Client], wait: object, engine: KillableEngine) -> list[str]:
    """Let all clients work until the engine is killed under them; give what it refused."""
    over, wrong = threading.Event(), []

    def busy(person: Client) -> None:
        try:
            while not over.is_set():
                person.step()
        except Lost:
            return
        except AssertionError as error:
            wrong.append(str(error))

    with ThreadPoolExecutor(len(people)) as pool:
        for person in people:
            pool.submit(busy, person)
        wait()  # type: ignore[operator]
        engine.kill()
        over.set()
    return wrong


def scraps(engine: KillableEngine, people: list[Client]) -> list[str]:
    """Look for what belongs to nothing: directories and processes, once what has ended has gone."""
    known = {one["Id"] for one in people[0].ask("GET", "/containers/json?all=1")}
    volumes = {one["Name"] for one in people[0].ask("GET", "/volumes")["Volumes"] or []}
    end = time.monotonic() + SETTLED
    while True:
        running = people[0].ask("GET", '/containers/json?filters={"status":["running","paused"]}')
        wrong = [f"scraps in the state directory: {engine.leftovers()}"] if engine.leftovers() else []
        wrong += [f"directories of no container: {engine.directories('containers') - known}"] * (
            engine.directories("containers") > known
        )
        wrong += [f"directories of no volume: {engine.directories('volumes') - volumes}"] * (
            engine.directories("volumes") > volumes
        )
        if engine.control_groups() - {one["Id"] for one in running}:
            wrong.append(
                f"control groups of nothing that runs: {engine.control_groups() - {one['Id'] for one in running}}"
            )
        if len(engine.shims()) > len(running):
            wrong.append(f"{len(engine.shims())} shims for {len(running)} containers")
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(0.1)


def last_look(engine: KillableEngine, options: argparse.Namespace) -> list[str]:
    """Remove everything, and look whether anything stays."""
    one = options.people[0]
    for container in one.ask("GET", "/containers/json?all=1"):
        one.ask("DELETE", f"/containers/{container['Id']}?force=1")
    for person in options.people:
        person.containers.clear()
    time.sleep(1)
    return [f"at the end: {found}" for found in scraps(engine, options.people)]


if __name__ == "__main__":
    sys.exit(main())
