"""What the containers of one engine share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerlab.engine.common.events import Events
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.networks.endpoints import Endpoints
    from dockerlab.engine.processes.cgroups import Hierarchies
    from dockerlab.engine.processes.isolation import Rung
    from dockerlab.engine.storage.volumes import Volumes

__all__ = ["Home", "Means"]


@dataclass(frozen=True, slots=True)
class Means:
    """What an engine gives to its containers."""

    rung: Rung
    events: Events
    volumes: Volumes
    groups: Hierarchies
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class Home:
    """What all containers of one engine share; `forget` is called by one that removes itself."""

    means: Means
    find: Callable[[str], Container]
    forget: Callable[[Container], None]
