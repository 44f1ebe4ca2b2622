"""The filters of the container list: one small function each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import timestamps
from dockerlab.engine.faults import BadParameter, NotFound
from dockerlab.engine.images.references import familiar_unchecked

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container

__all__ = ["container_filter", "fits_labels", "missing", "parse", "prune_filter"]

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH = ("none", "starting", "healthy", "unhealthy")
WORDS: dict[str, tuple[str, ...]] = {"status": STATES, "health": HEALTH, "is-task": ("true", "false", "1", "0")}
REFUSALS = {
    "status": "invalid filter 'status={item}': invalid value for state ({item}): must be one of " + ", ".join(STATES),
    "health": "invalid filter 'health={item}': invalid value for health ({item}): must be one of " + ", ".join(HEALTH),
    "is-task": "invalid filter 'is-task=[{item}]'",
}
PRUNE = ("label", "label!", "until")
Keep = Callable[["Container"], bool]
Find = Callable[[str], "Container"]


def parse(text: str) -> dict[str, list[str]]:
    """Read the `filters` parameter: JSON of lists, or of maps as older clients send it. Raises BadParameter."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise BadParameter("invalid filter") from None
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise BadParameter("invalid filter")
    out = {}
    for name, wanted in value.items():
        if isinstance(wanted, dict):
            out[name] = [str(item) for item, on in wanted.items() if on]
        elif isinstance(wanted, list) and all(isinstance(item, str) for item in wanted):
            out[name] = wanted
        else:
            raise BadParameter("invalid filter")
    return out


def fits_labels(labels: dict[str, str], filters: dict[str, list[str]]) -> bool:
    """Hold labels against the filters `label` (each has to fit) and `label!` (none may)."""

    def has(item: str) -> bool:
        name, equals, value = item.partition("=")
        return name in labels and (not equals or labels[name] == value)

    return all(map(has, filters.get("label", []))) and not any(map(has, filters.get("label!", [])))


def prune_filter(filters: dict[str, list[str]]) -> Callable[[dict[str, str], int], bool]:
    """Make one function, of labels and a moment, of the filters of a prune. Raises BadParameter."""
    for name in filters:
        if name not in PRUNE:
            raise BadParameter(f"invalid filter '{name}'")
    until = filters.get("until", [])
    if len(until) > 1:
        raise BadParameter("more than one until filter specified")
    last = timestamps.filtered(until[0]) if until else 0
    return lambda labels, created: fits_labels(labels, filters) and (not last or created < last)


def container_filter(filters: dict[str, list[str]], find: Find, order: Callable[[Container], int]) -> Keep:
    """Make one function of all filters. Raises BadParameter for an unknown filter or value."""
    tests: list[Keep] = []
    for name, wanted in filters.items():
        if name not in TESTS:
            raise BadParameter(f"invalid filter '{name}'")
        _check(name, wanted)
        if name in ("before", "since") and wanted:
            other = order(find(wanted[-1]))
            tests.append(partial(_placed, order=order, other=other, sooner=name == "before"))
        elif name == "label":
            tests.append(partial(_fits, test=_label, wanted=wanted, every=True))
        elif wanted:
            tests.append(partial(_fits, test=TESTS[name], wanted=wanted))
    return lambda one: all(test(one) for test in tests)


def _placed(one: Container, *, order: Callable[[Container], int], other: int, sooner: bool) -> bool:
    return order(one) < other if sooner else order(one) > other


def _fits(one: Container, *, test: Callable[[Container, str], bool], wanted: list[str], every: bool = False) -> bool:
    """Does one value fit, or with `every` do all of them?"""
    return (all if every else any)(test(one, item) for item in wanted)


def _check(name: str, wanted: list[str]) -> None:
    allowed = WORDS.get(name, ())
    for item in wanted:
        if allowed and item not in allowed:
            raise BadParameter(REFUSALS[name].format(item=item))
        if name == "exited" and not re.fullmatch(r"-?\d+", item):
            raise BadParameter(f"invalid filter 'exited={item}': strconv.Atoi: parsing \"{item}\": invalid syntax")
        if name in ("publish", "expose"):
            _ports(name, item)


def _label(one: Container, item: str) -> bool:
    name, equals, value = item.partition("=")
    labels: dict[str, str] = one.record["Config"]["Labels"]
    return name in labels and (not equals or labels[name] == value)


def _name(one: Container, item: str) -> bool:
    return _matches(item, one.name) or _matches(item, f"/{one.name}")


def _matches(pattern: str, text: str) -> bool:
    """Search for a pattern; one that is no pattern fits nothing but itself, as on Docker."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return pattern == text


def _ancestor(one: Container, item: str) -> bool:
    digits = item.removeprefix("sha256:")
    image = str(one.record["Image"])
    return image.removeprefix("sha256:").startswith(digits) or (
        familiar_unchecked(one.record["Config"]["Image"]) == familiar_unchecked(item)
    )


def _ports(name: str, item: str) -> tuple[range, str]:
    """Read `80`, `80-90` or `80/udp`. Raises BadParameter in Docker's words."""
    number, _, protocol = item.partition("/")
    first, _, last = number.partition("-")
    for part in (first, last or first):
        if not (part.isascii() and part.isdigit()):
            words = f'error while looking up for {name} {item}: strconv.ParseUint: parsing "{part}": invalid syntax'
            raise BadParameter(words)
    return range(int(first), int(last or first) + 1), protocol or "tcp"


def _port(ports: dict[str, Any] | None, item: str) -> bool:
    wanted, protocol = _ports("", item)
    parts = [port.partition("/") for port in ports or {}]
    return any(part[0].isdigit() and int(part[0]) in wanted and (part[2] or "tcp") == protocol for part in parts)


def _volume(one: Container, item: str) -> bool:
    points = one.record.get("MountPoints", [])
    return any(item in (point.get("Name"), point["Source"], point["Destination"]) for point in points)


def _exited(one: Container, item: str) -> bool:
    return bool(one.state["Status"] == "exited" and one.state["ExitCode"] == int(item))


def _on_network(one: Container, item: str) -> bool:
    """Is a container on the network with that name, or id?"""
    for name, config in one.record.get("Endpoints", {}).items():
        identity = (config.get("Live") or {}).get("NetworkID", "")
        if item == name or (item and identity.startswith(item)):
            return True
    return False


TESTS: dict[str, Callable[[Container, str], bool]] = {
    "ancestor": _ancestor,
    "before": lambda one, item: True,
    "expose": lambda one, item: bool(one.state["Running"]) and _port(one.record["Config"].get("ExposedPorts"), item),
    "exited": _exited,
    "health": lambda one, item: item == (one.state.get("Health") or {}).get("Status", "none"),
    "id": lambda one, item: one.id.startswith(item.removeprefix("^")),
    "isolation": lambda one, item: True,  # Windows has several
    "is-task": lambda one, item: item in ("false", "0"),
    "label": _label,
    "name": _name,
    "network": _on_network,
    "publish": lambda one, item: _port(one.record["HostConfig"].get("PortBindings"), item),
    "since": lambda one, item: True,
    "status": lambda one, item: one.state["Status"] == item,
    "volume": _volume,
}


def missing(name: str) -> NotFound:
    """Give Docker's words for a container that isn't there."""
    return NotFound(f"No such container: {name}")
