"""`lab.secret`: operations on the secrets of a swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import own_arguments
from dockerlab.groups.swarm_data import SwarmData
from dockerlab.tables.swarm import SECRETS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SecretGroup"]


class SecretGroup(SwarmData):
    """Operations on the secrets of a swarm, for managers only. Methods take a secret's name or id.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def list(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /secrets.

        Returns one row per secret: `name`, `driver` (string), `labels` (object), `created`, `updated` (datetime, UTC),
        `version` (Int64), `id` (string). `filters` are id, label, name, names.
        Raises BadRequest (400), ServerError (500; 503 outside a swarm). Source: Engine API, Secret, SecretList.
        """
        return self._array(SECRETS, "SecretList", timeout=timeout, filters=filters)

    def create(
        self,
        name: str,
        data: str | bytes | None = None,
        *,
        labels: dict[str, str] | None = None,
        driver: dict[str, Any] | None = None,
        templating: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /secrets/create.

        Returns a long table: `field` ID and its `value`. `data` is the secret itself, text or bytes; it is sent as
        base64, and hidden wherever the exchange is shown.
        Raises BadRequest (400), Conflict (409) if the name is in use, ServerError (500; 503 outside a swarm).
        Source: Engine API, Secret, SecretCreate.
        """
        return self._create("SecretCreate", own_arguments(locals()))

    def inspect(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /secrets/{id}.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON), without the data.
        Raises NotFound (404), ServerError (500; 503 outside a swarm). Source: Engine API, Secret, SecretInspect.
        """
        return self._object("SecretInspect", timeout=timeout, id=id)

    def update(
        self,
        id: str,
        *,
        version: int,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        data: str | bytes | None = None,
        driver: dict[str, Any] | None = None,
        templating: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /secrets/{id}/update.

        Replaces all labels with `labels`. Nothing else can be changed: the other values, at least the name, must be
        given as they are. `version` is its `Version.Index`. Returns one row: `operation`, `object`, `status`,
        `changed`.
        Raises BadRequest (400) if the request changes anything else, NotFound (404), ServerError (500; 503 outside a
        swarm). Source: Engine API, Secret, SecretUpdate.
        """
        return self._update("SecretUpdate", own_arguments(locals()))

    def delete(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """DELETE /secrets/{id}.

        Returns one row: `operation`, `object`, `status`, `changed`. Raises BadRequest (400) if a service uses it,
        NotFound (404), ServerError (500; 503 outside a swarm). Source: Engine API, Secret, SecretDelete.
        """
        return self._outcome("SecretDelete", timeout=timeout, id=id)
