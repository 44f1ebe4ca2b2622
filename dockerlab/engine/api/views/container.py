"""Containers as JSON: the item of a list, and inspect. Every field stands in Docker's order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.views import network
from dockerlab.engine.common.timestamps import NEVER, nanoseconds, time_ago
from dockerlab.engine.faults import Fault
from dockerlab.engine.storage import rootfs
from dockerlab.engine.storage.mount_points import INTERNAL_FIELDS

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.images.images import Images

__all__ = ["inspect", "sizes", "status", "summary", "wait_result"]

SECOND = 10**9
log = logging.getLogger("dockerlab.engine")
HEALTH = {"starting": " (health: starting)", "healthy": " (healthy)", "unhealthy": " (unhealthy)"}
#: The last version with kernel memory in HostConfig, and with `null` for a wait without an error.
LAST_WITH_NULLS = (1, 41)
Version = tuple[int, ...]
Record = dict[str, Any]
Sizes = tuple[int, int]


def status(container: Container) -> str:
    """Return the phrase for people: `Up 2 minutes`, `Exited (0) 3 seconds ago`, `Created`."""
    state = container.state
    if state["Status"] in ("running", "paused"):
        health = (state.get("Health") or {}).get("Status", "none")
        suffix = " (Paused)" if state["Paused"] else HEALTH.get(health, "")
        return f"Up {time_ago(state['StartedAt'])}{suffix}"
    if state["Status"] == "restarting":
        return f"Restarting ({state['ExitCode']}) {time_ago(state['FinishedAt'])} ago"
    if state["Status"] == "created" or state["FinishedAt"] == NEVER:
        return "Created"
    return f"Exited ({state['ExitCode']}) {time_ago(state['FinishedAt'])} ago"


def _command(container: Container) -> str:
    """Return the command line as Docker writes it: an argument with a space stands in single quotes."""
    path, *arguments = container.record.command
    return " ".join([path, *(f"'{word}'" if " " in word else word for word in arguments)])


def summary(container: Container, version: Version, sizes: Sizes | None) -> Record:
    """Return one item of the list of containers."""
    record = container.record
    document = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": record.image_name,
        "ImageID": record.image_id,
        "Command": _command(container),
        "Created": nanoseconds(record.created) // SECOND,
        "Ports": network.ports(container),
    }
    if sizes is not None:
        document |= {name: size for name, size in zip(("SizeRw", "SizeRootFs"), sizes, strict=True) if size}
    return document | {
        "Labels": record.config["Labels"],
        "State": container.state["Status"],
        "Status": status(container),
        "HostConfig": {"NetworkMode": record.network_mode},
        "NetworkSettings": {"Networks": network.container_endpoints(container, version)},
        # The list does not show where the files of a volume are.
        "Mounts": [{**point, "Source": ""} if point["Type"] == "volume" else point for point in _mounts(container)],
    }


def inspect(container: Container, version: Version, sizes: Sizes | None) -> Record:
    """Return the whole document of a container."""
    record = container.record
    directory = record.directory
    document = {
        "Id": container.id,
        "Created": record.created,
        "Path": record.command[0],
        "Args": record.command[1:],
        "State": container.state,
        "Image": record.image_id,
        "ResolvConfPath": str(directory / "resolv.conf"),
        "HostnamePath": str(directory / "hostname"),
        "HostsPath": str(directory / "hosts"),
        "LogPath": str(record.log_path),
        "Name": f"/{container.name}",
        "RestartCount": record.restart_count,
        "Driver": "copy",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": [each.id for each in container.execs.values() if each.running is not None] or None,
        "HostConfig": _host_config(record.host_config, version),
        "GraphDriver": {"Data": {"RootDir": str(record.root)}, "Name": "copy"},
    }
    if sizes is not None:
        document |= {"SizeRw": sizes[0], "SizeRootFs": sizes[1]}
    return document | {
        "Mounts": _mounts(container),
        "Config": record.config,
        "NetworkSettings": network.container_settings(container, version),
    }


def _mounts(container: Container) -> list[Record]:
    points = container.record.mount_points
    return [{key: value for key, value in point.items() if key not in INTERNAL_FIELDS} for point in points]


def _host_config(host_config: Record, version: Version) -> Record:
    """Return the HostConfig; up to version 1.41 it has limits of kernel memory, which stand between two others."""
    if version > LAST_WITH_NULLS:
        return host_config
    document: Record = {}
    for key, value in host_config.items():
        if key == "MemoryReservation":
            document |= {"KernelMemory": 0, "KernelMemoryTCP": 0}
        document[key] = value
    return document


def sizes(container: Container, images: Images) -> Sizes:
    """Return the bytes that a container has written over its image's files, and the bytes of all its files.

    Both are 0 if the files can't be read, for instance because they are being removed.
    """
    try:
        return rootfs.sizes(images.trees.get(container.record.layers), container.record.root)
    except (OSError, Fault):
        log.warning("could not measure the files of %s", container.id, exc_info=True)
        return 0, 0


def wait_result(result: Record, version: Version) -> Record:
    """Return how a container ended. Without an error, versions after 1.41 leave the field out instead of null."""
    return {key: value for key, value in result.items() if value is not None or version <= LAST_WITH_NULLS}
