"""Kills the practice engine in the middle of one long request after the other, and looks for what is left.

    python tests/endurance/interrupted_work.py [--times 210] [--seed N] [--isolation NAME]

The requests are a build, load, pull, import, commit, PUT archive, connect, rename, tag and create with a volume.
After each restart, the object is there as a whole, either as before or as afterwards, all lists answer, and nothing
unfinished is on the disk, nor are there processes, control groups, mounts or interfaces of nothing. Prints a table, and
ends with exit code 1 if there is a problem.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "bench")]

from archives import tar_of  # noqa: E402
from engines import KillableEngine  # noqa: E402
from plain_http import ask, json_lines, send_raw  # noqa: E402
from registries import small_registry  # noqa: E402
from rounds import markdown_table  # noqa: E402

MEGABYTES, FILES = 8, 200
CLEANUP_SECONDS = 10
HEADINGS = ["request", "kills", "done", "not done", "ms of a request", "ms of a restart", "problems"]
DOCKERFILE = b"FROM busybox\nARG SECRET\nCOPY files /files\nRUN echo one >/one\nADD files/f1 /f1\nLABEL a=b\n"


@dataclass
class Row:
    """What came of all kills during one kind of request."""

    seconds: float = 0.0
    restarts: list[float] = field(default_factory=list)
    done: int = 0
    problems: list[str] = field(default_factory=list)


class Work:
    """The requests, each with what has to be there before, and a check of what is there afterwards."""

    def __init__(self, engine: KillableEngine, registry: str, generator: random.Random) -> None:
        self.engine, self.host, self.registry = engine, engine.host, registry
        content = generator.randbytes(MEGABYTES << 10)
        self.context = tar_of(
            ("Dockerfile", DOCKERFILE), *((f"files/f{number}", content[number:]) for number in range(FILES))
        )
        self.number = 0
        self.kinds = ["build", "load", "pull", "import", "commit", "put", "connect", "rename", "tag", "create"]

    def prepare(self) -> None:
        """Create the container, the network and the images that the requests are about."""
        self._must("POST", "/containers/create?name=web", {"Image": "busybox", "Cmd": ["sleep", "100000"]})
        self._must("POST", "/containers/web/start")
        self._must("POST", "/networks/create", {"Name": "net"})
        name = quote(f"{self.registry}/big", safe="")
        assert b"Successfully built" in send_raw(self.host, "POST", f"/build?t={name}", self.context)[1]
        pushed = json_lines(send_raw(self.host, "POST", f"/images/{name}/push?tag=latest")[1])
        assert "error" not in pushed[-1], pushed[-1]
        self.archive = send_raw(self.host, "GET", f"/images/{name}/get")[1]
        self._must("DELETE", f"/images/{name}")
        self._must("POST", "/images/busybox/tag?repo=moving")

    def prepare_for(self, kind: str) -> None:
        """Create what a request needs."""
        if kind == "tag":
            self._build()
        elif kind == "commit":
            self._put()

    def _must(self, method: str, path: str, body: object = None) -> Any:
        status, response = ask(self.host, method, path, body)
        assert status < http.client.BAD_REQUEST, (method, path, response)
        return response

    def run(self, kind: str) -> None:
        """Send the request. Raises OSError or HTTPException if the engine is killed meanwhile."""
        self.number += 1
        getattr(self, f"_{kind}")()

    def _build(self) -> None:
        arguments = quote(json.dumps({"SECRET": "open-sesame"}))
        send_raw(self.host, "POST", f"/build?t=built&nocache=1&buildargs={arguments}", self.context)

    def _load(self) -> None:
        send_raw(self.host, "POST", "/images/load", self.archive)

    def _pull(self) -> None:
        name = quote(f"{self.registry}/big", safe="")
        send_raw(self.host, "POST", f"/images/create?fromImage={name}&tag=latest")

    def _import(self) -> None:
        send_raw(self.host, "POST", f"/images/create?fromSrc=-&repo=imported&message=m{self.number}", self.context)

    def _commit(self) -> None:
        ask(self.host, "POST", "/commit?container=web&repo=committed", {})

    def _put(self) -> None:
        send_raw(self.host, "PUT", "/containers/web/archive?path=/", self.context)

    def _connect(self) -> None:
        ask(self.host, "POST", "/networks/net/connect", {"Container": "web"})
        ask(self.host, "POST", "/networks/net/disconnect", {"Container": "web"})

    def _rename(self) -> None:
        for name in ("app", "web"):
            ask(self.host, "POST", f"/containers/{self.container()['Id']}/rename?name={name}")

    def _tag(self) -> None:
        ask(self.host, "POST", f"/images/{quote('built', safe='')}/tag?repo=moving")
        ask(self.host, "POST", "/images/busybox/tag?repo=moving")

    def _create(self) -> None:
        body = {"Image": "busybox", "Cmd": ["true"], "Volumes": {"/v": {}}, "Labels": {"brief": "1"}}
        for container in [ask(self.host, "POST", "/containers/create", body)[1]]:
            ask(self.host, "DELETE", f"/containers/{container['Id']}?v=1")

    def container(self) -> dict[str, Any]:
        """Return the summary of the long-running container."""
        containers = self._must("GET", "/containers/json?all=1")
        [container] = [each for each in containers if each["Names"][0] in ("/web", "/app")]
        return dict(container)

    # -- after the restart -----------------------------------------------------------------------------------------

    def clean(self, kind: str) -> bool:
        """Remove what the request has made, so that the next one makes it again. Return whether it was there."""
        names = {"build": "built", "load": f"{self.registry}/big", "pull": f"{self.registry}/big"}
        names |= {"import": "imported", "commit": "committed", "tag": "built"}
        for container in self._must("GET", "/containers/json?all=1"):
            if container["Names"][0] not in ("/web", "/app"):
                self._must("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        container = self.container()
        if container["Names"] == ["/app"]:
            self._must("POST", f"/containers/{container['Id']}/rename?name=web")
            return True
        if "net" in container["NetworkSettings"]["Networks"]:
            self._must("POST", "/networks/net/disconnect", {"Container": "web"})
            return True
        name = names.get(kind, "")
        is_there = bool(name) and ask(self.host, "GET", f"/images/{quote(name, safe='')}/json")[0] == http.client.OK
        if is_there:
            self._check_image(name)
            ask(self.host, "DELETE", f"/images/{quote(name, safe='')}?force=1")
        self._must("POST", "/images/prune?filters=" + quote('{"dangling":["true"]}'))
        self._must("POST", "/volumes/prune?filters=" + quote('{"all":["true"]}'))
        return is_there and kind != "tag"  # the image that gets the tag was there before

    def _check_image(self, name: str) -> None:
        """Run a program in a container of the image, which takes all of its layers."""
        if name != "imported":
            body = {"Image": name, "Cmd": ["sh", "-c", "cat /bin/sh >/dev/null"]}
            container = self._must("POST", "/containers/create", body)["Id"]
            self._must("POST", f"/containers/{container}/start")
            assert self._must("POST", f"/containers/{container}/wait")["StatusCode"] == 0, name
            self._must("DELETE", f"/containers/{container}")

    def check(self) -> list[str]:
        """Return what is wrong with the engine."""
        problems = []
        for path in ("/containers/json?all=1&size=1", "/images/json?all=1", "/volumes", "/networks", "/system/df"):
            status, response = ask(self.host, "GET", path)
            if status != http.client.OK:
                problems.append(f"GET {path}: {status} {response}")
        container = self.container()
        if container["State"] != "running":
            problems.append(f"the container is {container['State']}")
        addresses = [each["IPAddress"] for each in container["NetworkSettings"]["Networks"].values()]
        interfaces = self.engine.container_interfaces(self._must("GET", f"/containers/{container['Id']}/json"))
        if interfaces is not None and len(interfaces) != len(list(filter(None, addresses))):
            problems.append(f"the container has {interfaces} for {addresses}")
        tags = [tag for image in self._must("GET", "/images/json?all=1") for tag in image["RepoTags"]]
        if tags.count("moving:latest") != 1:
            problems.append(f"{tags.count('moving:latest')} images have the tag that moves")
        return problems

    def traces(self) -> list[str]:
        """Return what belongs to nothing. Wait for it to disappear first, because containers may just have ended."""
        end = time.monotonic() + CLEANUP_SECONDS
        while True:
            running = {container["Id"] for container in self._must("GET", "/containers/json")}
            containers = {container["Id"] for container in self._must("GET", "/containers/json?all=1")}
            traces = [f"file {path}" for path in self.engine.unfinished_files()]
            traces += [f"control group {name}" for name in self.engine.control_groups() - running]
            traces += [f"directory {name}" for name in self.engine.directories("containers") - containers]
            traces += [f"mount {line}" for line in self.engine.mounts()]
            traces += self.engine.network_traces(len(running))
            if len(shims := self.engine.shims()) > len(running):
                traces.append(f"{len(shims)} shims for {len(running)} running containers")
            if not traces or time.monotonic() > end:
                return traces
            time.sleep(0.1)


def main() -> int:
    options = parse_arguments()
    print(f"seed {options.seed}", flush=True)
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="dlab-") as base, small_registry("none") as registry:
        engine = KillableEngine(Path(base), options.isolation)
        engine.start()
        work = Work(engine, registry.name, generator)
        try:
            work.prepare()
            rows = {kind: measure(work, kind) for kind in work.kinds}
            for turn in range(options.times):
                kind = work.kinds[turn % len(work.kinds)]
                interrupt(work, kind, rows[kind], generator)
            secrets = "open-sesame" in (engine.state / "engine.log").read_text("utf-8", "replace")
        finally:
            engine.reset()
        traces = [f"left on the machine: {trace}" for trace in (*engine.mounts(), *engine.shims())]
        traces += [f"left after the reset: {path.name}" for path in engine.state.iterdir() if path.name != "start.lock"]
    traces += ["the log has a build argument"] if secrets else []
    print(markdown_table([HEADINGS, *(table_row(kind, row) for kind, row in rows.items())]))
    problems = [f"{kind}: {problem}" for kind, row in rows.items() for problem in row.problems] + traces
    print("\n".join(problems) or "nothing was lost, and nothing is left")
    return int(bool(problems))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=210, help="number of kills (default: 210)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed for everything random")
    parser.add_argument("--isolation", default="", help="the rung of the practice engine")
    return parser.parse_args()


def measure(work: Work, kind: str) -> Row:
    """Send a request without a kill, to know how long it takes."""
    work.prepare_for(kind)
    begin = time.perf_counter()
    work.run(kind)
    row = Row(time.perf_counter() - begin)
    work.clean(kind)
    return row


def interrupt(work: Work, kind: str, row: Row, generator: random.Random) -> None:
    """Kill the engine at a random moment of a request, start it again, and note what is wrong."""

    def run() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            work.run(kind)

    work.prepare_for(kind)
    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(generator.uniform(0, row.seconds))
    children = work.engine.helper_processes()
    work.engine.kill()
    thread.join()
    row.restarts.append(work.engine.start())
    problems = [] if not (lasting := work.engine.still_running(children)) else [f"processes {lasting} have not ended"]
    problems += work.check()
    row.done += work.clean(kind)
    problems += work.traces()
    row.problems += [f"kill {len(row.restarts)}: {problem}" for problem in problems]


def table_row(kind: str, row: Row) -> list[str]:
    restarts = f"{statistics.median(row.restarts) * 1000:.0f}" if row.restarts else ""
    kills = len(row.restarts)
    numbers = kills, row.done, kills - row.done, f"{row.seconds * 1000:.0f}", restarts, len(row.problems)
    return [kind, *map(str, numbers)]


if __name__ == "__main__":
    sys.exit(main())
