"""Tasks that are timed on an engine. Each one uses one plain connection, and removes what it creates."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import quote

from plain_http import connection

__all__ = ["IMAGE", "LABEL", "SECONDS", "Subject"]

IMAGE, LABEL = "busybox:latest", {"dockerlab.bench": "1"}
SECONDS = 120
BLOCK = 1 << 20


class Subject:
    """One engine under test, with a connection that is reused."""

    def __init__(self, name: str, host: str) -> None:
        self.name, self.host = name, host
        self._connection = connection(host, timeout=SECONDS)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request and return its JSON. Exit with the engine's message if it fails."""
        with self.response(method, path, body) as response:
            data = response.read()
        return json.loads(data) if data.strip() else None

    def response(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """Send one request and return the response, which is not read yet."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, body=text, headers={"Content-Type": "application/json"})
        response = self._connection.getresponse()
        if response.status >= http.client.BAD_REQUEST:
            raise SystemExit(f"{self.name}: {method} {path} fails with {response.status} {response.read()[:300]!r}")
        return response

    def create(self, *command: str, **fields: object) -> str:
        """Create a labelled container, and return its id."""
        body = {"Image": IMAGE, "Cmd": command, "Labels": LABEL, **fields}
        return str(self.ask("POST", "/containers/create", body)["Id"])

    def remove(self, name: str) -> None:
        """Remove a container."""
        self.ask("DELETE", f"/containers/{name}?force=1&v=1")

    def clear(self) -> None:
        """Remove every labelled container."""
        filters = quote(json.dumps({"label": [f"{name}={value}" for name, value in LABEL.items()]}))
        for container in self.ask("GET", f"/containers/json?all=1&filters={filters}"):
            self.remove(container["Id"])

    def life(self) -> float:
        """Create, start, wait for and remove a container."""
        begin = time.perf_counter()
        name = self.create("true")
        self.ask("POST", f"/containers/{name}/start")
        result = self.ask("POST", f"/containers/{name}/wait")
        self.remove(name)
        seconds = time.perf_counter() - begin
        if result["StatusCode"] != 0:
            raise SystemExit(f"{self.name}: true result with {result}")
        return seconds

    def exec(self, name: str) -> float:
        """Run a command in a running container, and request its exit code."""
        begin = time.perf_counter()
        job = self.ask("POST", f"/containers/{name}/exec", {"Cmd": ["true"], "AttachStdout": True})["Id"]
        hijacked = connection(self.host, timeout=SECONDS)
        hijacked.request("POST", f"/exec/{job}/start", body="{}", headers={"Content-Type": "application/json"})
        hijacked.getresponse().read()
        hijacked.close()
        code = self.ask("GET", f"/exec/{job}/json")["ExitCode"]
        seconds = time.perf_counter() - begin
        if code != 0:
            raise SystemExit(f"{self.name}: true ended with {code}")
        return seconds

    def list(self, expected: int) -> float:
        """List all containers."""
        begin = time.perf_counter()
        containers = self.ask("GET", "/containers/json?all=1")
        seconds = time.perf_counter() - begin
        if len(containers) < expected:
            raise SystemExit(f"{self.name}: {len(containers)} containers are listed, not {expected}")
        return seconds

    def read(self, path: str, expected: int) -> float:
        """Read a response to its end without keeping it."""
        begin = time.perf_counter()
        total = 0
        with self.response("GET", path) as response:
            while block := response.read(BLOCK):
                total += len(block)
        seconds = time.perf_counter() - begin
        if total < expected:
            raise SystemExit(f"{self.name}: {path} gives {total} bytes, not {expected}")
        return seconds

    def run_to_end(self, *command: str, **fields: object) -> str:
        """Run a container to its end without removing it, and return its id."""
        name = self.create(*command, **fields)
        self.ask("POST", f"/containers/{name}/start")
        code = self.ask("POST", f"/containers/{name}/wait")["StatusCode"]
        if code != 0:
            raise SystemExit(f"{self.name}: {command} ended with {code}")
        return name
