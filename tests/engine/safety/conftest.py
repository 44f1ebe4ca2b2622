"""Attacks the practice engine on each rung, or the engine that DOCKERLAB_TEST_HOST names."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator

import pytest
from attack_target import Target
from attacks import not_withstood
from canary import ENGINE_SECRET
from engines import temporary_engine
from plain_http import ask

from dockerlab.engine.processes.isolation import probe

NOBODY = "nobody"
OTHER_ENGINE = os.environ.get("DOCKERLAB_TEST_HOST", "")
#: `some` leaves out most variants of each attack, for an engine that only judges the attacks.
VARIANTS = os.environ.get("DOCKERLAB_TEST_VARIANTS", "all")


def rungs() -> list[str]:
    """Return the rungs that are tested here: all that work for root, and the best one of an ordinary user."""
    names = [rung.name for rung in probe()]
    return [name for name in names if name != "userns"] if os.geteuid() == 0 else names[:1]


@functools.cache
def version_of_docker() -> int:
    """Return the first number of the version of the engine that DOCKERLAB_TEST_HOST names."""
    return int(ask(OTHER_ENGINE, "GET", "/version")[1]["Version"].split(".")[0])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each attack on each rung that has to withstand it."""
    attack = getattr(metafunc.function, "attack", None)
    if attack is not None:
        judges = ["docker"] if OTHER_ENGINE and attack.is_judged_by(version_of_docker()) else []
        names = judges if OTHER_ENGINE else [name for name in rungs() if name in attack.rungs]
        metafunc.parametrize("target", names or [NOBODY], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the attacks that no engine here has to withstand, and expect the known ones that reach the host.

    A race may fail to reach the host now and then, and whether the engine answers in time depends on the machine.
    """
    expected = not_withstood()
    if VARIANTS == "some":
        select_variants(items)
    for item in list(items):
        rung = item.callspec.params.get("target") if isinstance(item, pytest.Function) and has_target(item) else ""
        if rung == NOBODY:
            items.remove(item)
        elif item.name in expected:
            is_certain = not any(word in item.name for word in ("race", "deep"))
            item.add_marker(pytest.mark.xfail(strict=is_certain, reason="the host is reached"))


def select_variants(items: list[pytest.Item]) -> None:
    """Keep each attack, but only with every third of its parameters: for each attack another third."""
    attacks: dict[object, list[pytest.Item]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and has_target(item):
            attacks.setdefault(item.function, []).append(item)
    for number, variants in enumerate(attacks.values()):
        step = min(len(variants), 3)
        for item in set(variants) - set(variants[number % step :: step]):
            items.remove(item)


def has_target(item: pytest.Function) -> bool:
    """Tell whether a test is an attack."""
    return hasattr(item.function, "attack")


class Engines:
    """One practice engine per rung, and a new one after an attack that has broken it."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[str, contextlib.ExitStack]] = {}

    def host(self, rung: str) -> str:
        """Return the address of a rung's engine."""
        if rung not in self._running:
            stack = contextlib.ExitStack()
            host = stack.enter_context(temporary_engine(rung))
            self._running[rung] = host, stack
            # The first container makes the engine create files of its own, such as the socket of its switch.
            container = ask(host, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})[1]["Id"]
            ask(host, "POST", f"/containers/{container}/start")
            ask(host, "DELETE", f"/containers/{container}?force=1")
        return self._running[rung][0]

    def discard(self, rung: str) -> None:
        """End the engine of a rung."""
        with contextlib.suppress(SystemExit):  # an engine that was broken may not end properly
            self._running.pop(rung)[1].close()

    def discard_all(self) -> None:
        """End all engines."""
        for rung in list(self._running):
            self.discard(rung)


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Give the engines of this process. They have a secret in their environment."""
    os.environ["ENGINE_SECRET"] = ENGINE_SECRET
    running = Engines()
    yield running
    running.discard_all()


@pytest.fixture
def target(request: pytest.FixtureRequest, engines: Engines) -> Iterator[Target]:
    """Give the engine under attack."""
    name = request.param
    with Target(OTHER_ENGINE or engines.host(name), name) as engine:
        yield engine
        is_broken = not answers(engine.host)
    if is_broken and not OTHER_ENGINE:
        engines.discard(name)


def answers(host: str) -> bool:
    """Tell whether an engine answers a list of everything."""
    try:
        return ask(host, "GET", "/system/df")[0] == 200
    except OSError:
        return False
