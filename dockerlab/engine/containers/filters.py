"""The filters of the container list, with one small function each."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.filters import pattern_test
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images.references import familiar_unchecked

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["container_filter"]

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH = ("none", "starting", "healthy", "unhealthy")
ALLOWED: dict[str, tuple[str, ...]] = {"status": STATES, "health": HEALTH, "is-task": ("true", "false", "1", "0")}
REFUSALS = {
    "status": "invalid filter 'status={value}': invalid value for state ({value}): must be one of " + ", ".join(STATES),
    "health": "invalid filter 'health={value}': invalid value for health ({value}): must be one of "
    + ", ".join(HEALTH),
    "is-task": "invalid filter 'is-task=[{value}]'",
}
Test = Callable[["ContainerRecord"], bool]
ValueTest = Callable[["ContainerRecord", str], bool]
Age = Callable[["ContainerRecord"], int]


def container_filter(filters: dict[str, list[str]], find: Callable[[str], ContainerRecord], age: Age) -> Test:
    """Return a function that says whether a container matches all filters.

    A filter matches if one of its values does; of `label` every value has to match. Raises BadParameter for an unknown
    filter or an invalid value.
    """
    tests: list[Test] = []
    for name, values in filters.items():
        if name not in TESTS:
            raise BadParameter(f"invalid filter '{name}'")
        _check_values(name, values)
        if name in ("before", "since") and values:
            tests.append(partial(_is_older if name == "before" else _is_newer, age=age, than=age(find(values[-1]))))
        elif name == "name" and values:
            tests.append(partial(_has_name, matches=pattern_test(values)))
        elif name == "label":
            tests.append(partial(_matches_values, test=_has_label, values=values, combine=all))
        elif values:
            tests.append(partial(_matches_values, test=TESTS[name], values=values, combine=any))
    return lambda record: all(test(record) for test in tests)


def _is_older(record: ContainerRecord, *, age: Age, than: int) -> bool:
    return age(record) < than


def _is_newer(record: ContainerRecord, *, age: Age, than: int) -> bool:
    return age(record) > than


def _matches_values(
    record: ContainerRecord, *, test: ValueTest, values: list[str], combine: Callable[[list[bool]], bool]
) -> bool:
    return combine([test(record, value) for value in values])


def _check_values(name: str, values: list[str]) -> None:
    """Raise BadParameter, with Docker's message, for a value that the filter does not have."""
    allowed = ALLOWED.get(name, ())
    for value in values:
        if allowed and value not in allowed:
            raise BadParameter(REFUSALS[name].format(value=value))
        if name == "exited" and not re.fullmatch(r"-?\d+", value):
            raise BadParameter(f"invalid filter 'exited={value}': strconv.Atoi: parsing \"{value}\": invalid syntax")
        if name in ("publish", "expose"):
            _port_range(name, value)


def _has_label(record: ContainerRecord, value: str) -> bool:
    name, equals, text = value.partition("=")
    return name in record.labels and (not equals or record.labels[name] == text)


def _has_name(record: ContainerRecord, *, matches: Callable[[str], bool]) -> bool:
    return matches(record.name) or matches(f"/{record.name}")


def _has_ancestor(record: ContainerRecord, value: str) -> bool:
    digits = value.removeprefix("sha256:")
    is_image = record.image_id.removeprefix("sha256:").startswith(digits)
    return is_image or familiar_unchecked(record.image_name) == familiar_unchecked(value)


def _port_range(name: str, value: str) -> tuple[range, str]:
    """Return the ports and the protocol of `80`, `80-90` or `80/udp`. Raises BadParameter with Docker's message."""
    number, _, protocol = value.partition("/")
    first, _, last = number.partition("-")
    for part in (first, last or first):
        if not (part.isascii() and part.isdigit()):
            raise BadParameter(
                f'error while looking up for {name} {value}: strconv.ParseUint: parsing "{part}": invalid syntax'
            )
    return range(int(first), int(last or first) + 1), protocol or "tcp"


def _has_port(ports: dict[str, Any] | None, value: str) -> bool:
    numbers, protocol = _port_range("", value)
    parts = [port.partition("/") for port in ports or {}]
    return any(part[0].isdigit() and int(part[0]) in numbers and (part[2] or "tcp") == protocol for part in parts)


def _exposes(record: ContainerRecord, value: str) -> bool:
    return bool(record.state["Running"]) and _has_port(record.config.get("ExposedPorts"), value)


def _has_volume(record: ContainerRecord, value: str) -> bool:
    points = record.mount_points
    return any(value in (point.get("Name"), point["Source"], point["Destination"]) for point in points)


def _has_exit_code(record: ContainerRecord, value: str) -> bool:
    return bool(record.state["Status"] == "exited" and record.state["ExitCode"] == int(value))


def _is_on_network(record: ContainerRecord, value: str) -> bool:
    """Return whether the container is on the network with that name or prefix of an id."""
    for name, endpoint in record.endpoints.items():
        identity = (endpoint.get("Live") or {}).get("NetworkID", "")
        if value == name or (value and identity.startswith(value)):
            return True
    return False


TESTS: dict[str, ValueTest] = {
    "ancestor": _has_ancestor,
    "before": lambda record, value: True,  # without a value; with one it compares ages
    "expose": _exposes,
    "exited": _has_exit_code,
    "health": lambda record, value: value == (record.state.get("Health") or {}).get("Status", "none"),
    "id": lambda record, value: record.id.startswith(value.removeprefix("^")),
    "isolation": lambda record, value: True,  # only Windows has more than one isolation
    "is-task": lambda record, value: value in ("false", "0"),
    "label": _has_label,
    "name": lambda record, value: True,  # like `before`; with a value it is a pattern
    "network": _is_on_network,
    "publish": lambda record, value: _has_port(record.host_config.get("PortBindings"), value),
    "since": lambda record, value: True,  # like `before`
    "status": lambda record, value: record.state["Status"] == value,
    "volume": _has_volume,
}
