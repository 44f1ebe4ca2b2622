"""Mixed traffic from several clients for a while, with what the engine holds sampled: all of it must stay flat.

    python tests/endurance/soak.py [--minutes 10] [--clients 4] [--seed N] [--isolation NAME]

Besides what the clients of the crash loop do, streams are opened and dropped in the middle, images are built, loaded
and removed, and published ports are asked. At rest, after the first minute and after the last, the engine must hold the
same: open files, processes, mounts, control groups and directories exactly, memory within some megabytes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time
import traceback
import uuid
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "bench")]

from archives import tar_of  # noqa: E402
from client import Client  # noqa: E402
from engines import KillableEngine  # noqa: E402
from plain_http import connection  # noqa: E402
from rounds import table  # noqa: E402

EVERY, GROWN = 10, 10.0  #: seconds between two samples; megabytes that memory may grow by
HEADINGS = ["minute", "requests", "MB", "files", "threads", "processes", "mounts", "cgroups", "containers"]
STREAMS = ("/events", "/containers/{}/logs?follow=1&stdout=1", "/containers/{}/stats", "/containers/{}/export")


class Worker(Client):
    """A client that also does what leaves things behind if something is wrong."""

    def step(self) -> None:
        """Do something."""
        self.random.choice([super().step] * 4 + [self._stream, self._build, self._load, self._port])()

    def _stream(self) -> None:
        """Begin to read something, and go away."""
        living = [name for name, thing in self.containers.items() if thing.states == {"running"}]
        path = self.random.choice(STREAMS).format(self.random.choice(living or ["none"]))
        with socket.socket(socket.AF_UNIX) as opened:
            opened.settimeout(20)
            opened.connect(urlsplit(self.host).path)
            opened.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            opened.recv(self.random.choice([1, 1000, 100_000]))

    def _sent(self, path: str, body: bytes) -> bytes:
        opened = connection(self.host, timeout=60)
        try:
            opened.request("POST", path, body=body, headers={"Content-Type": "application/x-tar"})
            self.answered += 1
            return opened.getresponse().read()
        finally:
            opened.close()

    def _build(self) -> None:
        steps = f"FROM busybox\nRUN echo {uuid.uuid4()} > /x\nENV A=1\n"
        told = self._sent(f"/build?rm=1&t=soak{self.number}", tar_of(("Dockerfile", steps.encode())))
        assert b"Successfully built" in told, told[-300:]
        self.ask("DELETE", f"/images/soak{self.number}?force=1")

    def _load(self) -> None:
        made = json.loads(self._sent("/images/create?fromSrc=-", tar_of(("x", uuid.uuid4().bytes))).splitlines()[-1])
        self.ask("DELETE", f"/images/{made['status']}?force=1")

    def _port(self) -> None:
        body = {
            "Image": "busybox",
            "Cmd": ["httpd", "-f", "-p", "80"],
            "Labels": {"dockerlab.endurance": "port"},
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": ""}]}},
        }
        made = self.ask("POST", "/containers/create", body)["Id"]
        self.ask("POST", f"/containers/{made}/start")
        port = self.ask("GET", f"/containers/{made}/json")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as opened:
            opened.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.ask("DELETE", f"/containers/{made}?force=1")


def main() -> int:
    """Work, sample, and compare the engine at rest with itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--isolation", default="")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="dlab-") as base:
        engine = KillableEngine(Path(base), options.isolation)
        engine.start()
        try:
            return soak(engine, options)
        finally:
            engine.reset()


def soak(engine: KillableEngine, options: argparse.Namespace) -> int:
    """Work for a minute, rest, work for the others, rest again."""
    people = [Worker(engine.host, number, random.Random(options.seed + number)) for number in range(options.clients)]
    print(table([HEADINGS]), flush=True)
    wrong = work(engine, people, 60)
    first = rest(engine, people)
    wrong += work(engine, people, options.minutes * 60 - 60)
    last = rest(engine, people)
    for name, before, after in zip(HEADINGS[2:], first, last, strict=True):
        if after > before + (GROWN if name == "MB" else 0):
            wrong.append(f"{name}: {before:g} after the first minute, {after:g} after the last")
    print("\n".join(wrong) or "nothing has grown")
    return int(bool(wrong))


def work(engine: KillableEngine, people: list[Worker], seconds: float) -> list[str]:
    """Let all work for a time; give what went wrong."""
    end, wrong = time.monotonic() + seconds, []

    def busy(person: Worker) -> None:
        while time.monotonic() < end:
            try:
                person.step()
            except Exception as error:
                told = (engine.state / "engine.log").read_text("utf-8", "replace")[-3000:]
                print(f"client {person.number}: {traceback.format_exc()}{error}\n{told}", flush=True)
                wrong.append(f"client {person.number}: {error}")
                return

    threads = [threading.Thread(target=busy, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        time.sleep(min(EVERY, max(0.0, end - time.monotonic())))
        show(engine, people)
    for thread in threads:
        thread.join(120)
    return wrong


def rest(engine: KillableEngine, people: list[Worker]) -> list[float]:
    """Remove everything; give what the engine holds when it has come to rest."""
    one = people[0]
    for container in one.ask("GET", "/containers/json?all=1"):
        one.ask("DELETE", f"/containers/{container['Id']}?force=1&v=1")
    one.ask("POST", "/volumes/prune?filters=" + '{"all":["1"]}')
    one.ask("POST", "/networks/prune")
    for person in people:
        person.containers.clear()
        person.others.clear()
    time.sleep(5)
    return show(engine, people)


def show(engine: KillableEngine, people: list[Worker]) -> list[float]:
    """Print what the engine holds now, and give it."""
    pid = json.loads((engine.state / "engine.json").read_text("utf-8"))["pid"]  # to ask would be a connection more
    process = Path(f"/proc/{pid}")
    threads = next(line for line in (process / "status").read_text("ascii").splitlines() if line.startswith("Threads"))
    pages = int((process / "statm").read_text("ascii").split()[1])
    held = [
        round(pages * os.sysconf("SC_PAGESIZE") / 1e6, 1),
        float(sum(1 for _ in (process / "fd").iterdir())),
        float(threads.split()[1]),
        float(len(engine.shims() - {pid})),
        float(len(engine.mounts())),
        float(len(engine.control_groups() - engine.directories("containers"))),
        float(len(engine.directories("containers"))),
    ]
    minute = f"{(time.monotonic() - BEGAN) / 60:.1f}"
    requests = str(sum(person.answered for person in people))
    print(table([HEADINGS, [minute, requests, *(f"{number:g}" for number in held)]]).splitlines()[-1], flush=True)
    return held


BEGAN = time.monotonic()

if __name__ == "__main__":
    sys.exit(main())
