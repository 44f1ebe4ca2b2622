"""Misspelt names and wrong types in a body are found before it is sent, at any depth."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.schemas import FIELDS, fields, problem

SPEC = Path(__file__).parents[2] / "spec"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_rows_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate_schemas", SPEC / "generate_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0


def test_every_field_of_every_body_has_its_type() -> None:
    for operation in OPERATIONS.values():
        if operation.body == "json":
            names = {item.name for item in operation.parameters if item.place == "body"}
            assert names <= set(fields(operation.id)), operation.id


def test_every_type_that_is_named_exists() -> None:
    for name in FIELDS:
        for kind in fields(name).values():
            plain = kind.strip("[]{}")
            assert plain in {"str", "int", "num", "bool", "any"} or plain in FIELDS, (name, kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("HostConfig", {"RestartPolicy": {"Name": "always"}, "Binds": None}),
        ("HostConfig", {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}, "Memory": np.int64(5)}),
        ("TaskSpec", {"ContainerSpec": {"Image": "busybox", "Mounts": [{"Type": "bind", "Source": "/a"}]}}),
        ("IPAM", {"Config": [{"Subnet": "10.0.0.0/24"}], "Options": {}}),
        ("HealthConfig", {"Test": ("CMD", "true"), "Interval": 10}),
        ("HostConfig", {"Init": np.bool_(True)}),
    ],
)
def test_correct_values_pass(kind: str, value: Any) -> None:
    assert problem(kind, value, "x") == ""


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("HostConfig", {"RestartPolcy": {}}, "`x` has no field 'RestartPolcy'. Did you mean `RestartPolicy`?"),
        ("HostConfig", {"restart_policy": {}}, "`x` has no field 'restart_policy'. Did you mean `RestartPolicy`?"),
        ("RestartPolicy", {"zzz": 1}, "`x` has no field 'zzz'. It has: Name, MaximumRetryCount."),
        ("HostConfig", {"Memory": "1g"}, "`x.Memory` is a whole number, not '1g'."),
        ("HostConfig", {"Memory": True}, "`x.Memory` is a whole number, not True."),
        ("HostConfig", {"Init": 1}, "`x.Init` is True or False, not 1."),
        ("HostConfig", {"Binds": "/a:/b"}, "`x.Binds` is a list, not '/a:/b'."),
        ("HostConfig", {"Mounts": [{"Typ": "bind"}]}, "`x.Mounts[0]` has no field 'Typ'. Did you mean `Type`?"),
        ("HostConfig", {"Sysctls": {"a": 1}}, "`x.Sysctls['a']` is a text, not 1."),
        ("HostConfig", [], "`x` is a dict, not []."),
        ("{str}", [], "`x` is a dict, not []."),
    ],
)
def test_the_message_says_where_the_wrong_value_is(kind: str, value: Any, message: str) -> None:
    assert problem(kind, value, "x") == message


@given(st.sampled_from(sorted(FIELDS)), ANYTHING)
def test_any_value_can_be_checked(kind: str, value: Any) -> None:
    message = problem(kind, value, "x")
    assert isinstance(message, str)
    json.dumps(message)
