"""Which capabilities a container has, as Docker decides, and what Docker refuses."""

from __future__ import annotations

from typing import Any

import pytest

from dockerlab.engine.faults import BadParameter
from dockerlab.engine.processes import capabilities
from dockerlab.engine.processes.capabilities import NAMES
from dockerlab.engine.processes.syscalls import CAPABILITIES

DEFAULTS = {NAMES[number] for number in CAPABILITIES}


@pytest.fixture(autouse=True)
def with_all_but_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine have every capability but one."""
    monkeypatch.setattr(capabilities, "_is_available", lambda number: NAMES[number] != "SYS_RESOURCE")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({}, DEFAULTS),
        ({"CapAdd": ["sys_time", "CAP_SYSLOG"]}, DEFAULTS | {"SYS_TIME", "SYSLOG"}),
        ({"CapDrop": ["CHOWN"], "CapAdd": ["CHOWN"]}, DEFAULTS),
        ({"CapDrop": ["ALL"], "CapAdd": ["KILL"]}, {"KILL"}),
        ({"CapAdd": ["ALL"], "CapDrop": ["SYS_ADMIN"]}, {*NAMES} - {"SYS_ADMIN"}),
        ({"CapAdd": ["all"], "CapDrop": ["all"]}, {*NAMES}),
        ({"Privileged": True, "CapDrop": ["ALL"]}, {*NAMES}),
    ],
)
def test_names_add_up_as_in_docker(host: dict[str, Any], expected: set[str]) -> None:
    assert capabilities.names(host) == {f"CAP_{name}" for name in expected}


def test_without_a_device_filter_mknod_has_to_be_requested() -> None:
    mknod = NAMES.index("MKNOD")
    assert mknod in capabilities.allowed({})
    assert mknod not in capabilities.allowed({}, can_make_devices=False)
    assert mknod in capabilities.allowed({"CapAdd": ["MKNOD"]}, can_make_devices=False)


UNAVAILABLE = "capability not supported by your kernel or not available in the current environment"


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ({"CapAdd": ["BOGUS"]}, 'invalid CapAdd: unknown capability: "CAP_BOGUS"'),
        ({"CapAdd": ["CAP_ALL"]}, 'invalid CapAdd: unknown capability: "CAP_ALL"'),
        ({"CapDrop": ['x"y']}, 'invalid CapDrop: unknown capability: "CAP_X\\"Y"'),
        ({"CapAdd": [""]}, 'invalid CapAdd: unknown capability: "CAP_"'),
        ({"Privileged": True, "CapAdd": ["BOGUS"]}, 'invalid CapAdd: unknown capability: "CAP_BOGUS"'),
        ({"CapAdd": ["sys_resource"]}, f'invalid CapAdd: {UNAVAILABLE}: "CAP_SYS_RESOURCE"'),
    ],
)
def test_other_names_are_refused(host: dict[str, Any], message: str) -> None:
    with pytest.raises(BadParameter) as error:
        capabilities.allowed(host)
    assert str(error.value) == message
