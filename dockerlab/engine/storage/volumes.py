"""Volumes: named directories that outlive containers. The only driver is `local`, which every Docker has."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.container_record import NAME
from dockerlab.engine.common.filters import fits_labels, pattern_test
from dockerlab.engine.common.go_types import WrongType, decode
from dockerlab.engine.common.timestamps import nanoseconds, now
from dockerlab.engine.common.tree import DIRECTORY
from dockerlab.engine.faults import BadParameter, Conflict, Fault, NotFound
from dockerlab.engine.storage import rootfs
from dockerlab.engine.storage.tree_walk import walk

if TYPE_CHECKING:
    from dockerlab.engine.common.events import Events

__all__ = ["ANONYMOUS", "NAME", "Volumes", "read"]

FILE = "volume.json"
MOST_NAME_BYTES = 255
log = logging.getLogger("dockerlab.engine")
#: The label that Docker gives to volumes without a requested name.
ANONYMOUS = "com.docker.volume.anonymous"
FILTERS = ("dangling", "driver", "label", "name")
PRUNE_FILTERS = ("all", "label", "label!")
DRIVER_OPTIONS = ("device", "o", "type", "size")
Record = dict[str, Any]


class Volumes:
    """All volumes in one directory: for each, `NAME/volume.json` beside its files in `NAME/_data`."""

    def __init__(self, root: Path, events: Events) -> None:
        """Read the directory. One without `volume.json` is left from a crash, and is removed."""
        self.root = root
        self.events = events
        self.all: dict[str, Record] = {}
        self.users: dict[str, set[str]] = {}  #: name -> ids of the containers that have the volume
        root.mkdir(parents=True, exist_ok=True)
        for directory in sorted(root.iterdir()):
            self._load(directory)

    def _load(self, directory: Path) -> None:
        """Read a volume's record. One that can't be read stays on disk, and `dockerlab doctor` names it."""
        if directory.is_symlink() or not directory.is_dir():
            return
        try:
            volume = read(directory)
        except ValueError as error:
            log.warning("skipped the volume in %s: %s", directory, error)
            return
        if volume is None:
            rootfs.discard(directory)
        else:
            self.all[volume["Name"]] = {**volume, "Mountpoint": str(self.data_directory(volume["Name"]))}

    def _directory(self, name: str) -> Path:
        """Return a volume's directory. Raises BadParameter for a name that could lead out of the root."""
        if not NAME.fullmatch(name):
            raise BadParameter(f"{name!r} is not the name of a volume")
        return self.root / name

    def data_directory(self, name: str) -> Path:
        """Return the directory with a volume's files. Raises BadParameter."""
        return self._directory(name) / "_data"

    def create(self, name: str, driver: str, options: dict[str, str], labels: dict[str, str] | None) -> Record:
        """Create a volume, or return the existing one with this name. Raises BadParameter, NotFound."""
        if driver not in ("", "local"):
            raise NotFound(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')
        if name and len(name) == 1:
            raise BadParameter(
                f"create {name}: volume name is too short, names should be at least two alphanumeric characters"
            )
        for option in options:
            if option not in DRIVER_OPTIONS:
                raise BadParameter(f'create {name}: invalid option: "{option}"')
        if name in self.all:
            return self.all[name]
        is_anonymous = not name
        name = name or secrets.token_hex(32)
        if not NAME.fullmatch(name):
            raise BadParameter(
                f'create {name}: "{name}" includes invalid characters for a local volume name, only '
                '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
            )
        if len(name) > MOST_NAME_BYTES:
            raise Fault(f"create {name}: error while creating volume root path: file name too long")
        if is_anonymous:
            labels = {**(labels or {}), ANONYMOUS: ""}
        if (self._directory(name) / FILE).exists():
            raise Conflict(f"create {name}: its record can't be read. To find out what to do, run: dockerlab doctor")
        volume = _document(name, f"{now()[:19]}Z", labels, options or None)
        volume["Mountpoint"] = str(self.data_directory(name))
        self._write(volume)
        self.all[name] = volume
        self.events.publish("volume", "create", name, {"driver": "local"})
        return volume

    def _write(self, volume: Record) -> None:
        """Create the directory of a new volume, and its record; leave nothing behind if that fails."""
        directory = self._directory(volume["Name"])
        rootfs.discard(directory)  # what a removal could not remove
        try:
            self.data_directory(volume["Name"]).mkdir(parents=True)
            json_files.write(directory / FILE, volume)
        except BaseException:
            rootfs.discard(directory)
            raise

    def find(self, name: str) -> Record:
        """Find a volume. Raises NotFound."""
        if name not in self.all:
            raise NotFound(f"get {name}: no such volume")
        return self.all[name]

    def select(self, filters: dict[str, list[str]]) -> list[Record]:
        """Return the volumes that match. Raises BadParameter for an unknown filter."""
        _check_names(filters, FILTERS)
        volumes = list(self.all.values())
        if names := filters.get("name"):
            matches = pattern_test(names)
            volumes = [volume for volume in volumes if matches(volume["Name"])]
        if drivers := filters.get("driver"):
            volumes = [volume for volume in volumes if volume["Driver"] in drivers]
        for value in filters.get("dangling", []):
            if value not in ("0", "1", "true", "false"):
                raise BadParameter(f"invalid filter 'dangling=[{value}]'")
            dangling = value in ("1", "true")
            volumes = [volume for volume in volumes if (not self.users.get(volume["Name"])) is dangling]
        return [volume for volume in volumes if fits_labels(volume["Labels"] or {}, filters)]

    def remove(self, name: str, force: bool = False) -> None:
        """Remove a volume. Raises Conflict if a container has it, and NotFound unless `force`."""
        if force and name not in self.all:
            return
        self.find(name)
        if users := self.users.get(name):
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(sorted(users))}]")
        (self._directory(name) / FILE).unlink(missing_ok=True)
        del self.all[name]
        self.users.pop(name, None)
        directory = self._directory(name)
        with contextlib.suppress(OSError):  # a new volume may have the same name
            directory = directory.rename(self.root / f".removed.{secrets.token_hex(8)}")
        rootfs.discard_soon(directory)
        self.events.publish("volume", "destroy", name, {"driver": "local"})

    async def prune(self, filters: dict[str, list[str]], only_anonymous: bool) -> tuple[list[str], int]:
        """Remove the volumes that no container has. Return their names, and the bytes that they used."""
        _check_names(filters, PRUNE_FILTERS)
        if any(value in ("1", "true") for value in filters.get("all", [])):
            only_anonymous = False
        names, freed = [], 0
        for name, volume in list(self.all.items()):
            labels = volume["Labels"] or {}
            matches = fits_labels(labels, filters) and (not only_anonymous or ANONYMOUS in labels)
            if not matches or self.users.get(name):
                continue
            size = await asyncio.to_thread(self.size, name)
            if name in self.all and not self.users.get(name):  # nobody has removed or mounted it meanwhile
                self.remove(name)
                names.append(name)
                freed += size
        self.events.publish("volume", "prune", "", {"reclaimed": str(freed)})
        return names, freed

    def size(self, name: str) -> int:
        """Return the bytes of a volume's files."""
        try:
            directory = os.open(self.data_directory(name), DIRECTORY)
        except OSError:
            return 0  # somebody has removed its files by hand
        try:
            infos = (entry.info for entry in walk(directory, whole=True) if entry.info is not None)
            return sum(info.st_size for info in infos if stat.S_ISREG(info.st_mode))
        finally:
            os.close(directory)

    def acquire(self, name: str, container: str) -> None:
        """Record that a container has a volume."""
        self.users.setdefault(name, set()).add(container)

    def release(self, container: str, names: list[str], remove_anonymous: bool) -> None:
        """Record that a container is gone, and perhaps remove the anonymous volumes that only it had."""
        for name in names:
            self.users.get(name, set()).discard(container)
            volume = self.all.get(name)
            if remove_anonymous and volume and ANONYMOUS in (volume["Labels"] or {}) and not self.users.get(name):
                self.remove(name)


def read(directory: Path) -> Record | None:
    """Return the record in a volume's directory, or None without one. Raises ValueError with the reason."""
    volume = json_files.load(directory / FILE)
    if volume is None:
        return None
    if not isinstance(volume, dict):
        raise ValueError("it is not a JSON object")
    if volume.get("Name") != directory.name or not NAME.fullmatch(directory.name):
        raise ValueError("its name is not the name of its directory")
    if volume.get("Driver") != "local" or not isinstance(volume.get("CreatedAt"), str):
        raise ValueError("its driver or the time of its creation is wrong")
    nanoseconds(volume["CreatedAt"])
    try:
        labels, options = (decode("map[string]string", volume.get(name)) for name in ("Labels", "Options"))
    except WrongType as error:
        raise ValueError(str(error)) from None
    return _document(volume["Name"], volume["CreatedAt"], labels, options)


def _document(name: str, created: str, labels: Record | None, options: Record | None) -> Record:
    """Return a volume as inspect shows it, in Docker's order of fields."""
    return {
        "CreatedAt": created,
        "Driver": "local",
        "Labels": labels,
        "Mountpoint": "",
        "Name": name,
        "Options": options,
        "Scope": "local",
    }


def _check_names(filters: dict[str, list[str]], names: tuple[str, ...]) -> None:
    for name in filters:
        if name not in names:
            raise BadParameter(f"invalid filter '{name}'")
