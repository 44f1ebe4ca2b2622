"""`lab.network`: operations on networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.tables.network import LIST

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NetworkGroup"]


class NetworkGroup(Group):
    """Operations on networks. Methods take a network's name, its id, or a unique prefix of its id.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def list(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /networks.

        Returns one row per network: `name`, `driver`, `scope`, `subnets` (string), `internal`, `attachable`, `ingress`,
        `enable_ipv4`, `enable_ipv6` (boolean), `created` (datetime, UTC), `labels`, `options` (object), `id` (string).

        `filters` are dangling, driver, id, label, name, scope, type.
        Raises BadRequest (400) for a bad filter, ServerError (500). Source: Engine API, Network, NetworkList.
        """
        return self._array(LIST, "NetworkList", timeout=timeout, filters=filters)

    def create(
        self,
        name: str,
        *,
        driver: str | None = None,
        scope: str | None = None,
        internal: bool | None = None,
        attachable: bool | None = None,
        ingress: bool | None = None,
        config_only: bool | None = None,
        config_from: dict[str, str] | None = None,
        ipam: dict[str, Any] | None = None,
        enable_ipv4: bool | None = None,
        enable_ipv6: bool | None = None,
        options: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /networks/create.

        Returns a long table: `field` and `value` of `Id` and `Warning`. The default driver is bridge; `ipam`
        is an object of the API: {"Config": [{"Subnet": "10.9.0.0/24"}]}; `enable_ipv4` needs API 1.48.
        Raises BadRequest (400), NotAllowed (403) for the name of a predefined network, NotFound (404) for an unknown
        driver, Conflict (409) if the name is in use, ServerError (500).
        Source: Engine API, Network, NetworkCreate.
        """
        return self._object("NetworkCreate", **own_arguments(locals()))

    def inspect(
        self, id: str, *, verbose: bool | None = None, scope: str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """GET /networks/{id}.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON); `Containers` has
        the running containers in it. `verbose` adds a swarm's services; `scope` is local, swarm or global.
        Raises NotFound (404), ServerError (500). Source: Engine API, Network, NetworkInspect.
        """
        return self._object("NetworkInspect", timeout=timeout, id=id, verbose=verbose, scope=scope)

    def connect(
        self,
        id: str,
        container: str,
        *,
        endpoint_config: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /networks/{id}/connect.

        Connects a container. `endpoint_config` is an object of the API: {"Aliases": ["db"]}. Returns one row:
        `operation`, `object`, `status`, `changed`. Raises BadRequest (400), NotAllowed (403) if the network does not
        accept the container, NotFound (404), ServerError (500). Source: Engine API, Network, NetworkConnect.
        """
        return self._outcome(
            "NetworkConnect", timeout=timeout, id=id, container=container, endpoint_config=endpoint_config
        )

    def disconnect(
        self, id: str, container: str, *, force: bool | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """POST /networks/{id}/disconnect.

        Disconnects a container. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises NotAllowed (403), NotFound (404), ServerError (500). Source: Engine API, Network, NetworkDisconnect.
        """
        return self._outcome("NetworkDisconnect", timeout=timeout, id=id, container=container, force=force)

    def delete(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """DELETE /networks/{id}.

        Returns one row: `operation`, `object`, `status`, `changed`. Raises NotAllowed (403) if a container is connected
        or the network is predefined, NotFound (404), ServerError (500). Source: Engine API, Network, NetworkDelete.
        """
        return self._outcome("NetworkDelete", timeout=timeout, id=id)

    def prune(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /networks/prune.

        Removes networks without containers. Returns a long table: `field` and `value` of `NetworksDeleted`.
        `filters` are label, label!, until: use a label of yours to spare other people's.
        Raises BadRequest (400), ServerError (500). Source: Engine API, Network, NetworkPrune.
        """
        return self._object("NetworkPrune", timeout=timeout, filters=filters)
