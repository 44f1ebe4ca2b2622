"""The handlers by operationId, and the operations that the practice engine leaves out, with the reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from dockerlab.engine.api import (
    archive,
    attach,
    build,
    containers,
    events,
    execs,
    images,
    networks,
    plugins,
    registry,
    stats,
    system,
    volumes,
)
from dockerlab.engine.faults import Fault, NotServed, Unavailable

if TYPE_CHECKING:
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.http.messages import Request, Response
    from dockerlab.protocol.operations import Operation

__all__ = ["HANDLERS", "LEFT_OUT", "left_out"]

HANDLERS: dict[str, Callable[[Engine, Request], Awaitable[Response]]] = {
    **system.HANDLERS,
    **events.HANDLERS,
    **images.HANDLERS,
    **containers.HANDLERS,
    **attach.HANDLERS,
    **execs.HANDLERS,
    **archive.HANDLERS,
    **build.HANDLERS,
    **stats.HANDLERS,
    **networks.HANDLERS,
    **volumes.HANDLERS,
    **plugins.HANDLERS,
    **registry.HANDLERS,
}

SWARM = "a swarm needs managers and workers; a single engine answers as Docker does outside a swarm"
PLUGIN = "plugins are programs for Docker's own plugin host"
BUILDKIT = "only BuildKit uses it"

#: operationId -> why the practice engine leaves it out.
LEFT_OUT = {
    **dict.fromkeys(("NodeList", "NodeInspect", "NodeDelete", "NodeUpdate"), SWARM),
    **dict.fromkeys(("SwarmInspect", "SwarmInit", "SwarmJoin", "SwarmLeave", "SwarmUpdate"), SWARM),
    **dict.fromkeys(("SwarmUnlockkey", "SwarmUnlock"), SWARM),
    **dict.fromkeys(("ServiceList", "ServiceCreate", "ServiceInspect", "ServiceDelete", "ServiceUpdate"), SWARM),
    **dict.fromkeys(("ServiceLogs", "TaskList", "TaskInspect", "TaskLogs", "VolumeUpdate"), SWARM),
    **dict.fromkeys(("SecretList", "SecretCreate", "SecretInspect", "SecretDelete", "SecretUpdate"), SWARM),
    **dict.fromkeys(("ConfigList", "ConfigCreate", "ConfigInspect", "ConfigDelete", "ConfigUpdate"), SWARM),
    **dict.fromkeys(("GetPluginPrivileges", "PluginPull", "PluginUpgrade", "PluginCreate", "PluginPush"), PLUGIN),
    "Session": BUILDKIT,
}


def left_out(operation: Operation) -> Fault:
    """Return the fault for an operation without a handler."""
    reason = LEFT_OUT[operation.id]
    if reason is SWARM:
        return Unavailable(
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to '
            "swarm and try again."
        )
    return NotServed(f"{operation.id} is left out of the practice engine: {reason}")
