"""All containers of an engine: finding them by name and id, creating and removing them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import container_record
from dockerlab.engine.common.container_record import NAME, ContainerRecord
from dockerlab.engine.common.filters import prune_filter
from dockerlab.engine.common.timestamps import nanoseconds, now
from dockerlab.engine.containers import defaults, process_spec, random_names, validation
from dockerlab.engine.containers.container import Container, new_state
from dockerlab.engine.containers.container_context import ContainerContext
from dockerlab.engine.containers.filters import container_filter
from dockerlab.engine.faults import BadParameter, Conflict, Fault, NotFound
from dockerlab.engine.images.references import familiar_unchecked
from dockerlab.engine.networks import endpoints
from dockerlab.engine.processes import capabilities
from dockerlab.engine.storage import mount_points, rootfs

if TYPE_CHECKING:
    from dockerlab.engine.containers.container_context import EngineServices
    from dockerlab.engine.images.images import Image, Images

__all__ = ["Containers"]

log = logging.getLogger("dockerlab.engine")
DIGITS = set("0123456789abcdef")
Document = dict[str, Any]
Warnings = list[str]
Ids = list[str]
Filters = dict[str, list[str]]


class Containers:
    """All containers under one directory."""

    def __init__(self, root: Path, images: Images, services: EngineServices) -> None:
        """Create the directory. `load` reads the containers that are in it."""
        self.root = root
        self.images = images
        self.services = services
        self.events = services.events
        self.volumes = services.volumes
        self._context = ContainerContext(services, lambda reference: self.find(reference).record, self._forget)
        self._all: dict[str, Container] = {}
        images.container_layers = lambda: [container.record.layers for container in self._all.values()]
        self._names: dict[str, str] = {}
        root.mkdir(parents=True, exist_ok=True)

    def load(self) -> None:
        """Take over the containers of an earlier engine, and remove the directories that a crash left."""
        for directory in sorted(self.root.iterdir()):
            self._load(directory)
        for container in list(self._all.values()):
            self._adopt(container)
        self.services.endpoints.resume(list(self.records()))
        self.services.groups.remove_all_but({record.id for record in self.records() if record.is_running})
        self.images.remove_unused_layers()

    def _adopt(self, container: Container) -> None:
        """Find a container's process again. If its files can't be read, they are set aside, and it counts as ended."""
        try:
            container.adopt()
        except (OSError, ValueError, TypeError, LookupError):
            log.exception("could not find out whether %s is still running", container.id)
            for path in container.record.directory.glob("*.json"):
                if path.name != container_record.FILE:
                    path.rename(f"{path}.bad")
            container.adopt()

    def _load(self, directory: Path) -> None:
        """Take over one container. A record that can't be read stays on disk, and `dockerlab doctor` names it."""
        if directory.is_symlink() or not directory.is_dir():
            return
        try:
            document = container_record.read(directory)
            if document is not None and document["Name"] in self._names:
                raise ValueError("another container has its name")
        except ValueError as error:
            self.images.keeps_all_layers = True
            log.warning("skipped the container in %s: %s", directory, error)
            return
        if document is None:
            rootfs.discard(directory)
            return
        self._upgrade(document)
        container = Container(self._context, ContainerRecord(directory, document))
        self._all[container.id] = container
        self._names[container.name] = container.id

    def _upgrade(self, document: Document) -> None:
        """Add what the records of older engines lack, and find the files of volumes."""
        defaults.complete(document)
        mode = document["HostConfig"]["NetworkMode"]
        endpoints = document.get("Endpoints") or ({} if ":" in mode else {mode: {}})
        document["Endpoints"] = {name: endpoint or {} for name, endpoint in endpoints.items()}
        document["MountPoints"] = document.get("MountPoints") or []
        for point in document["MountPoints"]:
            if point["Type"] == "volume":
                point["Source"] = str(self.volumes.data_directory(point["Name"]))
        if document.get("Layers") is None:
            image = self.images.all.get(document["Image"])
            document["Layers"] = image.layers if image else []

    def __iter__(self) -> Iterator[Container]:
        """Iterate from the newest container to the oldest."""
        return iter(sorted(self._all.values(), key=lambda container: _age(container.record), reverse=True))

    def __len__(self) -> int:
        return len(self._all)

    def records(self) -> list[ContainerRecord]:
        """Return the records of all containers, the newest first."""
        return [container.record for container in self]

    def count_using(self, image: Image) -> int:
        """Return the number of containers of an image."""
        return sum(container.record.image_id == image.id for container in self._all.values())

    def image_tree(self, container: Container) -> Path:
        """Return the file tree of the container's image. The image itself may have been removed since."""
        return self.images.trees.get(container.record.layers)

    def find(self, reference: str) -> Container:
        """Find a container by its id, its name, or a unique prefix of its id. Raises NotFound."""
        name = reference.removeprefix("/")
        identity = reference if reference in self._all else self._names.get(name)
        if identity is None and name and set(name) <= DIGITS:
            matches = [candidate for candidate in self._all if candidate.startswith(name)]
            if len(matches) > 1:
                raise Fault(f"Multiple IDs found with provided prefix: {name}")
            identity = matches[0] if matches else None
        if identity is None:
            raise NotFound(f"No such container: {reference}")
        return self._all[identity]

    def list(self, *, everything: bool, limit: int, filters: Filters) -> list[Container]:
        """Return the matching containers, the newest first. Raises BadParameter for an invalid filter."""
        matches = container_filter(filters, self._context.find, _age)
        with_stopped = everything or limit > 0 or bool(filters.get("status"))
        containers = [one for one in self if (with_stopped or one.state["Running"]) and matches(one.record)]
        return containers[:limit] if limit > 0 else containers

    # -- creating ----------------------------------------------------------------------------------------------

    async def create(self, name: str, body: Document) -> tuple[Container, Warnings]:
        """Create a container. Raises BadParameter, NotFound, Conflict."""
        if not any(value for key, value in body.items() if key in defaults.CONFIG):
            raise BadParameter("config cannot be empty in order to create a container")
        host = body.get("HostConfig") or {}
        validation.check_container(body, host)
        document = self._document(body, host)
        document["Name"] = self._reserve(name, document["Id"])
        volumes = set(self.volumes.all)
        try:
            document["MountPoints"] = mount_points.create_mount_points(
                document["Config"], document["HostConfig"], self.volumes, self._context.find
            )
            volumes = set(self.volumes.all) - volumes
            container = await self._make(ContainerRecord(self.root / document["Id"], document))
        except BaseException:
            new_volumes = volumes if "MountPoints" in document else set(self.volumes.all) - volumes
            self.volumes.release(document["Id"], list(new_volumes), remove_anonymous=True)
            self._names.pop(document["Name"], None)
            raise
        self._all[container.id] = container
        self.events.publish_container("create", container.record)
        has_cgroups = bool(self.services.groups.places)
        warnings = defaults.warnings_without_effect(container.record, host, self.services.rung, has_cgroups)
        return container, warnings

    def _document(self, body: Document, requested_host: Document) -> Document:
        """Return the document of the record, still without name and mounts. Raises BadParameter, NotFound."""
        reference = body.get("Image") or ""
        image = self.images.find(reference) if reference else None
        if reference and image is None:
            raise NotFound(f"No such image: {familiar_unchecked(reference)}")
        identity = secrets.token_hex(32)
        config = defaults.config(body, image.config if image else {}, reference, identity[:12])
        command = [*(config["Entrypoint"] or []), *(config["Cmd"] or [])]
        if not command or not command[0]:
            raise BadParameter("no command specified")
        host = defaults.host_config(requested_host)
        process_spec.rlimits(host)
        capabilities.allowed(host)
        return {
            "Id": identity,
            "Created": now(),
            "Name": "",
            "Path": command[0],
            "Args": command[1:],
            "Image": image.id if image else "",
            "Layers": image.layers if image else [],
            "Config": config,
            "HostConfig": host,
            "NetworkingConfig": body.get("NetworkingConfig") or {},
            "Endpoints": self.services.endpoints.by_network_name(endpoints.requested_endpoints(host, body)),
        } | new_state()

    async def _make(self, record: ContainerRecord) -> Container:
        record.directory.mkdir()
        try:
            return await self._fill(record)
        except BaseException:  # for instance a full disk; nothing must remain of a container that was not created
            await asyncio.to_thread(rootfs.remove, record.directory)
            raise

    async def _fill(self, record: ContainerRecord) -> Container:
        """Copy the image's files, save the record, and mark its volumes as used."""
        tree = await asyncio.to_thread(self.images.trees.get, record.layers)
        await asyncio.to_thread(rootfs.create, tree, record.root, record.config["Hostname"])
        await asyncio.to_thread(mount_points.fill_volumes, record.root, record.mount_points)
        container = Container(self._context, record)
        record.save()
        for name in record.volume_names:
            self.volumes.acquire(name, record.id)
        return container

    def _reserve(self, name: str, identity: str) -> str:
        """Take a name at once, so that another create can't take it in the meantime."""
        plain = name.removeprefix("/")
        if name and not NAME.fullmatch(plain):
            raise BadParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        if plain in self._names:
            raise Conflict(
                f'Conflict. The container name "/{plain}" is already in use by container "{self._names[plain]}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )
        plain = plain or random_names.generate(set(self._names))
        self._names[plain] = identity
        return plain

    def rename(self, container: Container, name: str) -> None:
        """Rename a container. Raises BadParameter, Conflict."""
        if not name:
            raise BadParameter("Neither old nor new names may be empty")
        if name.removeprefix("/") == container.name:
            raise BadParameter("Renaming a container with the same name as its current name")
        try:
            new_name = self._reserve(name, container.id)
        except (BadParameter, Conflict) as fault:
            raise type(fault)(f"Error when allocating new name: {fault}") from None
        old_name, container.record.name = container.name, new_name
        try:
            container.record.save()
        except OSError:
            container.record.name = old_name
            del self._names[new_name]
            raise
        del self._names[old_name]
        self.events.publish_container("rename", container.record, oldName=f"/{old_name}")

    # -- removing ----------------------------------------------------------------------------------------------

    async def prune(self, filters: Filters) -> tuple[Ids, int]:
        """Remove the matching stopped containers. Return their ids and the bytes that this freed.

        Raises BadParameter.
        """
        matches = prune_filter(filters)
        identities, freed = [], 0
        for container in list(self):
            record = container.record
            if record.state["Running"] or not matches(record.labels, _age(record)):
                continue
            size = await asyncio.to_thread(self._written_bytes, container)
            with contextlib.suppress(Conflict):  # somebody has just started it, or is removing it
                await container.remove(force=False)
                identities.append(record.id)
                freed += size
        self.events.publish("container", "prune", "", {"reclaimed": str(freed)})
        return identities, freed

    def _written_bytes(self, container: Container) -> int:
        try:
            return rootfs.sizes(self.image_tree(container), container.record.root)[0]
        except (OSError, Fault):  # the container can be removed even if its image's files are gone
            return 0

    def unlink(self, name: str) -> None:
        """Remove a link, `CONTAINER/ALIAS`. Raises NotFound."""
        owner, _, alias = name.removeprefix("/").partition("/")
        record = self.find(owner).record
        links = record.host_config["Links"] or []
        remaining = [link for link in links if link.rpartition(":")[2].rpartition("/")[2] != alias]
        if len(remaining) == len(links):
            raise NotFound(f"Cannot get parent link for name {name}")
        record.host_config["Links"] = remaining or None
        try:
            record.save()
        except OSError:
            record.host_config["Links"] = links
            raise

    def _forget(self, record: ContainerRecord) -> None:
        self._all.pop(record.id, None)
        self._names.pop(record.name, None)


def _age(record: ContainerRecord) -> int:
    """Return when a container was created, in nanoseconds since 1970."""
    return nanoseconds(record.created)
