"""One more item after the cells of every notebook: nothing left behind, nothing foreign touched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import pytest
from plain_http import ask
from practice import chosen_address

FOREIGN = {"Image": "busybox", "Cmd": ["sleep", "3600"]}  # without any label, like a container of somebody else


class Guard(pytest.Item):
    """Before the first cell it makes a foreign container, after the last one it looks what became of it."""

    closing = False
    seen: dict[str, Any]

    def runtest(self) -> None:
        """Make the container, or check and remove it."""
        host = chosen_address()
        if not self.closing:
            self.seen.update(make_foreign(host, f"foreign-{self.path.stem}"))
            return
        left = labelled(host, f"dockerlab.session={os.environ['DOCKERLAB_SESSION']}")
        status, now = ask(host, "GET", f"/containers/{self.seen['Id']}/json")
        removed(host, self.seen["Id"])
        assert left == [], f"{self.path.name} left these behind: {left}"
        assert status == 200, f"{self.path.name} removed a container that is not its own"
        assert now == self.seen, f"{self.path.name} changed a container that is not its own"

    def reportinfo(self) -> tuple[os.PathLike[str], int, str]:
        """Say where this item belongs."""
        return self.path, 0, f"{self.path.name}: {self.name}"


def add_guards(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Put one guard before and one after the cells of each notebook among the items."""
    groups: dict[pytest.Collector | None, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(item.parent if item.path.suffix == ".ipynb" else None, []).append(item)
    guarded = groups.pop(None, [])
    for notebook, cells in groups.items():
        seen: dict[str, Any] = {}
        scope = cells[0].nodeid.rpartition("::")[0]  # the same one, or xdist would run it in another worker
        for closing, name in ((False, "a foreign container"), (True, "nothing left behind")):
            guard = Guard.from_parent(notebook, name=name, nodeid=f"{scope}::{name}")
            guard.closing, guard.seen = closing, seen
            cells.insert(len(cells) if closing else 0, guard)
        guarded += cells
    return guarded


def make_foreign(host: str, name: str) -> dict[str, Any]:
    """Create and start the foreign container; give back what inspect says of it."""
    removed(host, name)
    status, made = ask(host, "POST", f"/containers/create?name={name}", FOREIGN)
    assert status == 201, made
    status, answer = ask(host, "POST", f"/containers/{made['Id']}/start")
    assert status == 204, answer
    status, seen = ask(host, "GET", f"/containers/{made['Id']}/json")
    assert status == 200, seen
    assert isinstance(seen, dict)
    return seen


def removed(host: str, container: str) -> None:
    """Take a container away, if it is there, with its anonymous volumes.

    It is killed first: Podman, when forced to remove one that runs, waits 10 s for it to end by itself.
    """
    ask(host, "POST", f"/containers/{container}/kill")
    ask(host, "DELETE", f"/containers/{container}?force=1&v=1")


def labelled(host: str, label: str) -> list[str]:
    """List the ids of all containers that carry a label."""
    filters = quote(json.dumps({"label": [label]}))
    status, found = ask(host, "GET", f"/containers/json?all=1&filters={filters}")
    assert status == 200, found
    return [container["Id"] for container in found]
