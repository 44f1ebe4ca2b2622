"""`lab.node`: operations on the nodes of a swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.tables.swarm import NODES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NodeGroup"]


class NodeGroup(Group):
    """Operations on the nodes of a swarm, for managers only. Methods take a node's name or id."""

    def list(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /nodes.

        Returns one row per node: `hostname`, `role`, `availability`, `state` (string), `leader` (boolean),
        `reachability`, `address`, `engine_version`, `os`, `architecture` (string), `nano_cpus` (Int64, billionths of a
        processor), `memory_bytes` (Int64), `labels` (object), `created`, `updated` (datetime, UTC), `version` (Int64),
        `id` (string). `filters` are id, label, membership, name, node.label, role.
        Raises BadRequest (400), ServerError (500; 503 outside a swarm). Source: Engine API, Node, NodeList.
        """
        return self._array(NODES, "NodeList", timeout=timeout, filters=filters)

    def inspect(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /nodes/{id}.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON).
        Raises NotFound (404), ServerError (500; 503 outside a swarm). Source: Engine API, Node, NodeInspect.
        """
        return self._object("NodeInspect", timeout=timeout, id=id)

    def update(
        self,
        id: str,
        *,
        version: int,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        role: str | None = None,
        availability: str | None = None,
        body: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /nodes/{id}/update.

        Replaces the node's whole configuration: values that are left out become empty. So give both `role` (manager,
        worker) and `availability` (active, pause, drain), or as `body` the `Spec` that inspect returns. `version` is
        its `Version.Index`, from list or inspect. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises BadRequest (400), NotFound (404), ServerError (500; 503 outside a swarm).
        Source: Engine API, Node, NodeUpdate.
        """
        return self._outcome("NodeUpdate", **own_arguments(locals()))

    def delete(self, id: str, *, force: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """DELETE /nodes/{id}.

        Removes a node that is down from the swarm; with `force` also one that is not down. Returns one row:
        `operation`, `object`, `status`, `changed`. Raises NotFound (404), ServerError (500 if the node is not down;
        503 outside a swarm).
        Source: Engine API, Node, NodeDelete.
        """
        return self._outcome("NodeDelete", timeout=timeout, id=id, force=force)
