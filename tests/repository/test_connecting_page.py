"""docs/connecting.md has the ways, the sockets and the error messages of the code."""

from __future__ import annotations

import ast
import functools
import re

import pytest
from repository import PACKAGE, ROOT, modules

from dockerlab.endpoint import known_sockets
from dockerlab.endpoint.endpoint import ways

PAGE = (ROOT / "docs/connecting.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    lines = PAGE.partition(heading)[2].splitlines()
    table = [line.strip("|").split("|") for line in lines[: _end(lines)] if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in table[2:]]


def _end(lines: list[str]) -> int:
    return next((number for number, line in enumerate(lines) if line.startswith("## ")), len(lines))


@functools.cache  # for all messages, because it reads every module
def sentences() -> str:
    """Return every text in the client's modules, with each f-string in parts."""
    client = [path for path in modules() if not path.is_relative_to(PACKAGE / "engine")]
    trees = [ast.parse(path.read_text("utf-8")) for path in client]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


MESSAGES = [phrase for row in rows("## When it fails") for phrase in re.findall(r"`([^`]+)`", row[0])]


def test_the_table_of_failures_is_long() -> None:
    assert len(MESSAGES) > 25


@pytest.mark.parametrize("phrase", MESSAGES)
def test_a_documented_message_is_in_the_code(phrase: str) -> None:
    assert phrase in sentences()


def test_the_ways_are_in_their_order() -> None:
    order = list(dict.fromkeys(way.name for way in ways(None, {})))
    names = ["the caller", *(cells[1].strip("`") for cells in rows("# Connecting to an engine")[1:])]
    code_names = {
        "docker context use": "current context",
        "a usual socket": "usual socket",
        "the practice engine": "practice",
    }
    assert [code_names.get(name, name) for name in names] == order


def test_every_usual_socket_is_named() -> None:
    for _, engine in known_sockets.candidates({"HOME": "/h", "XDG_RUNTIME_DIR": "/r"}):
        assert engine in PAGE
    for path in (known_sockets.USUAL_SOCKET, known_sockets.PODMAN_SOCKET):
        assert f"`{path}`" in PAGE


def test_no_line_is_wider_than_a_screen() -> None:
    assert [line for line in PAGE.splitlines() if len(line) > 140 and not line.startswith("|")] == []
