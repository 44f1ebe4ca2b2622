"""What the containers of one engine share: the engine's services, and how to find and forget a container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.common.events import Events
    from dockerlab.engine.networks.endpoints import Endpoints
    from dockerlab.engine.processes.cgroups import Hierarchies
    from dockerlab.engine.processes.isolation import Rung
    from dockerlab.engine.storage.volumes import Volumes

__all__ = ["ContainerContext", "EngineServices"]


@dataclass(frozen=True, slots=True)
class EngineServices:
    """The parts of the engine that containers use."""

    rung: Rung
    events: Events
    volumes: Volumes
    groups: Hierarchies
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class ContainerContext:
    """What a container knows of its surroundings. A container that removes itself calls `forget`."""

    services: EngineServices
    find: Callable[[str], ContainerRecord]
    forget: Callable[[ContainerRecord], None]
