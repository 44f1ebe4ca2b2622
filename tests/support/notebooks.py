"""Test items around the cells of every notebook: it must leave nothing behind and change no foreign container."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest
from engines import chosen_engine
from plain_http import ask, labelled_containers, remove_container

__all__ = ["add_guards"]

FOREIGN = {"Image": "busybox", "Cmd": ["sleep", "3600"]}  # without labels, like somebody else's container


class Guard(pytest.Item):
    """Makes a foreign container before the first cell, and checks it after the last one."""

    is_last = False
    foreign: dict[str, Any]

    def runtest(self) -> None:
        """Make the container, or check and remove it."""
        host = chosen_engine()
        if not self.is_last:
            self.foreign.update(make_foreign(host, f"foreign-{self.path.stem}"))
            return
        leftovers = labelled_containers(host, f"dockerlab.session={os.environ['DOCKERLAB_SESSION']}")
        status, details = ask(host, "GET", f"/containers/{self.foreign['Id']}/json")
        remove_container(host, self.foreign["Id"])
        assert leftovers == [], f"{self.path.name} left these behind: {leftovers}"
        assert status == 200, f"{self.path.name} removed a container that is not its own"
        assert details == self.foreign, f"{self.path.name} changed a container that is not its own"

    def reportinfo(self) -> tuple[os.PathLike[str], int, str]:
        """Say where this item belongs."""
        return self.path, 0, f"{self.path.name}: {self.name}"


def add_guards(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the items with one guard before and one after the cells of each notebook; the notebooks are first."""
    groups: dict[pytest.Collector | None, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(item.parent if item.path.suffix == ".ipynb" else None, []).append(item)
    others, guarded = groups.pop(None, []), []
    for notebook, cells in groups.items():
        foreign: dict[str, Any] = {}
        scope = cells[0].nodeid.rpartition("::")[0]  # with another scope, xdist would run the guard in another worker
        for is_last, name in ((False, "a foreign container"), (True, "nothing left behind")):
            guard = Guard.from_parent(notebook, name=name, nodeid=f"{scope}::{name}")
            guard.is_last, guard.foreign = is_last, foreign
            cells.insert(len(cells) if is_last else 0, guard)
        guarded += cells
    return guarded + others


def make_foreign(host: str, name: str) -> dict[str, Any]:
    """Create and start the foreign container. Return its inspect response."""
    remove_container(host, name)
    status, container = ask(host, "POST", f"/containers/create?name={name}", FOREIGN)
    assert status == 201, container
    status, body = ask(host, "POST", f"/containers/{container['Id']}/start")
    assert status == 204, body
    status, details = ask(host, "GET", f"/containers/{container['Id']}/json")
    assert status == 200, details
    assert isinstance(details, dict)
    return details
