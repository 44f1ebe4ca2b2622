"""Every operation has a method that is its row: the same path, the same arguments, one request, all of it said."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

from dockerlab.lab.lab import GROUPS
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.render import HELPERS, WITHOUT_METHOD


def kind(group: str) -> Any:
    return getattr(importlib.import_module(f"dockerlab.groups.{group}"), f"{group.title()}Group")


def method(operation: str) -> Any:
    group, name = HELPERS[operation].split(".")
    return getattr(kind(group), name)


def test_every_operation_has_a_method_or_a_reason() -> None:
    assert {*HELPERS, *WITHOUT_METHOD} == {*OPERATIONS}
    assert all(len(reason) > 20 for reason in WITHOUT_METHOD.values())


@pytest.mark.parametrize("operation", HELPERS)
def test_a_method_is_its_row(operation: str) -> None:
    """Its first line is the row's method and path, and it takes every parameter of the row."""
    found, row = method(operation), OPERATIONS[operation]
    assert (found.__doc__ or "").splitlines()[0] == f"{row.method} {row.path}."
    taken = inspect.signature(found).parameters
    named = {one.argument for one in row.parameters}
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()):
        named = {one.argument for one in row.parameters if one.required}
        named |= {one.argument for one in row.parameters if one.place in ("path", "header")} & set(taken)
    assert named <= set(taken)
    if row.body in ("tar", "list"):
        assert "body" in taken
    assert "timeout" in taken


@pytest.mark.parametrize("operation", HELPERS)
def test_a_method_says_what_comes_back_what_goes_wrong_and_where_it_is_from(operation: str) -> None:
    text = " ".join((method(operation).__doc__ or "").split())
    assert re.search(r"Returns|One row|returns|long table|as get|As attach|As ping", text), text
    assert "Raises" in text
    tag = {"ContainerExec": "Exec", "BuildPrune": "Image", "PutContainerArchive": "Container"}.get(operation, "")
    assert text.endswith(f", {operation}.")
    assert f"Source: Engine API, {tag}" in text


def test_every_public_method_has_a_row() -> None:
    known = set(HELPERS.values())
    for group in GROUPS:
        for name in dir(kind(group)):
            if not name.startswith("_"):
                assert f"{group}.{name}" in known
