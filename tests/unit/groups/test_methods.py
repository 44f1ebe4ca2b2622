"""Every operation has a method that agrees with its row: the same path and arguments, and a complete docstring."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

from dockerlab.lab.lab import GROUPS
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.render import HELPERS, WITHOUT_METHOD


def group_class(group: str) -> Any:
    return getattr(importlib.import_module(f"dockerlab.groups.{group}"), f"{group.title()}Group")


def method(operation: str) -> Any:
    group, name = HELPERS[operation].split(".")
    return getattr(group_class(group), name)


def test_every_operation_has_a_method_or_a_reason() -> None:
    assert {*HELPERS, *WITHOUT_METHOD} == {*OPERATIONS}
    assert all(len(reason) > 20 for reason in WITHOUT_METHOD.values())


@pytest.mark.parametrize("operation", HELPERS)
def test_a_method_agrees_with_its_row(operation: str) -> None:
    """The docstring's first line is the row's method and path, and the method takes every parameter of the row."""
    function, row = method(operation), OPERATIONS[operation]
    assert (function.__doc__ or "").splitlines()[0] == f"{row.method} {row.path}."
    parameters = inspect.signature(function).parameters
    expected = {parameter.argument for parameter in row.parameters}
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        expected = {parameter.argument for parameter in row.parameters if parameter.required}
        expected |= {parameter.argument for parameter in row.parameters if parameter.place in ("path", "header")} & set(
            parameters
        )
    assert expected <= set(parameters)
    if row.body in ("tar", "list"):
        assert "body" in parameters
    assert "timeout" in parameters


@pytest.mark.parametrize("operation", HELPERS)
def test_a_docstring_has_the_result_the_errors_and_the_source(operation: str) -> None:
    text = " ".join((method(operation).__doc__ or "").split())
    assert re.search(r"Returns|One row|returns|long table|as get|As attach|As ping", text), text
    assert "Raises" in text
    tag = {"ContainerExec": "Exec", "BuildPrune": "Image", "PutContainerArchive": "Container"}.get(operation, "")
    assert text.endswith(f", {operation}.")
    assert f"Source: Engine API, {tag}" in text


def test_every_public_method_has_a_row() -> None:
    methods = set(HELPERS.values())
    for group in GROUPS:
        for name in dir(group_class(group)):
            if not name.startswith("_"):
                assert f"{group}.{name}" in methods
