"""A client that remembers what it was told, and what it was not: after a crash, all of it must still be true."""

from __future__ import annotations

import http.client
import itertools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from plain_http import ask

__all__ = ["Client", "Lost", "Thing"]

#: Commands by kind: one that counts for ever, one that ends by itself, one that ends when it is told to.
COMMANDS = {
    "ticker": "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done",
    "brief": "sleep {seconds}; exit {code}",
    "patient": 'trap "exit 7" TERM; while :; do sleep 0.05; done',
}
LABEL = "dockerlab.endurance"
MOST = 6  #: things of each kind that one client has


class Lost(Exception):
    """The engine went away before it answered."""


@dataclass(slots=True)
class Thing:
    """What is known of a container: its state, or the two between which a crash has left it."""

    kind: str
    states: set[str]  #: of absent, created, running, paused, exited
    codes: set[int]  #: with which it may have ended
    pid: int = 0


@dataclass
class Client:
    """One client with names of its own."""

    host: str
    number: int
    random: random.Random
    containers: dict[str, Thing] = field(default_factory=dict)
    others: dict[str, set[bool]] = field(default_factory=dict)  #: volumes and networks: are they there?
    answered: int = 0
    names: Any = field(default_factory=itertools.count)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that can't be refused. Raises Lost if there is no answer, AssertionError."""
        try:
            status, told = ask(self.host, method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Lost(f"{method} {path}: {type(error).__name__}: {error}") from None
        assert status < http.client.BAD_REQUEST, f"{method} {path}: {status} {told}"
        self.answered += 1
        return told

    def step(self) -> None:
        """Do something. Raises Lost, AssertionError."""
        choices: list[Callable[[], None]] = [self._make, self._make, self._other, self._other]
        for name, thing in self.containers.items():
            if thing.states == {"running"} and thing.kind != "brief":
                choices += [lambda name=name: self._pause(name), lambda name=name: self._end(name)]  # type: ignore[misc]
                choices.append(lambda name=name: self._exec(name))  # type: ignore[misc]
            elif thing.states == {"paused"}:
                choices += [lambda name=name: self._unpause(name)] * 2  # type: ignore[misc]
            choices.append(lambda name=name: self._remove(name))  # type: ignore[misc]
        self.random.choice(choices)()

    # -- containers ------------------------------------------------------------------------------------------------

    def _changes(self, name: str, path: str, *after: str) -> None:
        """Ask for a change; until the answer is there, both states are possible."""
        thing = self.containers[name]
        thing.states |= set(after)
        self.ask("POST", f"/containers/{name}/{path}")
        thing.states = set(after)

    def _make(self) -> None:
        if len(self.containers) >= MOST:
            return
        kind = self.random.choice(sorted(COMMANDS))
        name, code = f"c{self.number}-{next(self.names)}", self.random.randrange(100)
        command = (
            COMMANDS[kind].format(seconds=self.random.choice([0, 0.1, 0.3, 1]), code=code) if kind == "brief" else ""
        )
        body = {"Image": "busybox", "Cmd": ["sh", "-c", command or COMMANDS[kind]], "Labels": {LABEL: str(self.number)}}
        thing = self.containers[name] = Thing(kind, {"absent", "created"}, {code} if kind == "brief" else set())
        self.ask("POST", f"/containers/create?name={name}", body)
        thing.states = {"created"}
        self._changes(name, "start", "running", *(["exited"] if kind == "brief" else []))
        if kind != "brief":
            thing.pid = self.ask("GET", f"/containers/{name}/json")["State"]["Pid"]

    def _pause(self, name: str) -> None:
        self._changes(name, "pause", "paused")

    def _unpause(self, name: str) -> None:
        self._changes(name, "unpause", "running")

    def _end(self, name: str) -> None:
        thing = self.containers[name]
        if thing.kind == "patient" and self.random.random() < 0.5:
            thing.codes = {7, 137}
            self._changes(name, "stop", "exited")
        else:
            thing.codes = {137}
            self._changes(name, "kill", "exited")
            thing.states = {"running", "exited"}  # a kill is answered when the signal is sent

    def _exec(self, name: str) -> None:
        made = self.ask("POST", f"/containers/{name}/exec", {"Cmd": ["true"]})["Id"]
        self.ask("POST", f"/exec/{made}/start", {"Detach": True})

    def _remove(self, name: str) -> None:
        self.containers[name].states |= {"absent", "exited"}
        self.containers[name].codes |= {137}
        self.ask("DELETE", f"/containers/{name}?force=1")
        del self.containers[name]

    # -- volumes and networks --------------------------------------------------------------------------------------

    def _other(self) -> None:
        kind = self.random.choice(["volumes", "networks"])
        mine = [path for path in self.others if path.startswith(f"/{kind}/")]
        if len(mine) < MOST:
            name = f"o{self.number}-{next(self.names)}"
            path = f"/{kind}/{name}"
            self.others[path] = {True, False}
            self.ask("POST", f"/{kind}/create", {"Name": name, "Labels": {LABEL: str(self.number)}})
            self.others[path] = {True}
        else:
            path = self.random.choice(mine)
            self.others[path] = {True, False}
            self.ask("DELETE", path)
            del self.others[path]

    # -- after a crash ---------------------------------------------------------------------------------------------

    def compare(self) -> tuple[list[str], dict[str, int]]:
        """Hold what there is against what is known; give what is wrong, and how much was looked at."""
        wrong: list[str] = []
        filters = quote(json.dumps({"label": [f"{LABEL}={self.number}"]}))
        found = {one["Names"][0][1:]: one for one in self.ask("GET", f"/containers/json?all=1&filters={filters}")}
        looked = {"living": 0, "ended": 0, "lines": 0, "things": len(self.containers) + len(self.others)}
        wrong += [f"{name} is there, and was never made" for name in found if name not in self.containers]
        for name, thing in list(self.containers.items()):
            if name not in found:
                wrong += [] if "absent" in thing.states else [f"{name} is gone, and was {thing.states}"]
                del self.containers[name]
                continue
            wrong += self._compared(name, thing, looked)
        for path, there in list(self.others.items()):
            kind, name = path.split("/")[1:]
            listed = self.ask("GET", f"/{kind}")
            entries = listed["Volumes"] if kind == "volumes" else listed
            is_there = name in {entry["Name"] for entry in entries or []}
            wrong += [] if is_there in there else [f"{path} is there: {is_there}"]
            if is_there:
                self.others[path] = {True}
            else:
                del self.others[path]
        return wrong, looked

    def _compared(self, name: str, thing: Thing, looked: dict[str, int]) -> list[str]:
        state, wrong = self.ask("GET", f"/containers/{name}/json")["State"], []
        status, code = state["Status"], state["ExitCode"]
        if status not in thing.states:
            wrong.append(f"{name} ({thing.kind}) is {status} with the code {code}, and was {thing.states}")
        if status == "exited" and code not in thing.codes:
            wrong.append(f"{name} ({thing.kind}) has ended with {code}, not with one of {thing.codes}")
        if status in ("running", "paused"):
            looked["living"] += 1
            if thing.pid and state["Pid"] != thing.pid:
                wrong.append(f"{name} has the pid {state['Pid']}, and had {thing.pid}")
            thing.pid = state["Pid"] if thing.kind != "brief" else 0
        else:
            looked["ended"] += 1
        may_end = thing.kind == "brief" and status == "running"
        thing.states = {"running", "exited"} if may_end else {status}
        if thing.kind == "ticker" and status != "created":
            lines = self._lines(name)
            looked["lines"] += len(lines)
            if lines != [str(number) for number in range(1, len(lines) + 1)]:
                wrong.append(f"{name}: its log has a hole: {lines[:3]}…{lines[-3:]}")
        return wrong

    def _lines(self, name: str) -> list[str]:
        """Read a log: the frames of a program that writes a line at a time."""
        from plain_http import connection

        opened = connection(self.host)
        try:
            opened.request("GET", f"/containers/{name}/logs?stdout=1")
            data = opened.getresponse().read()
        finally:
            opened.close()
        lines = []
        while data:
            length = int.from_bytes(data[4:8], "big")
            lines.append(data[8 : 8 + length].decode().rstrip("\n"))
            data = data[8 + length :]
        return lines
