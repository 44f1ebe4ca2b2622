"""`lab.config`: operations on the configs of a swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import own_arguments
from dockerlab.groups.swarm_data import SwarmData
from dockerlab.tables.swarm import CONFIGS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ConfigGroup"]


class ConfigGroup(SwarmData):
    """Operations on the configs of a swarm, for managers only. Methods take a config's name or id.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def list(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /configs.

        Returns one row per config: `name`, `data` (string), `labels` (object), `created`, `updated` (datetime, UTC),
        `version` (Int64), `id` (string). `filters` are id, label, name, names.
        Raises BadRequest (400), ServerError (500; 503 outside a swarm). Source: Engine API, Config, ConfigList.
        """
        return self._array(CONFIGS, "ConfigList", timeout=timeout, filters=filters)

    def create(
        self,
        name: str,
        data: str | bytes,
        *,
        labels: dict[str, str] | None = None,
        templating: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /configs/create.

        Returns a long table: `field` ID and its `value`. `data` is the config's content, text or bytes; it is sent as
        base64.
        Raises BadRequest (400), Conflict (409) if the name is in use, ServerError (500; 503 outside a swarm).
        Source: Engine API, Config, ConfigCreate.
        """
        return self._create("ConfigCreate", own_arguments(locals()))

    def inspect(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /configs/{id}.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON).
        Raises NotFound (404), ServerError (500; 503 outside a swarm). Source: Engine API, Config, ConfigInspect.
        """
        return self._object("ConfigInspect", timeout=timeout, id=id)

    def update(
        self,
        id: str,
        *,
        version: int,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        data: str | bytes | None = None,
        templating: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /configs/{id}/update.

        Replaces all labels with `labels`. Nothing else can be changed: the other values, at least the name, must be
        given as they are. `version` is its `Version.Index`. Returns one row: `operation`, `object`, `status`,
        `changed`.
        Raises BadRequest (400) if the request changes anything else, NotFound (404), ServerError (500; 503 outside a
        swarm). Source: Engine API, Config, ConfigUpdate.
        """
        return self._update("ConfigUpdate", own_arguments(locals()))

    def delete(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """DELETE /configs/{id}.

        Returns one row: `operation`, `object`, `status`, `changed`. Raises BadRequest (400) if a service uses it,
        NotFound (404), ServerError (500; 503 outside a swarm). Source: Engine API, Config, ConfigDelete.
        """
        return self._outcome("ConfigDelete", timeout=timeout, id=id)
