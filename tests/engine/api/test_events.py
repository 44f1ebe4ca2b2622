"""Events of a container's life, in Docker's order and form, and filters of events."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from plain_http import ask, json_lines, send_raw

STUBBORN = ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"]


def events(host: str, since: float, **filters: list[str]) -> list[dict[str, Any]]:
    """Return the events until now."""
    query = f"since={since:.9f}&until={time.time():.9f}&filters={quote(json.dumps(filters))}"
    status, data, _ = send_raw(host, "GET", f"/events?{query}")
    assert status == 200
    return json_lines(data)


@pytest.fixture
def life(practice_host: str, labels: dict[str, str]) -> tuple[float, list[str]]:
    """Run and remove a container. Give the time before it, and its label as a filter."""
    begin = time.time()
    body = {"Image": "busybox", "Cmd": STUBBORN, "Labels": labels}
    container = ask(practice_host, "POST", "/containers/create", body)[1]["Id"]
    for path in ("start", "kill?signal=USR2", "start", "stop?t=5"):
        ask(practice_host, "POST", f"/containers/{container}/{path}")
    assert ask(practice_host, "DELETE", f"/containers/{container}")[0] == 204
    return begin, [f"{name}={value}" for name, value in labels.items()]


def test_events_are_in_the_order_of_docker(practice_host: str, life: tuple[float, list[str]]) -> None:
    records = events(practice_host, life[0], label=life[1])
    actions = [event["Action"] for event in records]
    assert actions[:3] == ["create", "start", "kill"]
    assert actions[-1] == "destroy"
    assert "die" in actions
    for event in records:
        assert list(event) == ["status", "id", "from", "Type", "Action", "Actor", "scope", "time", "timeNano"]
        assert event["Actor"]["Attributes"]["image"] == "busybox"


def test_events_can_be_filtered(practice_host: str, life: tuple[float, list[str]]) -> None:
    records = events(practice_host, life[0], label=life[1], event=["die"])
    assert {event["Action"] for event in records} == {"die"}
    assert all(event["Actor"]["Attributes"]["exitCode"].isdigit() for event in records)
    assert events(practice_host, life[0], label=life[1], type=["network"]) == []


def test_wrong_parameters_are_refused(practice_host: str) -> None:
    assert ask(practice_host, "GET", "/events?since=9&until=4") == (
        400,
        {"message": "`since` time (9) cannot be after `until` time (4)"},
    )
    assert ask(practice_host, "GET", "/events?since=bogus")[0] == 500
    assert ask(practice_host, "GET", "/events?filters=bogus") == (400, {"message": "invalid filter"})


def test_unknown_filters_are_ignored(practice_host: str) -> None:
    assert ask(practice_host, "GET", f"/events?until=1&filters={quote(json.dumps({'bogus': ['x']}))}")[0] == 200
