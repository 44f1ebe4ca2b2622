"""`lab.swarm`: operations on the swarm that an engine is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.tables.build import object_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SwarmGroup"]


class SwarmGroup(Group):
    """Operations on the swarm that an engine is in.

    Every method takes `timeout`, in seconds, in place of the Lab's: how long to wait for the engine's next bytes.
    """

    def inspect(self, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /swarm.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON), the tokens with which
        others join among them. Raises NotFound (404), ServerError (500; 503 outside of a swarm).
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

        Makes the engine the first manager of a new swarm. Returns one row of a long table: `field` NodeID, and its
        `value`. `advertise_addr` is the address that others know it by.
        Raises BadRequest (400), ServerError (500; 503 if it is in a swarm already).
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

        Lets the engine join a swarm, by the addresses of managers and the token that `inspect` tells there. One row:
        `operation`, `object`, `status`, `changed`. Raises BadRequest (400), ServerError (500; 503 if it is in one).
        Source: Engine API, Swarm, SwarmJoin.
        """
        return self._outcome("SwarmJoin", **own_arguments(locals()))

    def leave(self, *, force: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /swarm/leave.

        The last manager leaves only with `force`, and the swarm is gone with it. One row: `operation`, `object`,
        `status`, `changed`. Raises ServerError (500; 503 outside of a swarm, or if it may not leave).
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

        Sets the whole of the swarm's settings: `name`, `labels`, `orchestration`, `raft`, `dispatcher`, `ca_config`,
        `encryption_config`, `task_defaults`, each the API's own object; begin with the `Spec` of `inspect`, which
        `body=` takes as it is. `version` is its `Version.Index`. One row: `operation`, `object`, `status`, `changed`.
        Raises BadRequest (400), ServerError (500; 503 outside of a swarm). Source: Engine API, Swarm, SwarmUpdate.
        """
        return self._outcome("SwarmUpdate", **own_arguments(locals(), "spec"), **spec)

    def unlockkey(self, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /swarm/unlockkey.

        Returns a long table: `field` UnlockKey and its `value`, empty if managers aren't locked.
        Raises ServerError (500; 503 outside of a swarm). Source: Engine API, Swarm, SwarmUnlockkey.
        """
        return self._object("SwarmUnlockkey", timeout=timeout)

    def unlock(self, unlock_key: str, *, timeout: float | None = None) -> pd.DataFrame:
        """POST /swarm/unlock.

        Unlocks a manager after its restart. One row: `operation`, `object`, `status`, `changed`.
        Raises ServerError (500; 503 outside of a swarm), Conflict (409) if it isn't locked.
        Source: Engine API, Swarm, SwarmUnlock.
        """
        return self._outcome("SwarmUnlock", timeout=timeout, unlock_key=unlock_key)
