"""Every operation has a handler, or a reason why the practice engine leaves it out."""

from __future__ import annotations

from dockerlab.engine.api import HANDLERS, LEFT_OUT
from dockerlab.protocol.operations import NEWEST, OPERATIONS, version_number

FAMILIES = ("Swarm", "Node", "Service", "Task", "Secret", "Config", "Plugin", "GetPlugin", "Session", "VolumeUpdate")


def test_every_operation_has_a_handler_or_a_reason() -> None:
    supported = {name for name, row in OPERATIONS.items() if version_number(row.since) <= version_number(NEWEST)}
    assert set(HANDLERS) | set(LEFT_OUT) == supported
    assert not set(HANDLERS) & set(LEFT_OUT)


def test_only_swarm_plugins_and_buildkit_are_left_out() -> None:
    assert [name for name in LEFT_OUT if not name.startswith(FAMILIES)] == []
