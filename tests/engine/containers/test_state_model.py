"""Random requests, sent to an engine and to a model of Docker's states: the responses and states must agree.

DOCKERLAB_STATES_HOST=unix://… checks the model on another engine, which is not killed meanwhile.
DOCKERLAB_STATES_EXAMPLES is the number of sequences.
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
from plain_http import ask, labelled_containers, send_raw
from processes import wait_until

EXAMPLES = int(os.environ.get("DOCKERLAB_STATES_EXAMPLES", "5"))
NAMES = some.sampled_from(["a", "b", "c"])
KINDS = some.sampled_from(sorted(COMMANDS))


class EngineAndModel(RuleBasedStateMachine):
    """Sends each request to the engine and to the model."""

    host: ClassVar[str] = ""
    engine: ClassVar[KillableEngine | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.label = uuid.uuid4().hex[:12]

    def full_name(self, name: str) -> str:
        return f"s{self.label}-{name}"

    def ask(self, expected: int, method: str, path: str, body: object = None) -> Any:
        status, response = ask(self.host, method, path, body)
        assert status == expected, f"{method} {path}: {status} {response}, Docker answers {expected}"
        assert status < 400 or (list(response) == ["message"] and response["message"]), response
        return response

    def settle(self, name: str) -> None:
        """Wait until the request has taken effect: a container has ended, or is ready for signals."""
        container = self.model.containers.get(name)
        if container is None:
            return
        if container.state == "exited":
            response = self.ask(200, "POST", f"/containers/{self.full_name(name)}/wait?condition=not-running")
            assert response["StatusCode"] == container.code
        elif container.state == "running":
            wait_until(lambda: self.log(name).count(READY) == container.starts)

    def states(self) -> dict[str, str]:
        filters = f'{{"label":["dockerlab.test={self.label}"]}}'
        return {
            container["Names"][0]: container["State"]
            for container in self.ask(200, "GET", f"/containers/json?all=1&filters={filters}")
        }

    def log(self, name: str) -> bytes:
        return send_raw(self.host, "GET", f"/containers/{self.full_name(name)}/logs?stdout=1")[1]

    @initialize(kinds=some.tuples(KINDS, KINDS))
    def begin(self, kinds: tuple[str, str]) -> None:
        """Start with two containers, so that most requests have an effect."""
        for name, kind in zip("ab", kinds, strict=True):
            self.create(name, kind)
            self.change(name, "start")

    # -- requests ------------------------------------------------------------------------------------------------

    @rule(name=NAMES, kind=KINDS)
    def create(self, name: str, kind: str) -> None:
        body = {"Image": "busybox", "Cmd": ["sh", "-c", COMMANDS[kind]], "Labels": {"dockerlab.test": self.label}}
        self.ask(self.model.create(name, kind), "POST", f"/containers/create?name={self.full_name(name)}", body)

    @rule(name=NAMES, verb=some.sampled_from(["start", "restart?t=1", "stop?t=1", "pause", "unpause"]))
    def change(self, name: str, verb: str) -> None:
        expected = getattr(self.model, verb.partition("?")[0])(name)
        stubborn = self.model.containers.get(name, Container("")).kind == "stubborn"
        verb = verb.replace("t=1", "t=0") if stubborn else verb
        self.ask(expected, "POST", f"/containers/{self.full_name(name)}/{verb}")
        self.settle(name)

    @rule(name=NAMES, signal=some.sampled_from(["KILL", "TERM", "SIGUSR1", "BOGUS"]))
    def kill(self, name: str, signal: str) -> None:
        self.ask(self.model.kill(name, signal), "POST", f"/containers/{self.full_name(name)}/kill?signal={signal}")
        self.settle(name)

    @rule(name=NAMES, new=NAMES)
    def rename(self, name: str, new: str) -> None:
        expected = self.model.rename(name, new)
        self.ask(expected, "POST", f"/containers/{self.full_name(name)}/rename?name={self.full_name(new)}")

    @rule(name=NAMES)
    def exec(self, name: str) -> None:
        body = {"Cmd": ["sh", "-c", "exit 4"], "AttachStdout": True}
        job = self.ask(self.model.exec(name), "POST", f"/containers/{self.full_name(name)}/exec", body)
        if "Id" in job:
            send_raw(self.host, "POST", f"/exec/{job['Id']}/start", b"{}", {"Content-Type": "application/json"})
            wait_until(lambda: not self.ask(200, "GET", f"/exec/{job['Id']}/json")["Running"])
            assert self.ask(200, "GET", f"/exec/{job['Id']}/json")["ExitCode"] == 4

    @rule(name=NAMES, force=some.booleans())
    def remove(self, name: str, force: bool) -> None:
        self.ask(self.model.remove(name, force), "DELETE", f"/containers/{self.full_name(name)}?force={int(force)}")

    @precondition(lambda self: self.engine is not None)
    @rule()
    def crash(self) -> None:
        """Kill the engine and start it again. No state may change."""
        assert self.engine is not None
        self.engine.kill()
        self.engine.start()

    # -- invariants ---------------------------------------------------------------------------------------

    @invariant()
    def every_container_agrees_with_the_model(self) -> None:
        expected = {f"/{self.full_name(name)}": container.state for name, container in self.model.containers.items()}
        wait_until(lambda: self.states() == expected, 5)  # the list may lag behind for a moment
        for name, container in self.model.containers.items():
            details = self.ask(200, "GET", f"/containers/{self.full_name(name)}/json")
            state = details["State"]
            assert (details["Name"], state["Status"], state["ExitCode"]) == (
                f"/{self.full_name(name)}",
                container.state,
                container.code,
            )
            assert (state["Running"], state["Paused"], state["Pid"] > 0) == (
                container.is_alive,
                container.state == "paused",
                container.is_alive,
            )
            assert (state["OOMKilled"], state["Restarting"], details["RestartCount"]) == (False, False, 0)
            if container.state == "exited":
                assert state["StartedAt"] <= state["FinishedAt"]
            assert state["StartedAt"].startswith("0001-") is (container.starts == 0)

    def teardown(self) -> None:
        for container in labelled_containers(self.host, f"dockerlab.test={self.label}"):
            ask(self.host, "DELETE", f"/containers/{container}?force=1")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[EngineAndModel]]:
    """Give the state machine, on the engine that is named, or on a new one that can be killed."""
    if host := os.environ.get("DOCKERLAB_STATES_HOST"):
        EngineAndModel.host, EngineAndModel.engine = host, None
        yield EngineAndModel
        return
    base = Path(tmp_path_factory.mktemp("s"))
    EngineAndModel.engine = KillableEngine(base, os.environ.get("DOCKERLAB_ISOLATION", ""))
    EngineAndModel.host = EngineAndModel.engine.host
    EngineAndModel.engine.start()
    yield EngineAndModel
    EngineAndModel.engine.reset()


@pytest.mark.timeout(60 + 30 * EXAMPLES)
def test_an_engine_agrees_with_the_model(machine: type[EngineAndModel]) -> None:
    options = settings(
        max_examples=EXAMPLES,
        stateful_step_count=25,
        suppress_health_check=list(HealthCheck),
        # shrinking on an engine takes longer than the time limit of the test, which would then hide the failure
        phases=[Phase.generate],
        print_blob=True,
    )
    run_state_machine_as_test(machine, settings=options)
