"""`lab.service`: operations on the services of a swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.groups.logs import Follow, read_log
from dockerlab.tables.swarm import SERVICES

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import pandas as pd

    Moment = datetime | timedelta | float | str
    Objects = list[dict[str, Any]]

__all__ = ["ServiceGroup"]


class ServiceGroup(Group):
    """Operations on the services of a swarm, for managers only. Methods take a service's name or id.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def list(
        self, *, filters: dict[str, Any] | None = None, status: bool | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """GET /services.

        Returns one row per service: `name`, `mode` (string), `replicas`, `running_tasks`, `desired_tasks` (Int64; the
        last two with status=True), `image`, `ports` (string), `labels` (object), `update_state` (string), `created`,
        `updated` (datetime, UTC), `version` (Int64), `id` (string). `filters` are id, label, mode, name.
        Raises BadRequest (400), ServerError (500; 503 outside a swarm). Source: Engine API, Service, ServiceList.
        """
        return self._array(SERVICES, "ServiceList", timeout=timeout, filters=filters, status=status)

    def create(
        self,
        name: str | None = None,
        *,
        task_template: dict[str, Any],
        labels: dict[str, str] | None = None,
        mode: dict[str, Any] | None = None,
        update_config: dict[str, Any] | None = None,
        rollback_config: dict[str, Any] | None = None,
        networks: Objects | None = None,
        endpoint_spec: dict[str, Any] | None = None,
        registry_auth: dict[str, str] | str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /services/create.

        Returns a long table: `field` and `value` of `ID` and `Warnings`. Nested arguments are objects of the API:
        task_template={"ContainerSpec": {"Image": "busybox", "Command": ["top"]}}, mode={"Replicated": {"Replicas": 2}},
        endpoint_spec={"Ports": [{"TargetPort": 80, "PublishedPort": 8080}]}.
        Raises BadRequest (400), NotAllowed (403), Conflict (409) if the name is in use, ServerError (500; 503 outside a
        swarm). Source: Engine API, Service, ServiceCreate.
        """
        return self._object("ServiceCreate", **own_arguments(locals()))

    def inspect(self, id: str, *, insert_defaults: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /services/{id}.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON); `insert_defaults`
        adds the default values. Raises NotFound (404), ServerError (500; 503 outside a swarm).
        Source: Engine API, Service, ServiceInspect.
        """
        return self._object("ServiceInspect", timeout=timeout, id=id, insert_defaults=insert_defaults)

    def update(
        self,
        id: str,
        *,
        version: int,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        task_template: dict[str, Any] | None = None,
        mode: dict[str, Any] | None = None,
        update_config: dict[str, Any] | None = None,
        rollback_config: dict[str, Any] | None = None,
        networks: Objects | None = None,
        endpoint_spec: dict[str, Any] | None = None,
        registry_auth_from: str | None = None,
        rollback: str | None = None,
        registry_auth: dict[str, str] | str | None = None,
        body: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /services/{id}/update.

        Replaces the service's whole configuration: values that are left out become empty. So pass the `Spec` that
        inspect returns as `body`; the other arguments replace values in it. `version` is its
        `Version.Index`; `rollback` is "previous". Returns a long table: `field` and `value` of `Warnings`.
        Raises BadRequest (400), NotFound (404), ServerError (500; 503 outside a swarm).
        Source: Engine API, Service, ServiceUpdate.
        """
        return self._object("ServiceUpdate", **own_arguments(locals()))

    def delete(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """DELETE /services/{id}.

        The service's tasks end a while later. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises NotFound (404), ServerError (500; 503 outside a swarm). Source: Engine API, Service, ServiceDelete.
        """
        return self._outcome("ServiceDelete", timeout=timeout, id=id)

    def logs(
        self,
        id: str,
        *,
        details: bool | None = None,
        follow: bool | None = None,
        stdout: bool = True,
        stderr: bool = True,
        since: Moment | None = None,
        timestamps: bool | None = None,
        tail: int | str | None = None,
        tty: bool = False,
        text: bool = True,
        limit: float | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame | Follow:
        """GET /services/{id}/logs.

        Returns one row per line of all its tasks: `time` (datetime, UTC, with timestamps=True), `stream`, `message`
        (string); with follow=True an iterator over lines, see container.logs. `details` puts node and task before
        each message; set `tty` if the service's containers have a TTY.
        Raises NotFound (404), ServerError (500; 503 outside a swarm), StreamBroken.
        Source: Engine API, Service, ServiceLogs.
        """
        return read_log(self._lab, "ServiceLogs", **own_arguments(locals()))
