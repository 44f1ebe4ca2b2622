"""A plain client of one engine, with the tasks that are timed. Each task leaves the engine as it was before."""

from __future__ import annotations

import http.client
import json
import random
import tarfile
import time
from typing import Any
from urllib.parse import quote

from plain_http import connection

__all__ = ["IMAGE", "LABELS", "SECONDS", "EngineClient"]

IMAGE, LABELS = "busybox:latest", {"dockerlab.bench": "1"}
SECONDS = 120
BLOCK_BYTES = 1 << 20


class EngineClient:
    """Sends requests to one engine over one kept-alive connection. Ends the program if a request fails."""

    def __init__(self, name: str, host: str) -> None:
        self.name, self.host = name, host
        self.connection = connection(host, timeout=SECONDS)

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send one request and return the JSON of its response."""
        with self.open(method, path, body) as response:
            data = response.read()
        return json.loads(data) if data.strip() else None

    def open(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """Send one request and return its response, whose body is not read yet."""
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, body=text, headers={"Content-Type": "application/json"})
        response = self.connection.getresponse()
        if response.status >= http.client.BAD_REQUEST:
            message = response.read()[:300]
            raise SystemExit(f"{self.name}: {method} {path} failed with status {response.status}: {message!r}")
        return response

    def create(self, *command: str, **fields: object) -> str:
        """Create a container with the benchmark's label and return its id."""
        body = {"Image": IMAGE, "Cmd": command, "Labels": LABELS, **fields}
        return str(self.request("POST", "/containers/create", body)["Id"])

    def run(self, *command: str, **fields: object) -> str:
        """Run a container to its end and return its id. The container is kept."""
        container = self.create(*command, **fields)
        self.request("POST", f"/containers/{container}/start")
        code = self.request("POST", f"/containers/{container}/wait")["StatusCode"]
        if code != 0:
            raise SystemExit(f"{self.name}: {command} ended with exit code {code}")
        return container

    def remove(self, container: str) -> None:
        self.request("DELETE", f"/containers/{container}?force=1&v=1")

    def remove_labelled(self, labels: dict[str, str]) -> None:
        """Remove every container that has all these labels."""
        filters = quote(json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]}))
        for container in self.request("GET", f"/containers/json?all=1&filters={filters}"):
            self.remove(container["Id"])

    # -- tasks: each returns its seconds -----------------------------------------------------------------------

    def lifecycle(self) -> float:
        """Create, start, wait for and remove a container."""
        begin = time.perf_counter()
        container = self.create("true")
        self.request("POST", f"/containers/{container}/start")
        code = self.request("POST", f"/containers/{container}/wait")["StatusCode"]
        self.remove(container)
        seconds = time.perf_counter() - begin
        if code != 0:
            raise SystemExit(f"{self.name}: true ended with exit code {code}")
        return seconds

    def exec(self, container: str) -> float:
        """Run a command in a running container and request its exit code."""
        begin = time.perf_counter()
        body = {"Cmd": ["true"], "AttachStdout": True}
        exec_id = self.request("POST", f"/containers/{container}/exec", body)["Id"]
        hijacked = connection(self.host, timeout=SECONDS)
        hijacked.request("POST", f"/exec/{exec_id}/start", body="{}", headers={"Content-Type": "application/json"})
        hijacked.getresponse().read()
        hijacked.close()
        code = self.request("GET", f"/exec/{exec_id}/json")["ExitCode"]
        seconds = time.perf_counter() - begin
        if code != 0:
            raise SystemExit(f"{self.name}: true ended with exit code {code}")
        return seconds

    def list(self, minimum: int) -> float:
        """List all containers."""
        begin = time.perf_counter()
        containers = self.request("GET", "/containers/json?all=1")
        seconds = time.perf_counter() - begin
        if len(containers) < minimum:
            raise SystemExit(f"{self.name} lists {len(containers)} containers, not at least {minimum}")
        return seconds

    def read(self, path: str, minimum: int) -> float:
        """Read a response to its end without keeping it."""
        begin = time.perf_counter()
        size = 0
        with self.open("GET", path) as response:
            while block := response.read(BLOCK_BYTES):
                size += len(block)
        seconds = time.perf_counter() - begin
        if size < minimum:
            raise SystemExit(f"{self.name}: {path} has {size} bytes, not at least {minimum}")
        return seconds

    def upload(self, path: str, size: int) -> float:
        """Copy a file into a container, as an archive in blocks. It is not of zeros, which could be left out."""
        info = tarfile.TarInfo("upload")
        info.size = size
        end = bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
        block = random.Random(1).randbytes(BLOCK_BYTES)
        blocks = [info.tobuf(), *[block] * (size // BLOCK_BYTES), block[: size % BLOCK_BYTES], end]
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(sum(map(len, blocks)))}
        begin = time.perf_counter()
        self.connection.request("PUT", path, body=blocks, headers=headers)
        with self.connection.getresponse() as response:
            answer = response.read()
        seconds = time.perf_counter() - begin
        if response.status != http.client.OK:
            raise SystemExit(f"{self.name}: PUT {path} failed with status {response.status}: {answer[:300]!r}")
        return seconds
