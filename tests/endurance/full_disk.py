"""Sends every request that writes to an engine whose disk is full, and looks at what has become of it.

    python tests/endurance/full_disk.py [--isolation NAME]       needs root, which mounts a small disk

There are three levels: not a byte is free, a few kilobytes are free, and there is room for part of a large write.
Each request either succeeds, or says that there is no space left, and then nothing has changed and nothing is left. A
restart of the engine finds the same as before. Prints a table, and ends with exit code 1 if there is a problem.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "bench")]

from archives import tar_of  # noqa: E402
from engines import KillableEngine  # noqa: E402
from plain_http import ask, send_raw  # noqa: E402
from registries import small_registry  # noqa: E402
from rounds import markdown_table  # noqa: E402

DISK, LARGE = "64m", 6 << 20
#: What is free at each level, in bytes.
LEVELS = {"full": 0, "8 KB free": 8 << 10, "1 MB free": 1 << 20}
NO_SPACE = "no space left on device"
SECONDS = 10
Answer = tuple[int, str]


class SmallDisk:
    """An engine on a small disk, which can be filled up."""

    def __init__(self, base: Path, isolation: str, registry: str) -> None:
        self.engine = KillableEngine(base, isolation)
        self.host, self.registry, self.filler = self.engine.host, registry, base / "filler"
        content = random.Random(1).randbytes(LARGE)
        self.context = tar_of(("Dockerfile", b"FROM busybox\nCOPY big /big\nRUN echo x >/x\n"), ("big", content))

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        status, response = ask(self.host, method, path, body)
        return status, json.dumps(response)

    def upload(self, method: str, path: str, body: bytes = b"") -> Answer:
        status, data, _ = send_raw(self.host, method, path, body)
        return status, data.decode("utf-8", "replace")

    def must(self, method: str, path: str, body: object = None) -> Any:
        status, response = ask(self.host, method, path, body)
        assert status < http.client.BAD_REQUEST, (method, path, response)
        return response

    def prepare(self) -> None:
        """Create what the requests are about."""
        loop = ["sh", "-c", "while :; do echo still here; sleep 0.1; done"]
        for name, command in (("running", loop), ("stopped", ["sleep", "1000"]), ("paused", loop)):
            self.must("POST", f"/containers/create?name={name}", {"Image": "busybox", "Cmd": command})
        self.must("POST", "/networks/create", {"Name": "net"})
        self.must("POST", "/networks/create", {"Name": "joined"})
        self.must("POST", "/containers/running/start")
        self.must("POST", "/containers/paused/start")
        self.must("POST", "/containers/paused/pause")
        self.must("POST", "/networks/joined/connect", {"Container": "running"})
        name = quote(f"{self.registry}/big", safe="")
        self.upload("POST", f"/build?t={name}", self.context)
        self.upload("POST", f"/images/{name}/push?tag=latest")
        self.archive = send_raw(self.host, "GET", f"/images/{name}/get")[1]
        self.must("DELETE", f"/images/{name}")
        self.must("POST", "/images/prune?filters=" + quote('{"dangling":["true"]}'))
        self.must("POST", "/images/busybox/tag?repo=other")
        self.must("POST", *SMALL_IMAGE)
        self.must("POST", "/volumes/create", {"Name": "unused"})

    def fill(self, free: int) -> None:
        """Write until so many bytes are free."""
        with self.filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
            if free:
                file.truncate(max(0, file.tell() - free))

    def wait_until_saved(self) -> None:
        """Wait until the records have what the engine says: what could not be saved is saved a moment later."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            records = [json.loads(path.read_bytes()) for path in self.engine.state.glob("containers/*/container.json")]
            states = {record["Id"]: record["State"]["Status"] for record in records}
            containers = self.must("GET", "/containers/json?all=1")
            if all(states.get(each["Id"]) == each["State"] for each in containers):
                return
            time.sleep(0.1)

    def snapshot(self) -> dict[str, Any]:
        """Return everything that the engine has, as a client sees it."""
        containers = self.must("GET", "/containers/json?all=1")
        return {
            "containers": sorted(
                (each["Names"][0], each["State"], sorted(each["NetworkSettings"]["Networks"])) for each in containers
            ),
            "images": sorted((each["Id"], sorted(each["RepoTags"])) for each in self.must("GET", "/images/json?all=1")),
            "volumes": sorted(each["Name"] for each in self.must("GET", "/volumes")["Volumes"] or []),
            "networks": sorted(each["Name"] for each in self.must("GET", "/networks")),
            "limit": self.must("GET", "/containers/running/json")["HostConfig"]["CpuShares"],
        }


Request = tuple[Callable[[], Answer], list[tuple[str, str, Any]]]
NEW: Any = {"Image": "busybox", "Cmd": ["sleep", "1000"]}
RUNNING, NEW_NAME = {"Container": "running"}, {"Name": "new"}
SMALL_IMAGE: tuple[str, Any] = ("/commit?container=stopped&repo=small", {})
STOPPED: tuple[str, str, Any] = ("POST", "/containers/create?name=stopped", NEW)
NETWORK: tuple[str, str, Any] = ("POST", "/networks/create", {"Name": "net"})
VOLUME: tuple[str, str, Any] = ("POST", "/volumes/create", {"Name": "unused"})
ALL_VOLUMES = quote('{"all":["true"]}')
PRUNE = ("POST", "/images/prune?filters=" + quote('{"dangling":["true"]}'), None)
#: Name, method, path, body, and the request that undoes it.
SIMPLE_REQUESTS: list[tuple[str, str, str, Any, tuple[str, str, Any]]] = [
    ("create", "POST", "/containers/create?name=new", NEW, ("DELETE", "/containers/new?v=1", None)),
    (
        *("create with a volume", "POST", "/containers/create?name=new", {**NEW, "Volumes": {"/etc": {}}}),
        ("DELETE", "/containers/new?v=1", None),
    ),
    ("start", "POST", "/containers/stopped/start", None, ("POST", "/containers/stopped/kill", None)),
    ("pause", "POST", "/containers/running/pause", None, ("POST", "/containers/running/unpause", None)),
    ("unpause", "POST", "/containers/paused/unpause", None, ("POST", "/containers/paused/pause", None)),
    ("stop", "POST", "/containers/running/stop?t=0", None, ("POST", "/containers/running/start", None)),
    (
        *("rename", "POST", "/containers/stopped/rename?name=renamed", None),
        ("POST", "/containers/renamed/rename?name=stopped", None),
    ),
    ("kill", "POST", "/containers/running/kill", None, ("POST", "/containers/running/start", None)),
    ("restart", "POST", "/containers/running/restart?t=0", None, ("POST", "/containers/running/start", None)),
    ("remove", "DELETE", "/containers/stopped?v=1", None, STOPPED),
    ("prune of containers", "POST", "/containers/prune", None, STOPPED),
    (
        *("update", "POST", "/containers/running/update", {"CpuShares": 512}),
        ("POST", "/containers/running/update", {"CpuShares": 1024}),
    ),
    ("network create", "POST", "/networks/create", NEW_NAME, ("DELETE", "/networks/new", None)),
    ("connect", "POST", "/networks/net/connect", RUNNING, ("POST", "/networks/net/disconnect", RUNNING)),
    ("disconnect", "POST", "/networks/joined/disconnect", RUNNING, ("POST", "/networks/joined/connect", RUNNING)),
    ("network remove", "DELETE", "/networks/net", None, NETWORK),
    ("prune of networks", "POST", "/networks/prune", None, NETWORK),
    ("volume create", "POST", "/volumes/create", NEW_NAME, ("DELETE", "/volumes/new", None)),
    ("volume remove", "DELETE", "/volumes/unused", None, VOLUME),
    ("prune of volumes", "POST", f"/volumes/prune?filters={ALL_VOLUMES}", None, VOLUME),
    ("tag", "POST", "/images/busybox/tag?repo=new", None, ("DELETE", "/images/new", None)),
    ("untag", "DELETE", "/images/other", None, ("POST", "/images/busybox/tag?repo=other", None)),
    ("image remove", "DELETE", "/images/small", None, ("POST", *SMALL_IMAGE)),
    ("commit", "POST", "/commit?container=running&repo=new", {}, ("DELETE", "/images/new", None)),
]


def requests(disk: SmallDisk) -> dict[str, Request]:
    """Return all requests by name, each with those that undo it."""
    big = quote(f"{disk.registry}/big", safe="")
    remove_big: list[tuple[str, str, Any]] = [("DELETE", f"/images/{big}", None), PRUNE]
    remove_new: list[tuple[str, str, Any]] = [("DELETE", "/images/new", None), PRUNE]

    def run_exec() -> Answer:
        status, response = disk.ask("POST", "/containers/running/exec", {"Cmd": ["true"]})
        identity = json.loads(response).get("Id", "")
        return disk.ask("POST", f"/exec/{identity}/start", {"Detach": True}) if identity else (status, response)

    simple: dict[str, Request] = {
        name: (partial(disk.ask, method, path, body), [undone_by])
        for name, method, path, body, undone_by in SIMPLE_REQUESTS
    }
    return simple | {
        "exec": (run_exec, []),
        "load": (partial(disk.upload, "POST", "/images/load", disk.archive), remove_big),
        "pull": (partial(disk.upload, "POST", f"/images/create?fromImage={big}&tag=latest"), remove_big),
        "import": (partial(disk.upload, "POST", "/images/create?fromSrc=-&repo=new", disk.context), remove_new),
        "build": (partial(disk.upload, "POST", "/build?t=new", disk.context), remove_new),
        "put archive": (
            partial(disk.upload, "PUT", "/containers/stopped/archive?path=/", disk.context),
            [("DELETE", "/containers/stopped", None), STOPPED],
        ),
    }


def try_request(disk: SmallDisk, send: Callable[[], Answer], free: int) -> tuple[str, list[str]]:
    """Send a request on a full disk. Return its outcome, and what is wrong with it."""
    before = disk.snapshot()
    disk.fill(free)
    status, text = send()
    is_done = status < http.client.BAD_REQUEST and '"errorDetail"' not in text
    after, problems = disk.snapshot(), []
    if not is_done and NO_SPACE not in text.lower():
        problems.append(f"its answer is {status} {text[-200:]}")
    if not is_done and after != before:
        problems.append(f"it has failed, but changed {difference(before, after)}")
    disk.filler.unlink()
    problems += [f"{path} is left" for path in disk.engine.unfinished_files()]
    disk.wait_until_saved()
    if settled(disk, after) != after:
        problems.append(f"with room again it is different: {difference(after, disk.snapshot())}")
    disk.engine.kill()
    disk.engine.start()
    if settled(disk, after) != after:
        problems.append(f"after a restart it is different: {difference(after, disk.snapshot())}")
    return "done" if is_done else "refused", problems


def settled(disk: SmallDisk, expected: dict[str, Any]) -> dict[str, Any]:
    """Return what the engine has, as soon as it is what is expected, because a container may just be ending."""
    end = time.monotonic() + SECONDS
    while (snapshot := disk.snapshot()) != expected and time.monotonic() < end:
        time.sleep(0.1)
    return snapshot


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {before[name]} -> {after[name]}" for name in before if before[name] != after[name])


def undo(disk: SmallDisk, requests_to_undo: list[tuple[str, str, Any]]) -> None:
    for method, path, body in requests_to_undo:
        ask(disk.host, method, path, body)


@contextlib.contextmanager
def small_mount() -> Iterator[Path]:
    """Give a mounted file system of a few megabytes."""
    with tempfile.TemporaryDirectory(prefix="dlab-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "small", folder], check=True, timeout=20)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True, timeout=20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--isolation", default="", help="the rung of the practice engine")
    parser.add_argument("--requests", default="", help="names of requests, with commas between them (default: all)")
    options = parser.parse_args()
    selection = options.requests.split(",") if options.requests else None
    rows, problems = [], []
    with small_mount() as base, small_registry("none") as registry:
        disk = SmallDisk(base, options.isolation, registry.name)
        disk.engine.start()
        try:
            disk.prepare()
            for name, (send, undone_by) in requests(disk).items():
                if selection is not None and name not in selection:
                    continue
                row = [name]
                for level, free in LEVELS.items():
                    outcome, wrong = try_request(disk, send, free)
                    undo(disk, undone_by)
                    row.append(outcome if not wrong else f"{outcome}, wrong")
                    problems += [f"{name}, {level}: {problem}" for problem in wrong]
                rows.append(row)
                print(markdown_table([["request", *LEVELS], row]).splitlines()[-1], flush=True)
        finally:
            disk.filler.unlink(missing_ok=True)
            disk.engine.reset()
    print(markdown_table([["request", *LEVELS], *rows]))
    print("\n".join(problems) or "nothing is half done")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
