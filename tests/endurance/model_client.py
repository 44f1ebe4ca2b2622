"""A client that changes an engine at random, and keeps a model of what the engine confirmed.

After a crash, the engine must still agree with the model.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from plain_http import ask, container_output

__all__ = ["LABEL", "ConnectionLost", "ContainerModel", "ModelClient"]

#: Commands by kind: one counts forever, one ends by itself, one ends when it is stopped.
COMMANDS = {
    "ticker": "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done",
    "brief": "sleep {seconds}; exit {code}",
    "patient": 'trap "exit 7" TERM; while :; do sleep 0.05; done',
}
LABEL = "dockerlab.endurance"
LIMIT = 6  #: the largest number of containers, of volumes and of networks of one client


class ConnectionLost(Exception):
    """The engine was killed before it responded."""


@dataclass(slots=True)
class ContainerModel:
    """The states and exit codes that a container may have. After a crash, that is often more than one."""

    kind: str
    states: set[str]  #: of absent, created, running, paused, exited
    codes: set[int]
    pid: int = 0


@dataclass
class ModelClient:
    """One client, whose containers, volumes and networks have names of their own."""

    host: str
    number: int
    random: random.Random
    containers: dict[str, ContainerModel] = field(default_factory=dict)
    #: By path, whether a volume or network may exist. After a crash, both are possible.
    resources: dict[str, set[bool]] = field(default_factory=dict)
    responses: int = 0
    numbers: Any = field(default_factory=itertools.count)

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that the engine must not refuse. Raise ConnectionLost if there is no response."""
        try:
            status, response = ask(self.host, method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ConnectionLost(f"{method} {path}: {type(error).__name__}: {error}") from None
        assert status < http.client.BAD_REQUEST, f"{method} {path}: {status} {response}"
        self.responses += 1
        return response

    def step(self) -> None:
        """Make one random change."""
        choices: list[Callable[[], None]] = [self._create, self._create, self._change_resource, self._change_resource]
        for name, container in self.containers.items():
            if container.states == {"running"} and container.kind != "brief":
                choices += [partial(self._pause, name), partial(self._stop_or_kill, name), partial(self._exec, name)]
            elif container.states == {"paused"}:
                choices += [partial(self._unpause, name)] * 2
            choices.append(partial(self._remove, name))
        self.random.choice(choices)()

    # -- containers ------------------------------------------------------------------------------------------------

    def _create(self) -> None:
        if len(self.containers) >= LIMIT:
            return
        kind = self.random.choice(sorted(COMMANDS))
        name, code = f"c{self.number}-{next(self.numbers)}", self.random.randrange(100)
        command = COMMANDS[kind]
        if kind == "brief":
            command = command.format(seconds=self.random.choice([0, 0.1, 0.3, 1]), code=code)
        body = {"Image": "busybox", "Cmd": ["sh", "-c", command], "Labels": {LABEL: str(self.number)}}
        container = ContainerModel(kind, {"absent", "created"}, {code} if kind == "brief" else set())
        self.containers[name] = container
        self.request("POST", f"/containers/create?name={name}", body)
        container.states = {"created"}
        self._change_state(name, "start", "running", *(["exited"] if kind == "brief" else []))
        if kind != "brief":
            container.pid = self.request("GET", f"/containers/{name}/json")["State"]["Pid"]

    def _change_state(self, name: str, action: str, *states: str) -> None:
        """Request a change of state. Until the response comes, the old and the new states are possible."""
        container = self.containers[name]
        container.states |= set(states)
        self.request("POST", f"/containers/{name}/{action}")
        container.states = set(states)

    def _pause(self, name: str) -> None:
        self._change_state(name, "pause", "paused")

    def _unpause(self, name: str) -> None:
        self._change_state(name, "unpause", "running")

    def _stop_or_kill(self, name: str) -> None:
        container = self.containers[name]
        if container.kind == "patient" and self.random.random() < 0.5:
            container.codes = {7, 137}
            self._change_state(name, "stop", "exited")
        else:
            container.codes = {137}
            self._change_state(name, "kill", "exited")
            # The response to a kill comes when the signal is sent, so the container may still be running.
            container.states = {"running", "exited"}

    def _exec(self, name: str) -> None:
        exec_id = self.request("POST", f"/containers/{name}/exec", {"Cmd": ["true"]})["Id"]
        self.request("POST", f"/exec/{exec_id}/start", {"Detach": True})

    def _remove(self, name: str) -> None:
        self.containers[name].states |= {"absent", "exited"}
        self.containers[name].codes |= {137}
        self.request("DELETE", f"/containers/{name}?force=1")
        del self.containers[name]

    # -- volumes and networks --------------------------------------------------------------------------------------

    def _change_resource(self) -> None:
        """Create a volume or network, or remove one if there are enough."""
        kind = self.random.choice(["volumes", "networks"])
        paths = [path for path in self.resources if path.startswith(f"/{kind}/")]
        if len(paths) < LIMIT:
            name = f"o{self.number}-{next(self.numbers)}"
            path = f"/{kind}/{name}"
            self.resources[path] = {True, False}
            self.request("POST", f"/{kind}/create", {"Name": name, "Labels": {LABEL: str(self.number)}})
            self.resources[path] = {True}
        else:
            path = self.random.choice(paths)
            self.resources[path] = {True, False}
            self.request("DELETE", path)
            del self.resources[path]

    # -- after a crash ---------------------------------------------------------------------------------------------

    def compare(self) -> tuple[list[str], dict[str, int]]:
        """Compare the engine with the model. Return the problems, and how much was compared.

        The model then takes over what the engine reports, so that each problem is reported once.
        """
        filters = quote(json.dumps({"label": [f"{LABEL}={self.number}"]}))
        containers = self.request("GET", f"/containers/json?all=1&filters={filters}")
        names = [container["Names"][0][1:] for container in containers]
        counts = {"objects": len(self.containers) + len(self.resources), "running": 0, "stopped": 0, "lines": 0}
        problems = [f"{name} exists, but was never created" for name in names if name not in self.containers]
        for name, container in list(self.containers.items()):
            if name in names:
                problems += self._compare_container(name, container, counts)
                continue
            if "absent" not in container.states:
                problems.append(f"{name} is missing; expected: {container.states}")
            del self.containers[name]
        return problems + self._compare_resources(), counts

    def _compare_container(self, name: str, container: ContainerModel, counts: dict[str, int]) -> list[str]:
        state, problems = self.request("GET", f"/containers/{name}/json")["State"], []
        status, code = state["Status"], state["ExitCode"]
        title = f"{name} ({container.kind})"
        if status not in container.states:
            problems.append(f"{title} is {status} with exit code {code}; expected: {container.states}")
        if status == "exited" and code not in container.codes:
            problems.append(f"{title} has exit code {code}; expected: {container.codes}")
        if status in ("running", "paused"):
            counts["running"] += 1
            if container.pid and state["Pid"] != container.pid:
                problems.append(f"{title} has the pid {state['Pid']}; expected: {container.pid}")
            container.pid = state["Pid"] if container.kind != "brief" else 0
        else:
            counts["stopped"] += 1
        may_end = container.kind == "brief" and status == "running"
        container.states = {"running", "exited"} if may_end else {status}
        if container.kind == "ticker" and status != "created":
            lines = container_output(self.host, name).splitlines()
            counts["lines"] += len(lines)
            if lines != [str(number) for number in range(1, len(lines) + 1)]:
                problems.append(f"{title}: lines of its log are missing or repeated: {lines[:3]}…{lines[-3:]}")
        return problems

    def _compare_resources(self) -> list[str]:
        problems = []
        for path, possible in list(self.resources.items()):
            kind, name = path.split("/")[1:]
            response = self.request("GET", f"/{kind}")
            entries = response["Volumes"] if kind == "volumes" else response
            exists = name in {entry["Name"] for entry in entries or []}
            if exists not in possible:
                problems.append(f"{path} {'exists' if exists else 'is missing'}; expected the opposite")
            if exists:
                self.resources[path] = {True}
            else:
                del self.resources[path]
        return problems
