"""Container states in special cases: wrong signals, simultaneous starts, restart policies, waiting."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from plain_http import ask, send_raw

STUBBORN = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]


@pytest.fixture
def make(practice_host: str, labels: dict[str, str]) -> Any:
    """Give a function that creates and starts a container."""

    def make_container(command: list[str], start: bool = True, **host: Any) -> str:
        body = {"Image": "busybox", "Cmd": command, "Labels": labels, "HostConfig": host}
        status, container = ask(practice_host, "POST", "/containers/create", body)
        assert status == 201, container
        if start:
            assert ask(practice_host, "POST", f"/containers/{container['Id']}/start")[0] == 204
        return str(container["Id"])

    return make_container


def state(host: str, container: str) -> dict[str, Any]:
    """Return the State of a container."""
    return dict(ask(host, "GET", f"/containers/{container}/json")[1]["State"])


def test_a_wrong_signal_does_not_stop_a_container(practice_host: str, make: Any) -> None:
    container = make(STUBBORN)
    response = ask(practice_host, "POST", f"/containers/{container}/stop?signal=BOGUS")
    assert response == (400, {"message": f"cannot stop container: {container}: invalid signal: BOGUS"})
    assert state(practice_host, container)["Running"] is True


def test_a_paused_container_is_not_started(practice_host: str, make: Any) -> None:
    container = make(STUBBORN)
    assert ask(practice_host, "POST", f"/containers/{container}/pause")[0] == 204
    response = ask(practice_host, "POST", f"/containers/{container}/start")
    assert response == (409, {"message": "cannot start a paused container, try unpause instead"})
    assert state(practice_host, container)["Status"] == "paused"


def test_a_container_that_ignores_term_is_killed_after_t_seconds(practice_host: str, make: Any) -> None:
    container = make(STUBBORN)
    time.sleep(0.2)
    begin = time.monotonic()
    assert ask(practice_host, "POST", f"/containers/{container}/stop?t=1")[0] == 204
    assert 0.9 < time.monotonic() - begin < 5
    assert state(practice_host, container)["ExitCode"] == 137


def test_simultaneous_starts_start_once(practice_host: str, make: Any) -> None:
    container, statuses = make(STUBBORN, start=False), []

    def start() -> None:
        statuses.append(ask(practice_host, "POST", f"/containers/{container}/start")[0])

    threads = [threading.Thread(target=start) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(statuses) == [204, 304, 304, 304, 304]


def test_on_failure_gives_up_after_its_count(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "exit 3"], RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 2})
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and state(practice_host, container)["Status"] != "exited":
        time.sleep(0.05)
    details = ask(practice_host, "GET", f"/containers/{container}/json")[1]
    assert (details["State"]["Status"], details["State"]["ExitCode"], details["RestartCount"]) == ("exited", 3, 2)


def test_a_stop_ends_restarting(practice_host: str, make: Any) -> None:
    container = make(["false"], RestartPolicy={"Name": "always"})
    time.sleep(0.5)
    assert ask(practice_host, "POST", f"/containers/{container}/stop?t=1")[0] in (204, 304)
    time.sleep(1)
    assert state(practice_host, container)["Status"] == "exited"


def test_waiting_for_the_removal_of_a_container_with_auto_remove(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "sleep 0.3; exit 4"], AutoRemove=True)
    body = send_raw(practice_host, "POST", f"/containers/{container}/wait?condition=removed")[1]
    assert b'"StatusCode":4' in body
    assert ask(practice_host, "GET", f"/containers/{container}/json")[0] == 404
