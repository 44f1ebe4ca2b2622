"""The practice engine answers like Docker, whose responses to a conversation are recorded: 28.5 with API 1.51, 20.10.

Statuses and headers are compared, and the names, order, types and nulls of all fields; with Docker 28.5 also every
message. The tables below list intended differences with their reasons. Docker 20.10 was recorded with API 1.41.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from conversation import RECORDINGS, hold
from engines import temporary_engine

NEWER = "newer engines return this status; 20.10 returned 500"
#: The end of a step's name -> the status of the practice engine, and why Docker 20.10 returned another one.
STATUSES_SINCE_20 = {
    "create with a command that is a number": (400, NEWER),
    "create with a TTY that is a number": (400, NEWER),
    "exited%22%3A%20%5B%22bogus%22%5D%7D": (400, NEWER),
    "before%22%3A%20%5B%22no-such-container%22%5D%7D": (404, NEWER),
    "filters=bogus": (400, NEWER),
}
#: Paths in responses, as regular expressions, whose shape differs, and why.
DIFFERENT_PATHS = {
    r"GET /version\.Components": "the practice engine has one component",
    r"GET /info\.(DriverStatus|CDISpecDirs|Plugins\.\w+|Runtimes|RegistryConfig.*)": "features that only Docker has",
    r"GET /info\.(KernelMemoryTCP|FirewallBackend|Containerd)": "features of Docker, left out if they are off",
    r"GET /info\.SecurityOptions": "the practice engine names its isolation, too",
    r"GET /info\.Warnings": "the practice engine warns that it is not a sandbox",
    r"GET /images/.*(RepoTags|\[0\]\.Tags)": "the one image has two names: busybox and alpine",
    r".*\.GraphDriver\.Data": "another storage driver",
    r"create rich\.Warnings": "the practice engine warns about options that it only stores",
    r".*\.HostConfig\.MaskedPaths": "28.5 hides more than 20.10; its values are compared below",
    r".*\.HostConfig\.Runtime": "20.10 fills it in at the first start",
}
#: Docker's responses to these have none of the engine's headers.
WITHOUT_HEADERS = "GET /no/such/path", "a method that is not served"


def hold_with_new_engine(api: str) -> Any:
    """Hold the conversation with a new engine, because the recorded one was new, too."""
    with temporary_engine() as host:
        return hold(host, "talk", api)


@dataclass(frozen=True)
class Conversation:
    """Docker's recorded responses and those of the practice engine."""

    docker: str
    theirs: dict[str, dict[str, Any]]
    ours: dict[str, dict[str, Any]]


def without_ids(text: str) -> str:
    """Replace ids, which always differ."""
    return re.sub(r"\b[0-9a-f]{64}\b", "ID", text)


def entry_for(table: dict[str, Any], name: str) -> Any:
    """Return the entry of a table whose key is the end of a step's name."""
    return next((value for end, value in table.items() if name.endswith(end)), None)


def differences(theirs: Any, ours: Any, path: str) -> list[str]:
    """Return the differences between the shapes of two responses."""
    if any(re.fullmatch(pattern, path) for pattern in DIFFERENT_PATHS):
        return []
    if isinstance(theirs, bool) != isinstance(ours, bool) or type(theirs) is not type(ours):
        return [f"{path}: Docker has {theirs!r:.60}, the practice engine {ours!r:.60}"]
    if isinstance(theirs, dict):
        their_names = [name for name in theirs if not is_different_path(f"{path}.{name}")]
        our_names = [name for name in ours if not is_different_path(f"{path}.{name}")]
        lines = (
            [] if their_names == our_names else [f"{path}: Docker has {their_names}, the practice engine {our_names}"]
        )
        return lines + [
            difference
            for name in their_names
            if name in ours
            for difference in differences(theirs[name], ours[name], f"{path}.{name}")
        ]
    if isinstance(theirs, list):
        lines = (
            [] if len(theirs) == len(ours) else [f"{path}: Docker has {len(theirs)}, the practice engine {len(ours)}"]
        )
        pairs = zip(theirs, ours, strict=False)
        return lines + [
            difference for index, pair in enumerate(pairs) for difference in differences(*pair, f"{path}[{index}]")
        ]
    if path.endswith(".message"):
        same = without_ids(theirs) == without_ids(ours)
        return [] if same else [f"{path}: Docker says {theirs!r}, the practice engine {ours!r}"]
    return []


def is_different_path(path: str) -> bool:
    """Return whether a path is in the table of differences."""
    return any(re.fullmatch(pattern, path) for pattern in DIFFERENT_PATHS)


@pytest.fixture(scope="module", params=[("20.10", "1.41"), ("28.5", "1.51")], ids=lambda pair: pair[0])
def conversation(request: pytest.FixtureRequest) -> Conversation:
    """Read Docker's responses, and hold the same conversation with the practice engine in the same API version."""
    docker, api = request.param
    [path] = RECORDINGS.glob(f"docker-{docker}.*.json")
    theirs, ours = json.loads(path.read_text("utf-8")), hold_with_new_engine(api)
    if docker == "20.10":  # the practice engine has the order of fields of 28.5
        theirs, ours = (json.loads(json.dumps(answers, sort_keys=True)) for answers in (theirs, ours))
        theirs, ours = ({name: answers[name] for name in sorted(answers)} for answers in (theirs, ours))
    return Conversation(docker, theirs, ours)


def test_the_conversation_is_complete(conversation: Conversation) -> None:
    assert list(conversation.ours) == list(conversation.theirs)
    assert len(conversation.ours) > 100


def test_statuses_are_those_of_docker(conversation: Conversation) -> None:
    exceptions = STATUSES_SINCE_20 if conversation.docker == "20.10" else {}
    expected = {
        name: (entry_for(exceptions, name) or (answer["status"],))[0] for name, answer in conversation.theirs.items()
    }
    assert {name: answer["status"] for name, answer in conversation.ours.items()} == expected


def test_headers_are_those_of_docker(conversation: Conversation) -> None:
    lines = []
    for name, answer in conversation.theirs.items():
        theirs, ours = answer["headers"], dict(conversation.ours[name]["headers"])
        if name.endswith(WITHOUT_HEADERS):
            continue
        if "Api-Version" in theirs:
            theirs = {**theirs, "Api-Version": ours["Api-Version"]}
        # Docker sends a long body in chunks, and the length of the body depends on the length of paths in it.
        if {**theirs, "Transfer-Encoding": ""} != {**ours, "Transfer-Encoding": ""}:
            lines.append(f"{name}: {theirs} {ours}")
    assert lines == []


def test_responses_have_the_fields_of_docker_in_its_order(conversation: Conversation) -> None:
    lines = [
        line
        for name, answer in conversation.theirs.items()
        for line in differences(answer["answer"], conversation.ours[name]["answer"], name.partition(" ")[2])
        # Messages have changed since 20.10, and the practice engine has those of 28.5.
        if conversation.docker != "20.10" or ".message: " not in line
    ]
    assert lines == [], "\n".join(lines)


VOLATILE = re.compile(
    r".*\.(Id|ImageID|Image|Created|Pid|StartedAt|FinishedAt|\w+Path|Hostname|Driver|Name|Size\w*|Status|Runtime|"
    r"CgroupnsMode|NetworkID|EndpointID|Gateway|IPAddress|IPPrefixLen|MacAddress|SandboxID|SandboxKey)"
)


#: Parts of lines about values that have changed since Docker 20.10.
CHANGED = ("RestartPolicy.Name: '' 'no'", "NetworkMode: 'default' 'bridge'", "HostConfig.MaskedPaths", "State.Error")


def test_values_of_inspect_are_those_of_docker(conversation: Conversation) -> None:
    wrong = []
    for name, answer in conversation.theirs.items():
        if not re.search(r"GET /containers/NAME-\w+/json", name):
            continue
        for key in ("State", "HostConfig", "Config", "Args", "Path", "RestartCount", "Mounts"):
            wrong += values(answer["answer"][key], conversation.ours[name]["answer"][key], f"{name}.{key}")
    since = CHANGED if conversation.docker == "20.10" else ()
    assert [line for line in wrong if not any(words in line for words in since)] == []


def values(theirs: Any, ours: Any, path: str) -> list[str]:
    """Return the different values of two responses, except for those that differ between any two containers."""
    if VOLATILE.fullmatch(path) and not isinstance(theirs, dict) and "RestartPolicy" not in path:
        return []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [line for name in theirs if name in ours for line in values(theirs[name], ours[name], f"{path}.{name}")]
    return [] if theirs == ours else [f"{path}: {theirs!r} {ours!r}"]
