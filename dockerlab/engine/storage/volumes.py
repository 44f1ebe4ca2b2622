"""Volumes: named directories that outlive containers. One driver, `local`, as every Docker has it."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.filters import fits_labels
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.faults import BadParameter, Conflict, NotFound

if TYPE_CHECKING:
    from dockerlab.engine.common.events import Events

__all__ = ["ANONYMOUS", "Volumes"]

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
ANONYMOUS = "com.docker.volume.anonymous"
FILTERS = ("dangling", "driver", "label", "name")
PRUNE_FILTERS = ("all", "label", "label!")
OPTIONS = ("device", "o", "type", "size")
Record = dict[str, Any]
Names = list[str]


class Volumes:
    """All volumes under one directory: `NAME/volume.json` beside `NAME/_data`."""

    def __init__(self, root: Path, events: Events) -> None:
        """Read what is there; a directory without a record is rubbish of a crash."""
        self.root = root
        self.events = events
        self.all: dict[str, Record] = {}
        #: volume -> ids of the containers that have it
        self.users: dict[str, set[str]] = {}
        root.mkdir(parents=True, exist_ok=True)
        for directory in sorted(root.iterdir()):
            record = json_files.read(directory / "volume.json")
            if record is None:
                shutil.rmtree(directory, ignore_errors=True)
            else:
                self.all[record["Name"]] = record

    def data(self, name: str) -> Path:
        """Give the directory with a volume's files."""
        return self.root / name / "_data"

    def create(self, name: str, driver: str, options: dict[str, str], labels: dict[str, str] | None) -> Record:
        """Make a volume, or give the one that is there. Raises BadParameter, NotFound, Conflict."""
        if driver not in ("", "local"):
            raise NotFound(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')
        if name and len(name) == 1:
            raise BadParameter(
                f"create {name}: volume name is too short, names should be at least two alphanumeric characters"
            )
        for option in options or {}:
            if option not in OPTIONS:
                raise BadParameter(f'create {name}: invalid option: "{option}"')
        if name in self.all:
            return self.all[name]
        anonymous = not name
        name = name or secrets.token_hex(32)
        if not NAME.fullmatch(name):
            raise BadParameter(
                f'create {name}: "{name}" includes invalid characters for a local volume name, only '
                '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
            )
        if anonymous:
            labels = {**(labels or {}), ANONYMOUS: ""}
        self.data(name).mkdir(parents=True)
        record = {
            "CreatedAt": f"{now()[:19]}Z",
            "Driver": "local",
            "Labels": labels,
            "Mountpoint": str(self.data(name)),
            "Name": name,
            "Options": options or None,
            "Scope": "local",
        }
        json_files.write(self.root / name / "volume.json", record)
        self.all[name] = record
        self.events.publish("volume", "create", name, {"driver": "local"})
        return record

    def find(self, name: str) -> Record:
        """Find a volume. Raises NotFound."""
        if name not in self.all:
            raise NotFound(f"get {name}: no such volume")
        return self.all[name]

    def list(self, filters: dict[str, list[str]]) -> list[Record]:
        """Give those that are wanted. Raises BadParameter for an unknown filter."""
        _known(filters, FILTERS)
        found = list(self.all.values())
        if names := filters.get("name"):
            found = [one for one in found if any(name in one["Name"] for name in names)]
        if drivers := filters.get("driver"):
            found = [one for one in found if one["Driver"] in drivers]
        for word in filters.get("dangling", []):
            if word not in ("0", "1", "true", "false"):
                raise BadParameter(f"invalid filter 'dangling=[{word}]'")
            unused = word in ("1", "true")
            found = [one for one in found if (not self.users.get(one["Name"])) is unused]
        return [one for one in found if fits_labels(one["Labels"] or {}, filters)]

    def remove(self, name: str, force: bool = False) -> None:
        """Remove a volume. Raises NotFound, but not with `force`; Conflict if a container has it."""
        if force and name not in self.all:
            return
        self.find(name)
        if users := self.users.get(name):
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(sorted(users))}]")
        (self.root / name / "volume.json").unlink(missing_ok=True)
        del self.all[name]
        self.users.pop(name, None)
        shutil.rmtree(self.root / name, ignore_errors=True)
        self.events.publish("volume", "destroy", name, {"driver": "local"})

    def prune(self, filters: dict[str, Names], only_anonymous: bool) -> tuple[Names, int]:
        """Remove what no container has; give the names, and the bytes that came free."""
        _known(filters, PRUNE_FILTERS)
        if any(word in ("1", "true") for word in filters.get("all", [])):
            only_anonymous = False
        names, freed = [], 0
        for name, record in list(self.all.items()):
            labels = record["Labels"] or {}
            wanted = fits_labels(labels, filters) and (not only_anonymous or ANONYMOUS in labels)
            if wanted and not self.users.get(name):
                freed += self.size(name)
                self.remove(name)
                names.append(name)
        self.events.publish("volume", "prune", "", {"reclaimed": str(freed)})
        return names, freed

    def size(self, name: str) -> int:
        """Give the bytes of a volume's files."""
        return sum(path.lstat().st_size for path in self.data(name).rglob("*") if path.is_file())

    def use(self, name: str, container: str) -> None:
        """Note that a container has a volume."""
        self.users.setdefault(name, set()).add(container)

    def release(self, container: str, names: Names, remove_anonymous: bool) -> None:
        """Note that a container is gone; its anonymous volumes go with it, if that is wanted."""
        for name in names:
            self.users.get(name, set()).discard(container)
            record = self.all.get(name)
            if remove_anonymous and record and ANONYMOUS in (record["Labels"] or {}) and not self.users.get(name):
                self.remove(name)


def _known(filters: dict[str, list[str]], names: tuple[str, ...]) -> None:
    for name in filters:
        if name not in names:
            raise BadParameter(f"invalid filter '{name}'")
