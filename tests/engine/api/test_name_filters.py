"""The filters whose values are patterns. Docker 28.5 answers the same, as far as its limits are the same."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from plain_http import ask, send_raw

KINDS = ("containers", "volumes", "networks")
Names = Callable[..., list[str]]


@pytest.fixture(params=KINDS)
def names(request: pytest.FixtureRequest, practice_host: str, labels: dict[str, str]) -> Iterator[Names]:
    """Give a function that returns the letters of the objects, one for each letter, that match a filter of names."""
    kind, start = request.param, f"n{uuid.uuid4().hex[:10]}"
    created = {f"{start}-{end}": end for end in ("aXb", "a.c", "a" * 60 + "B")}
    for name in created:
        document = {"Image": "busybox", "Labels": labels} if kind == "containers" else {"Name": name, "Labels": labels}
        assert ask(practice_host, "POST", f"/{kind}/create?name={name}", document)[0] == 201

    def matches(*patterns: str) -> list[str]:
        filters = json.dumps({"name": [pattern.replace("@", start) for pattern in patterns]})
        path = "/containers/json?all=1&" if kind == "containers" else f"/{kind}?"
        status, document = ask(practice_host, "GET", f"{path}filters={quote(filters)}")
        assert status == 200, document
        records: list[dict[str, Any]] = document["Volumes"] if kind == "volumes" else document
        matching = [record["Names"][0].strip("/") if kind == "containers" else record["Name"] for record in records]
        return sorted(created[name] for name in matching if name in created)

    yield matches
    for name in created if kind != "containers" else ():
        assert ask(practice_host, "DELETE", f"/{kind}/{name}")[0] == 204


def test_a_name_is_a_pattern(names: Names) -> None:
    assert names("@") == names("@-a.") == names("") == ["a.c", "aXb", "a" * 60 + "B"]
    assert names(r"@-a\.c") == ["a.c"]
    assert names("@-(?i)AXB$") == ["aXb"]
    assert names("^@-a.b$", r"@-[[:lower:]]\Q.\E") == ["a.c", "aXb"]
    assert names("@-x") == []


@pytest.mark.parametrize("pattern", ["@(", "@-[a", "(?=@)", "@-a{1001}", "*"])
def test_an_invalid_pattern_matches_nothing(names: Names, pattern: str) -> None:
    assert names(pattern) == []
    assert names(pattern, "@-aXb") == ["aXb"]


@pytest.mark.parametrize("pattern", ["@-(a+)+$", "@-(a|a)*$", "@-(a*)*c", "(.*)*@(a?){60}a{60}$"])
def test_a_pattern_that_takes_exponential_time_with_backtracking(names: Names, pattern: str) -> None:
    assert names(pattern) == []


def test_the_id_of_a_network_is_a_pattern(practice_host: str) -> None:
    bridge = ask(practice_host, "GET", "/networks/bridge")[1]["Id"]
    filters = quote(json.dumps({"id": [f"^{bridge[:5]}.*{bridge[-5:]}$"]}))
    assert [network["Name"] for network in ask(practice_host, "GET", f"/networks?filters={filters}")[1]] == ["bridge"]


@pytest.mark.parametrize(
    ("pattern", "attributes"), [("^dockerlab", True), ("(?i)DOCKER", True), (r"^(o|o)*\z", False), ("x", False)]
)
def test_labels_of_log_records_are_chosen_by_a_pattern(
    practice_host: str, labels: dict[str, str], pattern: str, attributes: bool
) -> None:
    log = {"Type": "json-file", "Config": {"labels-regex": pattern}}
    document = {"Image": "busybox", "Cmd": ["echo", "x"], "Labels": labels, "HostConfig": {"LogConfig": log}}
    container = ask(practice_host, "POST", "/containers/create", document)[1]["Id"]
    assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
    assert ask(practice_host, "POST", f"/containers/{container}/wait")[1]["StatusCode"] == 0
    _, lines, _ = send_raw(practice_host, "GET", f"/containers/{container}/logs?stdout=1&details=1")
    assert (b"dockerlab.test=" in lines) is attributes


def test_an_invalid_pattern_for_log_records(practice_host: str, labels: dict[str, str]) -> None:
    log = {"Type": "json-file", "Config": {"env-regex": "(a"}}
    document = {"Image": "busybox", "Cmd": ["true"], "Labels": labels, "HostConfig": {"LogConfig": log}}
    container = ask(practice_host, "POST", "/containers/create", document)[1]["Id"]
    status, response = ask(practice_host, "POST", f"/containers/{container}/start")
    assert status == 500
    assert response["message"].endswith("logging driver: error parsing regexp: missing closing ): `(a`")
