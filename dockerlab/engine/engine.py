"""The engine: a state directory with images, containers, networks and volumes, and the rung that isolates them."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.engine.common import json_files
from dockerlab.engine.common.events import Events
from dockerlab.engine.common.private_directory import make_private
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.containers.container_context import EngineServices
from dockerlab.engine.containers.containers import Containers
from dockerlab.engine.containers.execs import Execs
from dockerlab.engine.images.images import Images
from dockerlab.engine.networks.endpoints import Endpoints
from dockerlab.engine.networks.networks import Networks
from dockerlab.engine.networks.switch_client import SwitchClient
from dockerlab.engine.processes import cgroups
from dockerlab.engine.storage.leftovers import remove_leftovers, remove_tracer_directories
from dockerlab.engine.storage.volumes import Volumes

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.processes.isolation import Rung

__all__ = ["Engine"]


class Engine:
    """What the handlers of requests work on."""

    def __init__(self, state: Path, rung: Rung) -> None:
        """Open a state directory, and lock it. Raises BlockingIOError if another engine uses it.

        Raises PrivateDirectoryError if other users can use the directory.
        """
        make_private(state, "DOCKERLAB_STATE=DIR")
        self.state = state
        self.rung = rung
        self._lock = (state / "engine.lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.set_inheritable(self._lock.fileno(), False)
        remove_leftovers(state)
        remove_tracer_directories()
        self.started = now()
        self.identity = self._identity()
        self.events = Events()
        self.images = Images(state / "images", self.events)
        self.volumes = Volumes(state / "volumes", self.events)
        self.groups = cgroups.find_hierarchies(self.identity)
        self.switch = SwitchClient(state, "network" in rung.gives)
        self.networks = Networks(state / "networks", self.events, self.switch.works)
        self.endpoints = Endpoints(self.networks, self.switch, self._container_records)
        services = EngineServices(rung, self.events, self.volumes, self.groups, self.endpoints)
        self.containers = Containers(state / "containers", self.images, services)
        self.execs = Execs()

    def _container_records(self) -> list[ContainerRecord]:
        return self.containers.records()

    def _identity(self) -> str:
        """Return the id of this engine, which is chosen at its first start."""
        path = self.state / "identity.json"
        identity = json_files.read(path)
        if not identity:
            identity = {"id": secrets.token_hex(16)}
            json_files.write(path, identity)
        return str(identity["id"])
