"""Attacks on the machine of an engine. An attack is a test that gets a target and has one sentence as its docstring.

`@attack()` makes a function an attack: when it has returned, the target checks that the machine was not reached.
docs/isolation.md has the table of all attacks, which is made from these functions.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attack_target import Target

__all__ = ["ALL_RUNGS", "ATTACKS", "ISOLATED", "Attack", "all_attacks", "attack", "not_withstood"]

#: Every rung withstands what images, archives and requests do to the engine.
ALL_RUNGS = ("namespaces", "userns", "proot", "plain")
#: These rungs also withstand what programs inside containers do.
ISOLATED = ("namespaces", "userns")
ATTACKS = Path(__file__).resolve().parents[1] / "engine" / "safety"
NOT_WITHSTOOD = ATTACKS / "not_withstood.txt"


@dataclass(frozen=True, slots=True)
class Attack:
    """The name of an attack's test, what it does, and the rungs that have to withstand it.

    `exception` says which versions of Docker, which judges the attacks, were seen not to withstand it, and why. It
    is empty for all others. `since` is the first version that was seen to withstand it, if there is one.
    """

    test: str
    sentence: str
    rungs: tuple[str, ...]
    exception: str = ""
    since: int = 0

    def is_judged_by(self, version: int) -> bool:
        """Tell whether this version of Docker has to withstand the attack."""
        return not self.exception or 0 < self.since <= version


def attack(
    rungs: tuple[str, ...] = ALL_RUNGS, exception: str = "", since: int = 0
) -> Callable[[Callable[..., None]], Any]:
    """Make a function an attack that these rungs have to withstand, and Docker, if there is no exception."""

    def decorate(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def check_afterwards(target: Target, **arguments: Any) -> None:
            function(target, **arguments)
            target.check()

        wrapper: Any = check_afterwards
        wrapper.attack = Attack(function.__name__, inspect.getdoc(function) or "", rungs, exception, since)
        return wrapper

    return decorate


def all_attacks() -> list[tuple[str, list[Attack]]]:
    """Return the attacks of each test module of tests/engine/safety, with the module's title."""
    groups = []
    for path in sorted(ATTACKS.glob("test_*.py")):
        specification = importlib.util.spec_from_file_location(f"attacks_{path.stem}", path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        title = (inspect.getdoc(module) or "").splitlines()[0]
        groups.append((title, [value.attack for value in vars(module).values() if hasattr(value, "attack")]))
    return groups


def not_withstood() -> set[str]:
    """Return the names of the tests, with their parameters, of which it is known that the host is reached."""
    lines = NOT_WITHSTOOD.read_text("utf-8").splitlines() if NOT_WITHSTOOD.exists() else []
    return {line for line in lines if line and not line.startswith("#")}
