"""The handlers, by operationId, and what is left out with its reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from dockerlab.engine.api import (
    archive,
    build,
    containers,
    events,
    execs,
    images,
    networks,
    plugins,
    stats,
    streams,
    system,
    volumes,
)
from dockerlab.engine.faults import Fault, NotServed, Unavailable

if TYPE_CHECKING:
    from dockerlab.engine.core import Engine
    from dockerlab.engine.messages import Answer, Request
    from dockerlab.operations import Operation

__all__ = ["HANDLERS", "LEFT_OUT", "left_out"]

HANDLERS: dict[str, Callable[[Engine, Request], Awaitable[Answer]]] = {
    **system.HANDLERS,
    **events.HANDLERS,
    **images.HANDLERS,
    **containers.HANDLERS,
    **streams.HANDLERS,
    **execs.HANDLERS,
    **archive.HANDLERS,
    **build.HANDLERS,
    **stats.HANDLERS,
    **networks.HANDLERS,
    **volumes.HANDLERS,
    **plugins.HANDLERS,
}

SWARM = "a swarm needs managers and workers; a lone engine answers as Docker does on a lone node"
LATER = "not built yet: the practice engine grows with the course"
PLUGIN = "plugins are programs for Docker's own plugin host"

#: What the practice engine leaves out, by the tag or prefix of the operationId, and why.
LEFT_OUT = {
    "Swarm": SWARM,
    "Node": SWARM,
    "Service": SWARM,
    "Task": SWARM,
    "Secret": SWARM,
    "Config": SWARM,
    "Plugin": PLUGIN,
    "GetPlugin": PLUGIN,
    "Session": "only BuildKit speaks on it",
    "Build": LATER,
    "Container": LATER,
    "PutContainer": LATER,
    "Exec": LATER,
    "Image": LATER,
    "Volume": LATER,
    "Network": LATER,
    "Distribution": LATER,
    "System": LATER,
}


def left_out(operation: Operation) -> Fault:
    """Give the fault for an operation without a handler."""
    family = max((name for name in LEFT_OUT if operation.id.startswith(name)), key=len)
    if LEFT_OUT[family] is SWARM:
        return Unavailable(
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to '
            "swarm and try again."
        )
    return NotServed(f"{operation.id} is left out of the practice engine: {LEFT_OUT[family]}")
