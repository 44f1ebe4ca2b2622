"""A client that remembers all responses: after a crash of the engine, they must still be true."""

from __future__ import annotations

import http.client
import itertools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from plain_http import ask, container_output

__all__ = ["Client", "ExpectedContainer", "NoResponse"]

#: Commands by kind: one that counts forever, one that ends by itself, one that ends on TERM.
COMMANDS = {
    "ticker": "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done",
    "brief": "sleep {seconds}; exit {code}",
    "patient": 'trap "exit 7" TERM; while :; do sleep 0.05; done',
}
LABEL = "dockerlab.endurance"
MAX_OBJECTS = 6  #: objects of each kind per client


class NoResponse(Exception):
    """The engine was killed before it sent a response."""


@dataclass(slots=True)
class ExpectedContainer:
    """The possible states of a container. After a crash during a request there are several."""

    kind: str
    states: set[str]  #: of absent, created, running, paused, exited
    codes: set[int]  #: possible exit codes
    pid: int = 0


@dataclass
class Client:
    """One client, whose names no other client uses."""

    host: str
    number: int
    random: random.Random
    containers: dict[str, ExpectedContainer] = field(default_factory=dict)
    others: dict[str, set[bool]] = field(default_factory=dict)  #: volumes and networks, and whether they may exist
    responses: int = 0
    names: Any = field(default_factory=itertools.count)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that must succeed. Raises NoResponse, or AssertionError if it is refused."""
        try:
            status, response = ask(self.host, method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoResponse(f"{method} {path}: {type(error).__name__}: {error}") from None
        assert status < http.client.BAD_REQUEST, f"{method} {path}: {status} {response}"
        self.responses += 1
        return response

    def step(self) -> None:
        """Send a random request. Raises NoResponse or AssertionError."""
        choices: list[Callable[[], None]] = [self._make, self._make, self._volume_or_network, self._volume_or_network]
        for name, expected in self.containers.items():
            if expected.states == {"running"} and expected.kind != "brief":
                choices += [lambda name=name: self._pause(name), lambda name=name: self._stop_or_kill(name)]  # type: ignore[misc]
                choices.append(lambda name=name: self._exec(name))  # type: ignore[misc]
            elif expected.states == {"paused"}:
                choices += [lambda name=name: self._unpause(name)] * 2  # type: ignore[misc]
            choices.append(lambda name=name: self._remove(name))  # type: ignore[misc]
        self.random.choice(choices)()

    # -- containers ------------------------------------------------------------------------------------------------

    def _change(self, name: str, path: str, *after: str) -> None:
        """Change a container. Until there is a response, the states before and after are possible."""
        expected = self.containers[name]
        expected.states |= set(after)
        self.ask("POST", f"/containers/{name}/{path}")
        expected.states = set(after)

    def _make(self) -> None:
        if len(self.containers) >= MAX_OBJECTS:
            return
        kind = self.random.choice(sorted(COMMANDS))
        name, code = f"c{self.number}-{next(self.names)}", self.random.randrange(100)
        command = (
            COMMANDS[kind].format(seconds=self.random.choice([0, 0.1, 0.3, 1]), code=code) if kind == "brief" else ""
        )
        body = {"Image": "busybox", "Cmd": ["sh", "-c", command or COMMANDS[kind]], "Labels": {LABEL: str(self.number)}}
        expected = self.containers[name] = ExpectedContainer(
            kind, {"absent", "created"}, {code} if kind == "brief" else set()
        )
        self.ask("POST", f"/containers/create?name={name}", body)
        expected.states = {"created"}
        self._change(name, "start", "running", *(["exited"] if kind == "brief" else []))
        if kind != "brief":
            expected.pid = self.ask("GET", f"/containers/{name}/json")["State"]["Pid"]

    def _pause(self, name: str) -> None:
        self._change(name, "pause", "paused")

    def _unpause(self, name: str) -> None:
        self._change(name, "unpause", "running")

    def _stop_or_kill(self, name: str) -> None:
        expected = self.containers[name]
        if expected.kind == "patient" and self.random.random() < 0.5:
            expected.codes = {7, 137}
            self._change(name, "stop", "exited")
        else:
            expected.codes = {137}
            self._change(name, "kill", "exited")
            expected.states = {"running", "exited"}  # the response to kill comes before the process has ended

    def _exec(self, name: str) -> None:
        job = self.ask("POST", f"/containers/{name}/exec", {"Cmd": ["true"]})["Id"]
        self.ask("POST", f"/exec/{job}/start", {"Detach": True})

    def _remove(self, name: str) -> None:
        self.containers[name].states |= {"absent", "exited"}
        self.containers[name].codes |= {137}
        self.ask("DELETE", f"/containers/{name}?force=1")
        del self.containers[name]

    # -- volumes and networks --------------------------------------------------------------------------------------

    def _volume_or_network(self) -> None:
        kind = self.random.choice(["volumes", "networks"])
        own = [path for path in self.others if path.startswith(f"/{kind}/")]
        if len(own) < MAX_OBJECTS:
            name = f"o{self.number}-{next(self.names)}"
            path = f"/{kind}/{name}"
            self.others[path] = {True, False}
            self.ask("POST", f"/{kind}/create", {"Name": name, "Labels": {LABEL: str(self.number)}})
            self.others[path] = {True}
        else:
            path = self.random.choice(own)
            self.others[path] = {True, False}
            self.ask("DELETE", path)
            del self.others[path]

    # -- after a crash ---------------------------------------------------------------------------------------------

    def compare(self) -> tuple[list[str], dict[str, int]]:
        """Compare the engine's objects with the expected ones. Return problems and the numbers of checked objects."""
        wrong: list[str] = []
        filters = quote(json.dumps({"label": [f"{LABEL}={self.number}"]}))
        existing = {
            container["Names"][0][1:]: container
            for container in self.ask("GET", f"/containers/json?all=1&filters={filters}")
        }
        counts = {"living": 0, "ended": 0, "lines": 0, "objects": len(self.containers) + len(self.others)}
        wrong += [f"{name} exists, but was never created" for name in existing if name not in self.containers]
        for name, expected in list(self.containers.items()):
            if name not in existing:
                wrong += [] if "absent" in expected.states else [f"{name} does not exist, but was {expected.states}"]
                del self.containers[name]
                continue
            wrong += self._compare_container(name, expected, counts)
        for path, possible in list(self.others.items()):
            kind, name = path.split("/")[1:]
            response = self.ask("GET", f"/{kind}")
            entries = response["Volumes"] if kind == "volumes" else response
            exists = name in {entry["Name"] for entry in entries or []}
            wrong += [] if exists in possible else [f"{path} exists: {exists}"]
            if exists:
                self.others[path] = {True}
            else:
                del self.others[path]
        return wrong, counts

    def _compare_container(self, name: str, expected: ExpectedContainer, counts: dict[str, int]) -> list[str]:
        state, wrong = self.ask("GET", f"/containers/{name}/json")["State"], []
        status, code = state["Status"], state["ExitCode"]
        if status not in expected.states:
            wrong.append(f"{name} ({expected.kind}) is {status} with the code {code}, and was {expected.states}")
        if status == "exited" and code not in expected.codes:
            wrong.append(f"{name} ({expected.kind}) has ended with {code}, not with one of {expected.codes}")
        if status in ("running", "paused"):
            counts["living"] += 1
            if expected.pid and state["Pid"] != expected.pid:
                wrong.append(f"{name} has the pid {state['Pid']}, and had {expected.pid}")
            expected.pid = state["Pid"] if expected.kind != "brief" else 0
        else:
            counts["ended"] += 1
        may_end = expected.kind == "brief" and status == "running"
        expected.states = {"running", "exited"} if may_end else {status}
        if expected.kind == "ticker" and status != "created":
            lines = self._lines(name)
            counts["lines"] += len(lines)
            if lines != [str(number) for number in range(1, len(lines) + 1)]:
                wrong.append(f"{name}: its log has a hole: {lines[:3]}…{lines[-3:]}")
        return wrong

    def _lines(self, name: str) -> list[str]:
        """Return the lines of a log whose frames have one line each."""
        return container_output(self.host, name).splitlines()
