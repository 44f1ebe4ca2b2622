"""What is timed on an engine: each task asks with one plain connection, and leaves the engine as it was."""

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
MEGABYTE = 1_000_000
BLOCK = 1 << 20


class Subject:
    """One engine under test, with a connection that is kept."""

    def __init__(self, name: str, host: str) -> None:
        """Connect to the engine at an address."""
        self.name, self.host = name, host
        self._connection = connection(host, timeout=SECONDS)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request; give its JSON, or end the run with what the engine says."""
        with self.answer(method, path, body) as answer:
            data = answer.read()
        return json.loads(data) if data.strip() else None

    def answer(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """Send one request; give the answer, which is not read yet."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, body=text, headers={"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        if answer.status >= http.client.BAD_REQUEST:
            raise SystemExit(f"{self.name}: {method} {path} is answered with {answer.status} {answer.read()[:300]!r}")
        return answer

    def create(self, *command: str, **fields: object) -> str:
        """Create a container of ours; give its id."""
        body = {"Image": IMAGE, "Cmd": command, "Labels": LABEL, **fields}
        return str(self.ask("POST", "/containers/create", body)["Id"])

    def remove(self, name: str) -> None:
        """Remove a container."""
        self.ask("DELETE", f"/containers/{name}?force=1&v=1")

    def clear(self) -> None:
        """Remove every container of ours."""
        chosen = quote(json.dumps({"label": [f"{name}={value}" for name, value in LABEL.items()]}))
        for found in self.ask("GET", f"/containers/json?all=1&filters={chosen}"):
            self.remove(found["Id"])

    def life(self) -> float:
        """Create, start, wait for and remove a container."""
        began = time.perf_counter()
        name = self.create("true")
        self.ask("POST", f"/containers/{name}/start")
        ended = self.ask("POST", f"/containers/{name}/wait")
        self.remove(name)
        seconds = time.perf_counter() - began
        if ended["StatusCode"] != 0:
            raise SystemExit(f"{self.name}: true ended with {ended}")
        return seconds

    def exec(self, name: str) -> float:
        """Run a command in a running container, and ask for its exit code."""
        began = time.perf_counter()
        job = self.ask("POST", f"/containers/{name}/exec", {"Cmd": ["true"], "AttachStdout": True})["Id"]
        taken = connection(self.host, timeout=SECONDS)
        taken.request("POST", f"/exec/{job}/start", body="{}", headers={"Content-Type": "application/json"})
        taken.getresponse().read()
        taken.close()
        code = self.ask("GET", f"/exec/{job}/json")["ExitCode"]
        seconds = time.perf_counter() - began
        if code != 0:
            raise SystemExit(f"{self.name}: true ended with {code}")
        return seconds

    def list(self, wanted: int) -> float:
        """List all containers."""
        began = time.perf_counter()
        found = self.ask("GET", "/containers/json?all=1")
        seconds = time.perf_counter() - began
        if len(found) < wanted:
            raise SystemExit(f"{self.name}: {len(found)} containers are listed, not {wanted}")
        return seconds

    def read(self, path: str, wanted: int) -> float:
        """Read an answer to its end without keeping it."""
        began = time.perf_counter()
        got = 0
        with self.answer("GET", path) as answer:
            while block := answer.read(BLOCK):
                got += len(block)
        seconds = time.perf_counter() - began
        if got < wanted:
            raise SystemExit(f"{self.name}: {path} gives {got} bytes, not {wanted}")
        return seconds

    def finished(self, *command: str, **fields: object) -> str:
        """Run a container to its end, and keep it; give its id."""
        name = self.create(*command, **fields)
        self.ask("POST", f"/containers/{name}/start")
        code = self.ask("POST", f"/containers/{name}/wait")["StatusCode"]
        if code != 0:
            raise SystemExit(f"{self.name}: {command} ended with {code}")
        return name
