"""What the engine remembers of a container's life, told as Docker tells it."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from plain_http import ask, connection

STUBBORN = ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"]


def events(host: str, since: float, **filters: list[str]) -> list[dict[str, Any]]:
    """Give the events up to now."""
    opened = connection(host)
    query = f"since={since:.9f}&until={time.time():.9f}&filters={quote(json.dumps(filters))}"
    opened.request("GET", f"/events?{query}")
    answer = opened.getresponse()
    assert answer.status == 200
    lines = answer.read().splitlines()
    opened.close()
    return [json.loads(line) for line in lines]


@pytest.fixture
def life(practice_host: str, labels: dict[str, str]) -> tuple[float, list[str]]:
    """Let a container live; give when it began, and its label as a filter."""
    began = time.time()
    body = {"Image": "busybox", "Cmd": STUBBORN, "Labels": labels}
    container = ask(practice_host, "POST", "/containers/create", body)[1]["Id"]
    for path in ("start", "kill?signal=USR2", "start", "stop?t=5"):
        ask(practice_host, "POST", f"/containers/{container}/{path}")
    assert ask(practice_host, "DELETE", f"/containers/{container}")[0] == 204
    return began, [f"{name}={value}" for name, value in labels.items()]


def test_a_life_is_told_in_dockers_order(practice_host: str, life: tuple[float, list[str]]) -> None:
    told = events(practice_host, life[0], label=life[1])
    actions = [event["Action"] for event in told]
    assert actions[:3] == ["create", "start", "kill"]
    assert actions[-1] == "destroy"
    assert "die" in actions
    for event in told:
        assert list(event) == ["status", "id", "from", "Type", "Action", "Actor", "scope", "time", "timeNano"]
        assert event["Actor"]["Attributes"]["image"] == "busybox"


def test_filters_choose(practice_host: str, life: tuple[float, list[str]]) -> None:
    died = events(practice_host, life[0], label=life[1], event=["die"])
    assert {event["Action"] for event in died} == {"die"}
    assert all(event["Actor"]["Attributes"]["exitCode"].isdigit() for event in died)
    assert events(practice_host, life[0], label=life[1], type=["network"]) == []


def test_wrong_questions_are_refused(practice_host: str) -> None:
    assert ask(practice_host, "GET", "/events?since=9&until=4") == (
        400,
        {"message": "`since` time (9) cannot be after `until` time (4)"},
    )
    assert ask(practice_host, "GET", "/events?since=bogus")[0] == 500
    assert ask(practice_host, "GET", "/events?filters=bogus") == (400, {"message": "invalid filter"})


def test_a_filter_that_is_none_asks_for_nothing(practice_host: str) -> None:
    assert ask(practice_host, "GET", f"/events?until=1&filters={quote(json.dumps({'bogus': ['x']}))}")[0] == 200
