"""`lab.swarm`: operations on the engine's swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.tables.build import object_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SwarmGroup"]


class SwarmGroup(Group):
    """Operations on the engine's swarm.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def inspect(self, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /swarm.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON), including the tokens
        for joining. Raises NotFound (404), ServerError (500; 503 outside a swarm).
        Source: Engine API, Swarm, SwarmInspect.
        """
        return self._object("SwarmInspect", timeout=timeout)

    def init(
        self,
        listen_addr: str = "0.0.0.0:2377",
        *,
        advertise_addr: str | None = None,
        data_path_addr: str | None = None,
        data_path_port: int | None = None,
        default_addr_pool: list[str] | None = None,
        force_new_cluster: bool | None = None,
        subnet_size: int | None = None,
        spec: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /swarm/init.

        Makes the engine the first manager of a new swarm. Returns a long table: `field` NodeID and its `value`.
        `advertise_addr` is the address at which other nodes reach this one.
        Raises BadRequest (400), ServerError (500; 503 if the engine is already in a swarm).
        Source: Engine API, Swarm, SwarmInit.
        """
        return object_table({"NodeID": self._json("SwarmInit", **own_arguments(locals()))})

    def join(
        self,
        remote_addrs: list[str],
        join_token: str,
        *,
        listen_addr: str = "0.0.0.0:2377",
        advertise_addr: str | None = None,
        data_path_addr: str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /swarm/join.

        Joins a swarm, through the addresses of its managers and a token that `inspect` returns on one of them. Returns
        one row: `operation`, `object`, `status`, `changed`. Raises BadRequest (400), ServerError (500; 503 if the
        engine is already in a swarm).
        Source: Engine API, Swarm, SwarmJoin.
        """
        return self._outcome("SwarmJoin", **own_arguments(locals()))

    def leave(self, *, force: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /swarm/leave.

        The last manager needs `force` to leave, which destroys the swarm. Returns one row: `operation`, `object`,
        `status`, `changed`. Raises ServerError (500; 503 outside a swarm, or if `force` is needed).
        Source: Engine API, Swarm, SwarmLeave.
        """
        return self._outcome("SwarmLeave", timeout=timeout, force=force)

    def update(
        self,
        *,
        version: int,
        rotate_worker_token: bool | None = None,
        rotate_manager_token: bool | None = None,
        rotate_manager_unlock_key: bool | None = None,
        timeout: float | None = None,
        **spec: Any,
    ) -> pd.DataFrame:
        """POST /swarm/update.

        Replaces the swarm's whole configuration: `name`, `labels`, `orchestration`, `raft`, `dispatcher`, `ca_config`,
        `encryption_config`, `task_defaults`, each an object of the API. Pass the `Spec` of `inspect` as `body` to keep
        the other values. `version` is its `Version.Index`. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises BadRequest (400), ServerError (500; 503 outside a swarm). Source: Engine API, Swarm, SwarmUpdate.
        """
        return self._outcome("SwarmUpdate", **own_arguments(locals(), "spec"), **spec)

    def unlockkey(self, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /swarm/unlockkey.

        Returns a long table: `field` UnlockKey and its `value`, which is empty if autolock is off.
        Raises ServerError (500; 503 outside a swarm). Source: Engine API, Swarm, SwarmUnlockkey.
        """
        return self._object("SwarmUnlockkey", timeout=timeout)

    def unlock(self, unlock_key: str, *, timeout: float | None = None) -> pd.DataFrame:
        """POST /swarm/unlock.

        Unlocks a manager after its restart. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises ServerError (500; 503 outside a swarm), Conflict (409) if it isn't locked.
        Source: Engine API, Swarm, SwarmUnlock.
        """
        return self._outcome("SwarmUnlock", timeout=timeout, unlock_key=unlock_key)
