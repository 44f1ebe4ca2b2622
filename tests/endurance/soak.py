"""Sends mixed traffic from several clients for a while, and checks that the engine leaks nothing.

    python tests/endurance/soak.py [--minutes 10] [--clients 4] [--seed N] [--isolation NAME]

In addition to what the clients of the crash loop do, streams are opened and abandoned, images are built, loaded and
removed, and published ports are used. At rest, after the first minute and after the last one, the engine must have the
same number of open files, processes, mounts, control groups and directories. Its memory may grow by some megabytes.
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
from engines import KillableEngine  # noqa: E402
from model_client import LABEL, ModelClient  # noqa: E402
from plain_http import send_raw  # noqa: E402
from rounds import markdown_table  # noqa: E402

SAMPLE_SECONDS = 10  #: between two samples
GROWTH_MEGABYTES = 10.0
HEADINGS = ["minute", "requests", "MB", "files", "threads", "processes", "mounts", "cgroups", "containers"]
STREAMS = ("/events", "/containers/{}/logs?follow=1&stdout=1", "/containers/{}/stats", "/containers/{}/export")


class SoakClient(ModelClient):
    """A client that also does what would leave files or processes behind if the engine had a fault."""

    def step(self) -> None:
        """Make one random change, or use a stream, a build, an import or a published port."""
        self.random.choice([super().step] * 4 + [self._abandon_stream, self._build, self._import, self._use_port])()

    def _abandon_stream(self) -> None:
        """Read the beginning of a stream, and close the connection."""
        running = [name for name, container in self.containers.items() if container.states == {"running"}]
        path = self.random.choice(STREAMS).format(self.random.choice(running or ["none"]))
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(urlsplit(self.host).path)
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            client.recv(self.random.choice([1, 1000, 100_000]))

    def _send_tar(self, path: str, body: bytes) -> bytes:
        _, output, _ = send_raw(self.host, "POST", path, body)
        self.responses += 1
        return output

    def _build(self) -> None:
        dockerfile = f"FROM busybox\nRUN echo {uuid.uuid4()} > /x\nENV A=1\n"
        output = self._send_tar(f"/build?rm=1&t=soak{self.number}", tar_of(("Dockerfile", dockerfile.encode())))
        assert b"Successfully built" in output, output[-300:]
        self.request("DELETE", f"/images/soak{self.number}?force=1")

    def _import(self) -> None:
        output = self._send_tar("/images/create?fromSrc=-", tar_of(("x", uuid.uuid4().bytes)))
        image = json.loads(output.splitlines()[-1])["status"]
        self.request("DELETE", f"/images/{image}?force=1")

    def _use_port(self) -> None:
        body = {
            "Image": "busybox",
            "Cmd": ["httpd", "-f", "-p", "80"],
            "Labels": {LABEL: "port"},
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": ""}]}},
        }
        container = self.request("POST", "/containers/create", body)["Id"]
        self.request("POST", f"/containers/{container}/start")
        settings = self.request("GET", f"/containers/{container}/json")["NetworkSettings"]
        port = settings["Ports"]["80/tcp"][0]["HostPort"]
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.request("DELETE", f"/containers/{container}?force=1")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="how long to send traffic (default: 10)")
    parser.add_argument("--clients", type=int, default=4, help="number of clients (default: 4)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed for everything random")
    parser.add_argument("--isolation", default="", help="the rung of the practice engine")
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
    """Send traffic for a minute, and for the rest of the time; compare the engine at rest after each."""
    clients = [
        SoakClient(engine.host, number, random.Random(options.seed + number)) for number in range(options.clients)
    ]
    print(markdown_table([HEADINGS]), flush=True)
    problems = work(engine, clients, 60)
    first = rest(engine, clients)
    problems += work(engine, clients, options.minutes * 60 - 60)
    last = rest(engine, clients)
    for name, before, after in zip(HEADINGS[2:], first, last, strict=True):
        if after > before + (GROWTH_MEGABYTES if name == "MB" else 0):
            problems.append(f"{name}: {before:g} after the first minute, {after:g} after the last")
    print("\n".join(problems) or "nothing has grown")
    return int(bool(problems))


def work(engine: KillableEngine, clients: list[SoakClient], seconds: float) -> list[str]:
    """Let all clients send traffic for a time. Return the problems."""
    end, problems = time.monotonic() + seconds, []

    def step_until_end(client: SoakClient) -> None:
        while time.monotonic() < end:
            try:
                client.step()
            except Exception as error:
                log = (engine.state / "engine.log").read_text("utf-8", "replace")[-3000:]
                print(f"client {client.number}: {traceback.format_exc()}{error}\n{log}", flush=True)
                problems.append(f"client {client.number}: {error}")
                return

    threads = [threading.Thread(target=step_until_end, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        time.sleep(min(SAMPLE_SECONDS, max(0.0, end - time.monotonic())))
        sample(engine, clients)
    for thread in threads:
        thread.join(120)
    return problems


def rest(engine: KillableEngine, clients: list[SoakClient]) -> list[float]:
    """Remove everything, wait a moment, and return a sample."""
    client = clients[0]
    for container in client.request("GET", "/containers/json?all=1"):
        client.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")
    client.request("POST", "/volumes/prune?filters=" + '{"all":["1"]}')
    client.request("POST", "/networks/prune")
    for each in clients:
        each.containers.clear()
        each.resources.clear()
    time.sleep(5)
    return sample(engine, clients)


def sample(engine: KillableEngine, clients: list[SoakClient]) -> list[float]:
    """Print and return how much the engine uses now, in the order of the headings."""
    # The pid comes from the file, because asking the socket for it would open one more connection.
    pid = json.loads((engine.state / "engine.json").read_text("utf-8"))["pid"]
    process = Path(f"/proc/{pid}")
    status = (process / "status").read_text("ascii").splitlines()
    threads = next(line for line in status if line.startswith("Threads"))
    pages = int((process / "statm").read_text("ascii").split()[1])
    values = [
        round(pages * os.sysconf("SC_PAGESIZE") / 1e6, 1),
        float(sum(1 for _ in (process / "fd").iterdir())),
        float(threads.split()[1]),
        float(len(engine.shims() - {pid})),
        float(len(engine.mounts())),
        float(len(engine.control_groups() - engine.directories("containers"))),
        float(len(engine.directories("containers"))),
    ]
    minute = f"{(time.monotonic() - BEGIN) / 60:.1f}"
    requests = str(sum(client.responses for client in clients))
    row = [minute, requests, *(f"{value:g}" for value in values)]
    print(markdown_table([HEADINGS, row]).splitlines()[-1], flush=True)
    return values


BEGIN = time.monotonic()

if __name__ == "__main__":
    sys.exit(main())
