"""All containers: their names and ids, and how one is made."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.timestamps import nanoseconds, now
from dockerlab.engine.containers import defaults, process_spec, validation
from dockerlab.engine.containers import random_names as names
from dockerlab.engine.containers.container import Container
from dockerlab.engine.containers.filters import container_filter, missing, prune_filter
from dockerlab.engine.containers.services import Home, Means
from dockerlab.engine.faults import BadParameter, Conflict, Fault, NotFound
from dockerlab.engine.images.references import familiar_unchecked
from dockerlab.engine.networks import endpoints
from dockerlab.engine.processes import capabilities
from dockerlab.engine.storage import mount_points, rootfs

if TYPE_CHECKING:
    from dockerlab.engine.images.images import Image, Images

__all__ = ["Containers"]

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
DIGITS = set("0123456789abcdef")
Record = dict[str, Any]
Warnings = list[str]
Filters = dict[str, list[str]]


class Containers:
    """All containers under one directory."""

    def __init__(self, root: Path, images: Images, means: Means) -> None:
        """Keep containers under `root`; `load` reads those that are there."""
        self.root = root
        self.images = images
        self.means = means
        self.events = means.events
        self.volumes = means.volumes
        self._home = Home(means, self.find, self._forget)
        self._all: dict[str, Container] = {}
        images.container_layers = lambda: [self._layers(container) for container in self._all.values()]
        self._names: dict[str, str] = {}
        root.mkdir(parents=True, exist_ok=True)

    def load(self) -> None:
        """Read what an earlier engine left: running ones are taken up, rubbish of a crash is removed."""
        for directory in sorted(self.root.iterdir()):
            record = json_files.read(directory / "container.json")
            if record is None:
                shutil.rmtree(directory, ignore_errors=True)
                continue
            container = Container(self._home, directory, record)
            self._all[container.id] = container
            self._names[container.name] = container.id
        for container in list(self._all.values()):
            mode = container.record["HostConfig"]["NetworkMode"]  # older engines kept no endpoints
            container.record.setdefault("Endpoints", {} if ":" in mode else {mode: {}})
            container.adopt()
        self.means.endpoints.adopt(list(self._all.values()))
        self.means.groups.remove_all_but({container.id for container in self._all.values() if container.running})
        self.images.remove_unused_layers()

    def __iter__(self) -> Iterator[Container]:
        """Give them, the newest first."""
        return iter(sorted(self._all.values(), key=self.age, reverse=True))

    def __len__(self) -> int:
        """Count them."""
        return len(self._all)

    def using(self, image: Image) -> int:
        """Count the containers of an image."""
        return sum(container.record["Image"] == image.id for container in self._all.values())

    def base(self, container: Container) -> Path:
        """Give the tree that a container's own was made from; its image may have been removed since."""
        return self.images.trees.get(self._layers(container))

    def _layers(self, container: Container) -> list[str]:
        image = self.images.all.get(container.record["Image"])
        known = container.record.get("Layers")
        return known if known is not None else image.layers if image else []

    @staticmethod
    def age(container: Container) -> int:
        """Give when one was created, in nanoseconds."""
        return nanoseconds(container.record["Created"])

    def find(self, reference: str) -> Container:
        """Find one by id, name, or the beginning of its id. Raises NotFound."""
        plain = reference.removeprefix("/")
        identity = reference if reference in self._all else self._names.get(plain)
        if identity is None and plain and set(plain) <= DIGITS:
            found = [known for known in self._all if known.startswith(plain)]
            if len(found) > 1:
                raise Fault(f"Multiple IDs found with provided prefix: {plain}")
            identity = found[0] if found else None
        if identity is None:
            raise missing(reference)
        return self._all[identity]

    def list(self, *, everything: bool, limit: int, filters: dict[str, list[str]]) -> list[Container]:
        """Give those that are wanted, the newest first. Raises BadParameter for a bad filter."""
        keep = container_filter(filters, self.find, self.age)
        stopped_too = everything or limit > 0 or bool(filters.get("status"))
        found = [one for one in self if (stopped_too or one.state["Running"]) and keep(one)]
        return found[:limit] if limit > 0 else found

    # -- making one --------------------------------------------------------------------------------------------

    async def create(self, name: str, body: Record) -> tuple[Container, Warnings]:
        """Make a container; give it with its warnings. Raises BadParameter, NotFound, Conflict."""
        if not any(value for key, value in body.items() if key in defaults.CONFIG):
            raise BadParameter("config cannot be empty in order to create a container")
        asked_host = body.get("HostConfig") or {}
        validation.container(body, asked_host)
        record = self._record(body, asked_host)
        record["Name"] = self._reserve(name, record["Id"])
        try:
            points = mount_points.made(record["Config"], record["HostConfig"], self.volumes, self.find)
            record["MountPoints"] = points
            container = await self._make(record)
        except BaseException:
            self._names.pop(record["Name"], None)
            raise
        self._all[container.id] = container
        self.events.tell("create", container)
        limited = bool(self.means.groups.places)
        return container, defaults.without_effect(record, asked_host, self.means.rung.gives, limited)

    def _record(self, body: Record, asked_host: Record) -> Record:
        """Say what is to be made. Raises BadParameter, NotFound."""
        reference = body.get("Image") or ""
        image = self.images.find(reference) if reference else None
        if reference and image is None:
            raise NotFound(f"No such image: {familiar_unchecked(reference)}")
        identity = secrets.token_hex(32)
        config = defaults.config(body, image.config if image else {}, reference, identity[:12])
        words = [*(config["Entrypoint"] or []), *(config["Cmd"] or [])]
        if not words or not words[0]:
            raise BadParameter("no command specified")
        host = defaults.host_config(asked_host)
        process_spec.rlimits(host)
        capabilities.allowed(host)
        return {
            "Id": identity,
            "Created": now(),
            "Name": "",
            "Path": words[0],
            "Args": words[1:],
            "Image": image.id if image else "",
            "Layers": image.layers if image else [],
            "Config": config,
            "HostConfig": host,
            "NetworkingConfig": body.get("NetworkingConfig") or {},
            "Endpoints": self.means.endpoints.named(endpoints.asked_for(host, body)),
        }

    async def _make(self, record: Record) -> Container:
        directory = self.root / record["Id"]
        directory.mkdir()
        try:
            return await self._filled(directory, record)
        except BaseException:  # a full disk, say: nothing is left of it
            await asyncio.to_thread(rootfs.remove, directory)
            raise

    async def _filled(self, directory: Path, record: Record) -> Container:
        source = await asyncio.to_thread(self.images.trees.get, record["Layers"])
        hostname = record["Config"]["Hostname"]
        await asyncio.to_thread(rootfs.create, source, directory / "rootfs", hostname)
        await asyncio.to_thread(mount_points.fill, directory / "rootfs", record["MountPoints"])
        container = Container.new(self._home, directory, record)
        container.save()
        for name in mount_points.volumes_of(record["MountPoints"]):
            self.volumes.use(name, container.id)
        return container

    def _reserve(self, name: str, identity: str) -> str:
        """Take a name at once, so that no second create has it meanwhile."""
        plain = name.removeprefix("/")
        if name and not NAME.fullmatch(plain):
            raise BadParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        if plain in self._names:
            raise Conflict(
                f'Conflict. The container name "/{plain}" is already in use by container "{self._names[plain]}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )
        plain = plain or names.invent(set(self._names))
        self._names[plain] = identity
        return plain

    def rename(self, container: Container, name: str) -> None:
        """Give a container another name. Raises BadParameter, Conflict."""
        if not name:
            raise BadParameter("Neither old nor new names may be empty")
        if name.removeprefix("/") == container.name:
            raise BadParameter("Renaming a container with the same name as its current name")
        try:
            fresh = self._reserve(name, container.id)
        except (BadParameter, Conflict) as fault:
            raise type(fault)(f"Error when allocating new name: {fault}") from None
        before = container.name
        del self._names[before]
        container.record["Name"] = fresh
        container.save()
        self.events.tell("rename", container, oldName=f"/{before}")

    async def prune(self, filters: Filters) -> tuple[Warnings, int]:
        """Remove what has ended, or never began; give the ids, and the bytes that came free. Raises BadParameter."""
        keep = prune_filter(filters)
        names, freed = [], 0
        for container in list(self):
            if container.state["Running"] or not keep(container.record["Config"]["Labels"], self.age(container)):
                continue
            size = await asyncio.to_thread(rootfs.sizes, self.base(container), container.root)
            with contextlib.suppress(Conflict):  # it has just been started, or is being removed
                await container.remove(force=False)
                names.append(container.id)
                freed += size[0]
        self.events.record("container", "prune", "", {"reclaimed": str(freed)})
        return names, freed

    def unlink(self, name: str) -> None:
        """Remove a link, `CONTAINER/ALIAS`. Raises NotFound."""
        owner, _, alias = name.removeprefix("/").partition("/")
        container = self.find(owner)
        links = container.record["HostConfig"]["Links"] or []
        left = [link for link in links if link.rpartition(":")[2].rpartition("/")[2] != alias]
        if len(left) == len(links):
            raise NotFound(f"Cannot get parent link for name {name}")
        container.record["HostConfig"]["Links"] = left or None
        container.save()

    def _forget(self, container: Container) -> None:
        self._all.pop(container.id, None)
        self._names.pop(container.name, None)
