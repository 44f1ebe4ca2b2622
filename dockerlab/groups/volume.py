"""`lab.volume`: operations on volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.tables.volume import volume_list

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VolumeGroup"]


class VolumeGroup(Group):
    """Operations on volumes. Methods take a volume's name; volumes have no id.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def list(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /volumes.

        Returns one row per volume: `name`, `driver`, `mountpoint` (string), `created` (datetime, UTC), `labels`,
        `options` (object), `scope` (string), `size_bytes`, `containers` (Int64; <NA> in this
        response; `system.data_usage` has them).

        `filters` are dangling, driver, label, name.
        Raises BadRequest (400) for a bad filter, ServerError (500). Source: Engine API, Volume, VolumeList.
        """
        return volume_list(self._json("VolumeList", timeout=timeout, filters=filters))

    def create(
        self,
        name: str | None = None,
        *,
        driver: str | None = None,
        driver_opts: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        cluster_volume_spec: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /volumes/create.

        Returns a long table: `field` and `value` of the volume. Without a name the engine generates one; if a volume of
        that name exists, the engine returns that one. The `driver_opts` of the driver local are type, device and o;
        `cluster_volume_spec` needs API 1.42 and a swarm.
        Raises BadRequest (400), NotFound (404) for an unknown driver, ServerError (500).
        Source: Engine API, Volume, VolumeCreate.
        """
        return self._object("VolumeCreate", **own_arguments(locals()), body={})

    def inspect(self, name: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /volumes/{name}.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON).
        Raises NotFound (404), ServerError (500). Source: Engine API, Volume, VolumeInspect.
        """
        return self._object("VolumeInspect", timeout=timeout, name=name)

    def update(
        self, name: str, *, version: int, spec: dict[str, Any] | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """PUT /volumes/{name}.

        Changes the availability of a cluster volume; needs API 1.42 and a swarm. `version` is its
        `ClusterVolume.Version.Index`, as inspect returns it. Returns one row: `operation`, `object`, `status`,
        `changed`.
        Raises BadRequest (400), NotFound (404), ServerError (500; 503 outside a swarm).
        Source: Engine API, Volume, VolumeUpdate.
        """
        return self._outcome("VolumeUpdate", timeout=timeout, name=name, version=version, spec=spec)

    def delete(self, name: str, *, force: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """DELETE /volumes/{name}.

        Deletes the volume with its content; with `force` a missing volume is no error. Returns one row: `operation`,
        `object`, `status`, `changed`. Raises NotFound (404), Conflict (409) if a container uses it, ServerError (500).
        Source: Engine API, Volume, VolumeDelete.
        """
        return self._outcome("VolumeDelete", timeout=timeout, name=name, force=force)

    def prune(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /volumes/prune.

        Removes volumes that no container uses. From API 1.42 on, these are only the anonymous ones; {"all": ["true"]}
        selects the named ones too. Returns a long table: `field` and `value` of `VolumesDeleted` and
        `SpaceReclaimed` (bytes). `filters` are all, label, label!: use a label of yours to spare other people's.
        Raises BadRequest (400), ServerError (500). Source: Engine API, Volume, VolumePrune.
        """
        return self._object("VolumePrune", timeout=timeout, filters=filters)
