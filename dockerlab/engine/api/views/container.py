"""How a container is told: its summary in the list, and inspect. Every field in Docker's order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.api.views import network
from dockerlab.engine.common.timestamps import NEVER, nanoseconds, time_ago
from dockerlab.engine.storage import mount_points, rootfs

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container

__all__ = [
    "command",
    "host_config",
    "inspect",
    "sizes",
    "status",
    "summary",
    "waited",
]

SECOND = 10**9
HEALTH = {"starting": " (health: starting)", "healthy": " (healthy)", "unhealthy": " (unhealthy)"}
Version = tuple[int, ...]
Record = dict[str, Any]


def status(container: Container) -> str:
    """Give the human phrase: `Up 2 minutes`, `Exited (0) 3 seconds ago`, `Created`."""
    state = container.state
    if state["Status"] in ("running", "paused"):
        health = (state.get("Health") or {}).get("Status", "none")
        more = " (Paused)" if state["Paused"] else HEALTH.get(health, "")
        return f"Up {time_ago(state['StartedAt'])}{more}"
    if state["Status"] == "restarting":
        return f"Restarting ({state['ExitCode']}) {time_ago(state['FinishedAt'])} ago"
    if state["Status"] == "created" or state["FinishedAt"] == NEVER:
        return "Created"
    return f"Exited ({state['ExitCode']}) {time_ago(state['FinishedAt'])} ago"


def command(container: Container) -> str:
    """Write path and arguments as Docker does: an argument with a space stands in single quotes."""
    path, *arguments = container.record.command
    return " ".join([path, *(f"'{word}'" if " " in word else word for word in arguments)])


def summary(container: Container, version: Version, sized: tuple[int, int] | None) -> Record:
    """Make one item of the list."""
    record = container.record
    made = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": record.image_name,
        "ImageID": record.image_id,
        "Command": command(container),
        "Created": nanoseconds(record.created) // SECOND,
        "Ports": network.ports(container),
    }
    if sized is not None:
        made |= {name: size for name, size in zip(("SizeRw", "SizeRootFs"), sized, strict=True) if size}
    return made | {
        "Labels": record.config["Labels"],
        "State": container.state["Status"],
        "Status": status(container),
        "HostConfig": {"NetworkMode": record.network_mode},
        "NetworkSettings": {"Networks": network.endpoints(container, version)},
        "Mounts": _summed(mount_points.shown(record.mount_points)),
    }


def _summed(points: list[Record]) -> list[Record]:
    """A volume's place on this machine is not told in the list."""
    return [{**point, "Source": ""} if point["Type"] == "volume" else point for point in points]


def inspect(container: Container, version: Version, sized: tuple[int, int] | None) -> Record:
    """Make the whole document."""
    record = container.record
    directory = record.directory
    made = {
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
        "ExecIDs": [one.id for one in container.execs.values() if one.running is not None] or None,
        "HostConfig": host_config(record.host_config, version),
        "GraphDriver": {"Data": {"RootDir": str(record.root)}, "Name": "copy"},
    }
    if sized is not None:
        made |= {"SizeRw": sized[0], "SizeRootFs": sized[1]}
    return made | {
        "Mounts": mount_points.shown(record.mount_points),
        "Config": record.config,
        "NetworkSettings": network.settings(container, version),
    }


def host_config(kept: Record, version: Version) -> Record:
    """Tell the HostConfig; kernel memory was known up to 1.41, where it stands between two other limits."""
    if version > (1, 41):
        return kept
    made: Record = {}
    for key, value in kept.items():
        if key == "MemoryReservation":
            made |= {"KernelMemory": 0, "KernelMemoryTCP": 0}
        made[key] = value
    return made


def sizes(container: Container, base: Path) -> tuple[int, int]:
    """Give what a container wrote over its image's tree, and all that it has."""
    return rootfs.sizes(base, container.record.root)


def waited(told: Record, version: tuple[int, ...]) -> Record:
    """Tell how a container ended. Without an error, engines newer than 1.41 say nothing of it instead of null."""
    return {key: value for key, value in told.items() if value is not None or version <= (1, 41)}
