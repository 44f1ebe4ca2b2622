"""Mixed traffic from several clients, while the engine's resources are sampled: they must not grow.

    python tests/endurance/soak.py [--minutes 10] [--clients 4] [--seed N] [--isolation NAME]

Besides the requests of the crash loop, clients abandon streams, build, load and remove images, and connect to published
ports. At rest, after the first minute and after the last one, the engine must have the same number of open files,
processes, mounts, control groups and directories, and about the same memory.
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
from plain_http import send_raw  # noqa: E402
from rounds import table  # noqa: E402

INTERVAL, MAX_GROWTH = 10, 10.0  #: seconds between two samples; megabytes by which memory may grow
HEADINGS = ["minute", "requests", "MB", "files", "threads", "processes", "mounts", "cgroups", "containers"]
STREAMS = ("/events", "/containers/{}/logs?follow=1&stdout=1", "/containers/{}/stats", "/containers/{}/export")


class Worker(Client):
    """A client that also sends requests after which an engine might leave something open."""

    def step(self) -> None:
        """Send a random request."""
        self.random.choice([super().step] * 4 + [self._stream, self._build, self._load, self._port])()

    def _stream(self) -> None:
        """Start to read a stream, and disconnect."""
        living = [name for name, expected in self.containers.items() if expected.states == {"running"}]
        path = self.random.choice(STREAMS).format(self.random.choice(living or ["none"]))
        with socket.socket(socket.AF_UNIX) as client_socket:
            client_socket.settimeout(20)
            client_socket.connect(urlsplit(self.host).path)
            client_socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            client_socket.recv(self.random.choice([1, 1000, 100_000]))

    def _post_tar(self, path: str, body: bytes) -> bytes:
        self.responses += 1
        return send_raw(self.host, "POST", path, body)[1]

    def _build(self) -> None:
        steps = f"FROM busybox\nRUN echo {uuid.uuid4()} > /x\nENV A=1\n"
        output = self._post_tar(f"/build?rm=1&t=soak{self.number}", tar_of(("Dockerfile", steps.encode())))
        assert b"Successfully built" in output, output[-300:]
        self.ask("DELETE", f"/images/soak{self.number}?force=1")

    def _load(self) -> None:
        result = json.loads(
            self._post_tar("/images/create?fromSrc=-", tar_of(("x", uuid.uuid4().bytes))).splitlines()[-1]
        )
        self.ask("DELETE", f"/images/{result['status']}?force=1")

    def _port(self) -> None:
        body = {
            "Image": "busybox",
            "Cmd": ["httpd", "-f", "-p", "80"],
            "Labels": {"dockerlab.endurance": "port"},
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": ""}]}},
        }
        container = self.ask("POST", "/containers/create", body)["Id"]
        self.ask("POST", f"/containers/{container}/start")
        port = self.ask("GET", f"/containers/{container}/json")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as client_socket:
            client_socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.ask("DELETE", f"/containers/{container}?force=1")


def main() -> int:
    """Run the traffic, and compare the engine at rest."""
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
    """Work for one minute, rest, work for the remaining minutes, rest again."""
    clients = [Worker(engine.host, number, random.Random(options.seed + number)) for number in range(options.clients)]
    print(table([HEADINGS]), flush=True)
    wrong = work(engine, clients, 60)
    first = rest(engine, clients)
    wrong += work(engine, clients, options.minutes * 60 - 60)
    last = rest(engine, clients)
    for name, before, after in zip(HEADINGS[2:], first, last, strict=True):
        if after > before + (MAX_GROWTH if name == "MB" else 0):
            wrong.append(f"{name}: {before:g} after the first minute, {after:g} after the last")
    print("\n".join(wrong) or "nothing has grown")
    return int(bool(wrong))


def work(engine: KillableEngine, clients: list[Worker], seconds: float) -> list[str]:
    """Let all clients work for a time. Return the problems."""
    end, wrong = time.monotonic() + seconds, []

    def send_requests(client: Worker) -> None:
        while time.monotonic() < end:
            try:
                client.step()
            except Exception as error:
                log = (engine.state / "engine.log").read_text("utf-8", "replace")[-3000:]
                print(f"client {client.number}: {traceback.format_exc()}{error}\n{log}", flush=True)
                wrong.append(f"client {client.number}: {error}")
                return

    threads = [threading.Thread(target=send_requests, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        time.sleep(min(INTERVAL, max(0.0, end - time.monotonic())))
        show(engine, clients)
    for thread in threads:
        thread.join(120)
    return wrong


def rest(engine: KillableEngine, clients: list[Worker]) -> list[float]:
    """Remove everything. Return the engine's resources at rest."""
    first_client = clients[0]
    for container in first_client.ask("GET", "/containers/json?all=1"):
        first_client.ask("DELETE", f"/containers/{container['Id']}?force=1&v=1")
    first_client.ask("POST", "/volumes/prune?filters=" + '{"all":["1"]}')
    first_client.ask("POST", "/networks/prune")
    for client in clients:
        client.containers.clear()
        client.others.clear()
    time.sleep(5)
    return show(engine, clients)


def show(engine: KillableEngine, clients: list[Worker]) -> list[float]:
    """Print the engine's resources, and return them."""
    pid = json.loads((engine.state / "engine.json").read_text("utf-8"))["pid"]  # a request would open a connection
    process = Path(f"/proc/{pid}")
    threads = next(line for line in (process / "status").read_text("ascii").splitlines() if line.startswith("Threads"))
    pages = int((process / "statm").read_text("ascii").split()[1])
    resources = [
        round(pages * os.sysconf("SC_PAGESIZE") / 1e6, 1),
        float(sum(1 for _ in (process / "fd").iterdir())),
        float(threads.split()[1]),
        float(len(engine.shims() - {pid})),
        float(len(engine.mounts())),
        float(len(engine.control_groups() - engine.directories("containers"))),
        float(len(engine.directories("containers"))),
    ]
    minute = f"{(time.monotonic() - START) / 60:.1f}"
    requests = str(sum(client.responses for client in clients))
    print(table([HEADINGS, [minute, requests, *(f"{number:g}" for number in resources)]]).splitlines()[-1], flush=True)
    return resources


START = time.monotonic()

if __name__ == "__main__":
    sys.exit(main())
