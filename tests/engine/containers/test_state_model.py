"""Random requests, one after the other, on an engine and on the model of what Docker does: they must agree.

DOCKERLAB_STATES_HOST=unix://… proves the model on another engine, where nobody kills the engine meanwhile, and
DOCKERLAB_STATES_EXAMPLES says how many sequences there are.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from container_model import COMMANDS, READY, Container, Model
from engines import KillableEngine
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from plain_http import ask, connection, labelled_containers
from processes import wait_until

EXAMPLES = int(os.environ.get("DOCKERLAB_STATES_EXAMPLES", "5"))
NAMES = some.sampled_from(["a", "b", "c"])
KINDS = some.sampled_from(sorted(COMMANDS))


class Engine(RuleBasedStateMachine):
    """The requests, each on the engine and on the model."""

    host: ClassVar[str] = ""
    engine: ClassVar[KillableEngine | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.label = uuid.uuid4().hex[:12]

    def named(self, name: str) -> str:
        return f"s{self.label}-{name}"

    def ask(self, expected: int, method: str, path: str, body: object = None) -> Any:
        status, told = ask(self.host, method, path, body)
        assert status == expected, f"{method} {path}: {status} {told}, and Docker says {expected}"
        assert status < 400 or (list(told) == ["message"] and told["message"]), told
        return told

    def settle(self, name: str) -> None:
        """Wait until what was asked for has come true: what ends has ended, what runs is ready for signals."""
        one = self.model.containers.get(name)
        if one is None:
            return
        if one.state == "exited":
            told = self.ask(200, "POST", f"/containers/{self.named(name)}/wait?condition=not-running")
            assert told["StatusCode"] == one.code
        elif one.state == "running":
            wait_until(lambda: self.log(name).count(READY) == one.starts)

    def listed(self) -> dict[str, str]:
        filters = f'{{"label":["dockerlab.test={self.label}"]}}'
        return {
            one["Names"][0]: one["State"] for one in self.ask(200, "GET", f"/containers/json?all=1&filters={filters}")
        }

    def log(self, name: str) -> bytes:
        opened = connection(self.host)
        try:
            opened.request("GET", f"/containers/{self.named(name)}/logs?stdout=1")
            return opened.getresponse().read()
        finally:
            opened.close()

    @initialize(kinds=some.tuples(KINDS, KINDS))
    def begin(self, kinds: tuple[str, str]) -> None:
        """Have two that run: what becomes of them is more than what becomes of nothing."""
        for name, kind in zip("ab", kinds, strict=True):
            self.create(name, kind)
            self.change(name, "start")

    # -- requests ------------------------------------------------------------------------------------------------

    @rule(name=NAMES, kind=KINDS)
    def create(self, name: str, kind: str) -> None:
        body = {"Image": "busybox", "Cmd": ["sh", "-c", COMMANDS[kind]], "Labels": {"dockerlab.test": self.label}}
        self.ask(self.model.create(name, kind), "POST", f"/containers/create?name={self.named(name)}", body)

    @rule(name=NAMES, verb=some.sampled_from(["start", "restart?t=1", "stop?t=1", "pause", "unpause"]))
    def change(self, name: str, verb: str) -> None:
        expected = getattr(self.model, verb.partition("?")[0])(name)
        stubborn = self.model.containers.get(name, Container("")).kind == "stubborn"
        verb = verb.replace("t=1", "t=0") if stubborn else verb
        self.ask(expected, "POST", f"/containers/{self.named(name)}/{verb}")
        self.settle(name)

    @rule(name=NAMES, signal=some.sampled_from(["KILL", "TERM", "SIGUSR1", "BOGUS"]))
    def kill(self, name: str, signal: str) -> None:
        self.ask(self.model.kill(name, signal), "POST", f"/containers/{self.named(name)}/kill?signal={signal}")
        self.settle(name)

    @rule(name=NAMES, new=NAMES)
    def rename(self, name: str, new: str) -> None:
        expected = self.model.rename(name, new)
        self.ask(expected, "POST", f"/containers/{self.named(name)}/rename?name={self.named(new)}")

    @rule(name=NAMES)
    def exec(self, name: str) -> None:
        body = {"Cmd": ["sh", "-c", "exit 4"], "AttachStdout": True}
        made = self.ask(self.model.exec(name), "POST", f"/containers/{self.named(name)}/exec", body)
        if "Id" in made:
            opened = connection(self.host)
            opened.request("POST", f"/exec/{made['Id']}/start", body="{}", headers={"Content-Type": "application/json"})
            opened.getresponse().read()
            opened.close()
            wait_until(lambda: not self.ask(200, "GET", f"/exec/{made['Id']}/json")["Running"])
            assert self.ask(200, "GET", f"/exec/{made['Id']}/json")["ExitCode"] == 4

    @rule(name=NAMES, force=some.booleans())
    def remove(self, name: str, force: bool) -> None:
        self.ask(self.model.remove(name, force), "DELETE", f"/containers/{self.named(name)}?force={int(force)}")

    @precondition(lambda self: self.engine is not None)
    @rule()
    def crash(self) -> None:
        """Kill the engine, and start it again: nobody's state changes."""
        assert self.engine is not None
        self.engine.kill()
        self.engine.start()

    # -- what must be so ---------------------------------------------------------------------------------------

    @invariant()
    def every_container_is_as_the_model_says(self) -> None:
        expected = {f"/{self.named(name)}": one.state for name, one in self.model.containers.items()}
        wait_until(lambda: self.listed() == expected, 5)  # a list may lag behind for a moment
        for name, one in self.model.containers.items():
            told = self.ask(200, "GET", f"/containers/{self.named(name)}/json")
            state = told["State"]
            assert (told["Name"], state["Status"], state["ExitCode"]) == (f"/{self.named(name)}", one.state, one.code)
            assert (state["Running"], state["Paused"], state["Pid"] > 0) == (
                one.lives,
                one.state == "paused",
                one.lives,
            )
            assert (state["OOMKilled"], state["Restarting"], told["RestartCount"]) == (False, False, 0)
            if one.state == "exited":
                assert state["StartedAt"] <= state["FinishedAt"]
            assert state["StartedAt"].startswith("0001-") is (one.starts == 0)

    def teardown(self) -> None:
        for container in labelled_containers(self.host, f"dockerlab.test={self.label}"):
            ask(self.host, "DELETE", f"/containers/{container}?force=1")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Engine]]:
    """Give the machine, on the engine that is named, or on one of its own that can be killed."""
    if host := os.environ.get("DOCKERLAB_STATES_HOST"):
        Engine.host, Engine.engine = host, None
        yield Engine
        return
    base = Path(tmp_path_factory.mktemp("s"))
    Engine.engine = KillableEngine(base, os.environ.get("DOCKERLAB_ISOLATION", ""))
    Engine.host = Engine.engine.host
    Engine.engine.start()
    yield Engine
    Engine.engine.reset()


@pytest.mark.timeout(60 + 30 * EXAMPLES)
def test_an_engine_agrees_with_the_model(machine: type[Engine]) -> None:
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=25,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if EXAMPLES < 20 else [Phase.generate],  # an engine is slow to shrink on
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=chosen)
