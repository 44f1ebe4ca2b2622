"""The endpoint table agrees with the facts of the API in tests/spec."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dockerlab.protocol.operations import OPERATIONS, find, snake_case, version_number

SPEC = Path(__file__).parents[2] / "spec"
OLD: dict[str, Any] = json.loads((SPEC / "v1.41.json").read_text("utf-8"))["operations"]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_operations", SPEC / "generate_operations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NEW: dict[str, Any] = generator().FACTS["operations"]
#: The names of headers that the facts leave out, by operation.
EXTRA_HEADERS: dict[str, set[str]] = {
    name: {header.partition(":")[0] for header in headers} for name, headers in generator().HEADERS.items()
}


def test_the_rows_are_up_to_date() -> None:
    """`python tests/spec/generate_operations.py` would change nothing."""
    assert generator().main(["--check"]) == 0


def test_there_is_a_row_for_every_operation() -> None:
    assert list(OPERATIONS) == list(NEW)


@pytest.mark.parametrize("name", NEW)
def test_a_row_agrees_with_the_facts(name: str) -> None:
    row, facts = OPERATIONS[name], NEW[name]
    assert (row.method, row.path) == (facts["method"], facts["path"])
    parameters = {(item.name, item.place) for item in row.parameters if item.place != "body"}
    assert parameters - {(header, "header") for header in EXTRA_HEADERS.get(name, ())} == {
        (item["name"], item["in"]) for item in facts.get("params", [])
    }
    required = {item.name for item in row.parameters if item.required and item.place != "body"}
    assert required == {
        item["name"] for item in facts.get("params", []) if item.get("required") or item["in"] == "path"
    }
    assert bool(row.body) == ("body" in facts)
    assert row.body_required == facts.get("body", {}).get("required", False)


@pytest.mark.parametrize("name", NEW)
def test_rows_and_parameters_newer_than_1_41_say_so(name: str) -> None:
    if name not in OLD:
        assert version_number(OPERATIONS[name].since) > (1, 41)
        return
    old = {item["name"] for item in OLD[name].get("params", [])} | EXTRA_HEADERS.get(name, set())
    for parameter in OPERATIONS[name].parameters:
        if parameter.place in ("query", "header"):
            is_newer = version_number(parameter.since) > (1, 41)
            assert is_newer == (parameter.name not in old), parameter.name


def test_argument_names_are_unique_per_operation() -> None:
    for row in OPERATIONS.values():
        assert len(row.by_argument) == len(row.parameters), row.id


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/v1.41/containers/web/json", "ContainerInspect"),
        ("GET", "/containers/json?all=1", "ContainerList"),
        ("get", "/images/registry:5000/a/b:c/json", "ImageInspect"),
        ("HEAD", "/_ping", "SystemPingHead"),
        ("DELETE", "/containers/web", "ContainerDelete"),
    ],
)
def test_a_request_finds_its_row(method: str, path: str, name: str) -> None:
    row = find(method, path)
    assert row is not None
    assert row.id == name


def test_an_unknown_path_has_no_row() -> None:
    assert find("GET", "/nowhere") is None
    assert find("PATCH", "/containers/json") is None


@pytest.mark.parametrize(
    ("name", "argument"),
    [("OpenStdin", "open_stdin"), ("one-shot", "one_shot"), ("fromImage", "from_image"), ("ps_args", "ps_args")],
)
def test_arguments_are_in_snake_case(name: str, argument: str) -> None:
    assert snake_case(name) == argument
