"""The state machine of a container where the lessons don't go: wrong signals, two at once, policies, waiting."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from plain_http import ask, connection

STAYING = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]


@pytest.fixture
def make(practice_host: str, labels: dict[str, str]) -> Any:
    """Give a function that creates and starts a container."""

    def made(command: list[str], start: bool = True, **host: Any) -> str:
        body = {"Image": "busybox", "Cmd": command, "Labels": labels, "HostConfig": host}
        status, told = ask(practice_host, "POST", "/containers/create", body)
        assert status == 201, told
        if start:
            assert ask(practice_host, "POST", f"/containers/{told['Id']}/start")[0] == 204
        return str(told["Id"])

    return made


def state(host: str, container: str) -> dict[str, Any]:
    """Give a container's State."""
    return dict(ask(host, "GET", f"/containers/{container}/json")[1]["State"])


def test_a_wrong_signal_stops_nothing(practice_host: str, make: Any) -> None:
    container = make(STAYING)
    told = ask(practice_host, "POST", f"/containers/{container}/stop?signal=BOGUS")
    assert told == (400, {"message": f"cannot stop container: {container}: invalid signal: BOGUS"})
    assert state(practice_host, container)["Running"] is True


def test_what_ignores_term_is_killed_after_t_seconds(practice_host: str, make: Any) -> None:
    container = make(STAYING)
    time.sleep(0.2)
    began = time.monotonic()
    assert ask(practice_host, "POST", f"/containers/{container}/stop?t=1")[0] == 204
    assert 0.9 < time.monotonic() - began < 5
    assert state(practice_host, container)["ExitCode"] == 137


def test_two_starts_at_once_start_one(practice_host: str, make: Any) -> None:
    container, seen = make(STAYING, start=False), []

    def start() -> None:
        seen.append(ask(practice_host, "POST", f"/containers/{container}/start")[0])

    threads = [threading.Thread(target=start) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(seen) == [204, 304, 304, 304, 304]


def test_on_failure_gives_up_after_its_count(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "exit 3"], RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 2})
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and state(practice_host, container)["Status"] != "exited":
        time.sleep(0.05)
    told = ask(practice_host, "GET", f"/containers/{container}/json")[1]
    assert (told["State"]["Status"], told["State"]["ExitCode"], told["RestartCount"]) == ("exited", 3, 2)


def test_a_stop_ends_the_restarting_for_good(practice_host: str, make: Any) -> None:
    container = make(["false"], RestartPolicy={"Name": "always"})
    time.sleep(0.5)
    assert ask(practice_host, "POST", f"/containers/{container}/stop?t=1")[0] in (204, 304)
    time.sleep(1)
    assert state(practice_host, container)["Status"] == "exited"


def test_one_that_removes_itself_is_gone_and_its_waiter_hears_it(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "sleep 0.3; exit 4"], AutoRemove=True)
    opened = connection(practice_host)
    opened.request("POST", f"/containers/{container}/wait?condition=removed")
    assert b'"StatusCode":4' in opened.getresponse().read()
    opened.close()
    assert ask(practice_host, "GET", f"/containers/{container}/json")[0] == 404
