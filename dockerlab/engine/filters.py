"""The filters of the container list: one small function each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dockerlab.engine.faults import BadParameter, NotFound
from dockerlab.engine.images import normal

if TYPE_CHECKING:
    from dockerlab.engine.container import Container

__all__ = ["container_filter", "missing", "parse"]

STATES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
HEALTH = ("none", "starting", "healthy", "unhealthy")
WORDS: dict[str, tuple[str, ...]] = {"status": STATES, "health": HEALTH, "is-task": ("true", "false", "1", "0")}
REFUSALS = {
    "status": "Invalid filter 'status={item}'",
    "health": "Unrecognised filter value for health: {item}",
    "is-task": "Invalid filter 'is-task=[{item}]'",
}
Keep = Callable[["Container"], bool]
Find = Callable[[str], "Container"]


def parse(text: str) -> dict[str, list[str]]:
    """Read the `filters` parameter: JSON of lists, or of maps as older clients send it. Raises BadParameter."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        raise BadParameter(f"invalid character {text.strip()[:1]!r} looking for beginning of value") from None
    if not isinstance(value, dict):
        raise BadParameter("filters: an object of lists is wanted")
    out = {}
    for name, wanted in value.items():
        if isinstance(wanted, dict):
            out[name] = [str(item) for item, on in wanted.items() if on]
        elif isinstance(wanted, list) and all(isinstance(item, str) for item in wanted):
            out[name] = wanted
        else:
            raise BadParameter(f"filters: {name} is not a list of strings")
    return out


def container_filter(filters: dict[str, list[str]], find: Find, order: Callable[[Container], int]) -> Keep:
    """Make one function of all filters. Raises BadParameter for an unknown filter or value."""
    tests: list[Keep] = []
    for name, wanted in filters.items():
        if name not in TESTS:
            raise BadParameter(f"Invalid filter '{name}'")
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
            raise BadParameter(f'strconv.Atoi: parsing "{item}": invalid syntax')
        if name in ("name", "id"):
            try:
                re.compile(item)
            except re.error:
                raise BadParameter(f"Invalid filter '{name}={item}'") from None


def _label(one: Container, item: str) -> bool:
    name, equals, value = item.partition("=")
    labels: dict[str, str] = one.record["Config"]["Labels"]
    return name in labels and (not equals or labels[name] == value)


def _name(one: Container, item: str) -> bool:
    return re.search(item, one.name) is not None or re.search(item, f"/{one.name}") is not None


def _ancestor(one: Container, item: str) -> bool:
    digits = item.removeprefix("sha256:")
    image = str(one.record["Image"])
    return image.removeprefix("sha256:").startswith(digits) or normal(one.record["Config"]["Image"]) == normal(item)


def _port(ports: dict[str, Any] | None, item: str) -> bool:
    number, _, protocol = item.partition("/")
    first, _, last = number.partition("-")
    try:
        wanted = range(int(first), int(last or first) + 1)
    except ValueError:
        raise BadParameter(f"Invalid filter 'port={item}'") from None
    return any(
        port.partition("/")[0].isdigit()
        and int(port.partition("/")[0]) in wanted
        and (port.partition("/")[2] or "tcp") == (protocol or "tcp")
        for port in ports or {}
    )


def _volume(one: Container, item: str) -> bool:
    binds = one.record["HostConfig"].get("Binds") or []
    places = {part for bind in binds for part in bind.split(":")[:2]}
    return item in places or item in (one.record["Config"].get("Volumes") or {})


def _exited(one: Container, item: str) -> bool:
    return bool(one.state["Status"] == "exited" and one.state["ExitCode"] == int(item))


TESTS: dict[str, Callable[[Container, str], bool]] = {
    "ancestor": _ancestor,
    "before": lambda one, item: True,
    "expose": lambda one, item: bool(one.state["Running"]) and _port(one.record["Config"].get("ExposedPorts"), item),
    "exited": _exited,
    "health": lambda one, item: item == "none",
    "id": lambda one, item: re.search(f"^{item}", one.id) is not None,
    "isolation": lambda one, item: True,  # Windows has several
    "is-task": lambda one, item: item in ("false", "0"),
    "label": _label,
    "name": _name,
    "network": lambda one, item: item in (_network(one), one.record["HostConfig"]["NetworkMode"]),
    "publish": lambda one, item: _port(one.record["HostConfig"].get("PortBindings"), item),
    "since": lambda one, item: True,
    "status": lambda one, item: one.state["Status"] == item,
    "volume": _volume,
}


def _network(one: Container) -> str:
    mode = str(one.record["HostConfig"]["NetworkMode"])
    return "bridge" if mode == "default" else mode


def missing(name: str) -> NotFound:
    """Give Docker's words for a container that isn't there."""
    return NotFound(f"No such container: {name}")
