"""The practice engine answers as Docker did when the same conversation was recorded: 28.5 in API 1.51, 20.10 in 1.41.

Compared are statuses, headers, and of every answer the field names, their order, types and nulls; with Docker 28.5 also
every message. What differs on purpose stands in the tables below, with the reason.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from conversation import RECORDINGS, hold
from engines import temporary_engine

NEWER = "the status, as later engines give it; 20.10 said 500"
#: A step (the end of its name) -> the status that the practice engine gives, and why it isn't what Docker 20.10 gave.
STATUSES_THEN = {
    "create with a command that is a number": (400, NEWER),
    "create with a TTY that is a number": (400, NEWER),
    "exited%22%3A%20%5B%22bogus%22%5D%7D": (400, NEWER),
    "before%22%3A%20%5B%22no-such-container%22%5D%7D": (404, NEWER),
    "filters=bogus": (400, NEWER),
}
#: Places in answers, as regular expressions, whose shape differs, and why.
PLACES = {
    r"GET /version\.Components": "the practice engine has one component",
    r"GET /info\.(DriverStatus|CDISpecDirs|Plugins\.\w+|Runtimes|RegistryConfig.*)": "what Docker has and ours hasn't",
    r"GET /info\.(KernelMemoryTCP|FirewallBackend|Containerd)": "the same; Docker leaves it out where it isn't",
    r"GET /info\.Warnings": "the practice engine warns that it is no sandbox",
    r"GET /images/.*(RepoTags|\[0\]\.Tags)": "the one image has two names: busybox and alpine",
    r".*\.GraphDriver\.Data": "another storage driver",
    r"create rich\.Warnings": "the practice engine warns of what it keeps and does not act on",
    r".*\.HostConfig\.MaskedPaths": "28.5 hides more than 20.10; its values are compared below",
    r".*\.HostConfig\.Runtime": "20.10 fills it in at the first start",
}
HEADERS = "GET /no/such/path", "a method that is not served"  # Docker's page not found has no engine headers


def hold_alone(api: str) -> Any:
    """Hold the conversation with an engine that has seen nothing else, as the recorded one hadn't."""
    with temporary_engine() as host:
        return hold(host, "talk", api)


@dataclass(frozen=True)
class Talk:
    """A conversation, as it was recorded and as it was held."""

    docker: str
    recorded: dict[str, dict[str, Any]]
    held: dict[str, dict[str, Any]]


def without_ids(text: str) -> str:
    """Hide ids, which differ by nature."""
    return re.sub(r"\b[0-9a-f]{64}\b", "ID", text)


def known(table: dict[str, Any], name: str) -> Any:
    """Give the entry of a table whose key a step's name ends with."""
    return next((value for end, value in table.items() if name.endswith(end)), None)


def differences(theirs: Any, ours: Any, place: str) -> list[str]:
    """List where two answers are not of one shape."""
    if any(re.fullmatch(pattern, place) for pattern in PLACES):
        return []
    if isinstance(theirs, bool) != isinstance(ours, bool) or type(theirs) is not type(ours):
        return [f"{place}: Docker has {theirs!r:.60}, the practice engine {ours!r:.60}"]
    if isinstance(theirs, dict):
        names = [name for name in theirs if not known_place(f"{place}.{name}")]
        mine = [name for name in ours if not known_place(f"{place}.{name}")]
        found = [] if names == mine else [f"{place}: Docker has {names}, the practice engine {mine}"]
        return found + [
            line for name in names if name in ours for line in differences(theirs[name], ours[name], f"{place}.{name}")
        ]
    if isinstance(theirs, list):
        found = (
            [] if len(theirs) == len(ours) else [f"{place}: Docker has {len(theirs)}, the practice engine {len(ours)}"]
        )
        pairs = zip(theirs, ours, strict=False)
        return found + [line for at, pair in enumerate(pairs) for line in differences(*pair, f"{place}[{at}]")]
    if place.endswith(".message"):
        same = without_ids(theirs) == without_ids(ours)
        return [] if same else [f"{place}: Docker says {theirs!r}, the practice engine {ours!r}"]
    return []


def known_place(place: str) -> bool:
    """Tell whether a place is in the table."""
    return any(re.fullmatch(pattern, place) for pattern in PLACES)


@pytest.fixture(scope="module", params=[("20.10", "1.41"), ("28.5", "1.51")], ids=lambda pair: pair[0])
def talk(request: pytest.FixtureRequest) -> Talk:
    """Read what a Docker said, and hold the same conversation with the practice engine in the same API version."""
    docker, api = request.param
    [path] = RECORDINGS.glob(f"docker-{docker}.*.json")
    recorded, held = json.loads(path.read_text("utf-8")), hold_alone(api)
    if docker == "20.10":  # the order of fields has changed since, and the practice engine has that of 28.5
        recorded, held = (json.loads(json.dumps(answers, sort_keys=True)) for answers in (recorded, held))
        recorded, held = ({name: answers[name] for name in sorted(answers)} for answers in (recorded, held))
    return Talk(docker, recorded, held)


def test_the_whole_conversation_was_held(talk: Talk) -> None:
    assert list(talk.held) == list(talk.recorded)
    assert len(talk.held) > 100


def test_statuses_are_dockers(talk: Talk) -> None:
    later = STATUSES_THEN if talk.docker == "20.10" else {}
    wanted = {name: (known(later, name) or (answer["status"],))[0] for name, answer in talk.recorded.items()}
    assert {name: answer["status"] for name, answer in talk.held.items()} == wanted


def test_headers_are_dockers(talk: Talk) -> None:
    wrong = []
    for name, answer in talk.recorded.items():
        theirs, ours = answer["headers"], dict(talk.held[name]["headers"])
        if name.endswith(HEADERS):
            continue
        if "Api-Version" in theirs:
            theirs = {**theirs, "Api-Version": ours["Api-Version"]}
        # Docker sends chunks when the body is long, which goes by the length of its paths
        if {**theirs, "Transfer-Encoding": ""} != {**ours, "Transfer-Encoding": ""}:
            wrong.append(f"{name}: {theirs} {ours}")
    assert wrong == []


def test_answers_have_dockers_fields_in_dockers_order(talk: Talk) -> None:
    wrong = [
        line
        for name, answer in talk.recorded.items()
        for line in differences(answer["answer"], talk.held[name]["answer"], name.partition(" ")[2])
        # the words have changed since 20.10, and the practice engine has those of 28.5
        if talk.docker != "20.10" or ".message: " not in line
    ]
    assert wrong == [], "\n".join(wrong)


VOLATILE = re.compile(
    r".*\.(Id|ImageID|Image|Created|Pid|StartedAt|FinishedAt|\w+Path|Hostname|Driver|Name|Size\w*|Status|Runtime|"
    r"CgroupnsMode|NetworkID|EndpointID|Gateway|IPAddress|IPPrefixLen|MacAddress|SandboxID|SandboxKey)"
)


#: Ends of lines about values that have changed since Docker 20.10.
CHANGED = ("RestartPolicy.Name: '' 'no'", "NetworkMode: 'default' 'bridge'", "HostConfig.MaskedPaths", "State.Error")


def test_inspect_says_what_docker_says(talk: Talk) -> None:
    wrong = []
    for name, answer in talk.recorded.items():
        if not re.search(r"GET /containers/NAME-\w+/json", name):
            continue
        for key in ("State", "HostConfig", "Config", "Args", "Path", "RestartCount", "Mounts"):
            wrong += values(answer["answer"][key], talk.held[name]["answer"][key], f"{name}.{key}")
    since = CHANGED if talk.docker == "20.10" else ()
    assert [line for line in wrong if not any(words in line for words in since)] == []


def values(theirs: Any, ours: Any, place: str) -> list[str]:
    """List where two answers say something else, but for what differs from container to container."""
    if VOLATILE.fullmatch(place) and not isinstance(theirs, dict) and "RestartPolicy" not in place:
        return []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [line for name in theirs if name in ours for line in values(theirs[name], ours[name], f"{place}.{name}")]
    return [] if theirs == ours else [f"{place}: {theirs!r} {ours!r}"]
