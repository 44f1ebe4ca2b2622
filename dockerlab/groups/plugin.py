"""`lab.plugin`: operations on the engine's plugins."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.groups.progress import Progress, call_with_progress
from dockerlab.tables.plugin import LIST, PRIVILEGES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PluginGroup"]

Privileges = list[dict[str, Any]]
Texts = list[str]


class PluginGroup(Group):
    """Operations on the engine's plugins. Methods take a plugin's name or id.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def list(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /plugins.

        Returns one row per plugin: `name` (string), `enabled` (boolean), `reference`, `description` (string),
        `capabilities` (object, a list), `network`, `env`, `id` (string). `filters` are capability, enabled.
        Raises BadRequest (400), ServerError (500). Source: Engine API, Plugin, PluginList.
        """
        return self._array(LIST, "PluginList", timeout=timeout, filters=filters)

    def privileges(
        self, remote: str, *, registry_auth: dict[str, str] | str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """GET /plugins/privileges.

        Returns one row per privilege that a plugin needs: `name`, `description` (string), `value` (object, a list).
        Pulling the plugin requires granting them. `registry_auth` are the credentials for the registry. If the
        registry rejects the request, engines report no error, and the table is empty.
        Raises NotAllowed (401, 403), NotFound (404), ServerError (500).
        Source: Engine API, Plugin, GetPluginPrivileges.
        """
        return self._array(PRIVILEGES, "GetPluginPrivileges", **own_arguments(locals()))

    def pull(
        self,
        remote: str,
        body: Privileges | None = None,
        *,
        name: str | None = None,
        registry_auth: dict[str, str] | str | None = None,
        progress: Progress = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /plugins/pull.

        Pulls a plugin, and grants it the privileges in `body`: the JSON of `privileges`, lab.last.json(). `name` is
        its local name. Returns one row per progress record, as image.create does.
        Raises NotAllowed (401, 403), NotFound (404), ServerError (500), and OperationFailed if it fails later.
        Source: Engine API, Plugin, PluginPull.
        """
        arguments = own_arguments(locals(), "progress") | {"body": body or []}
        return call_with_progress(self._lab, "PluginPull", progress, f"pull of {remote}", **arguments)

    def inspect(self, name: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /plugins/{name}/json.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON).
        Raises NotFound (404), ServerError (500). Source: Engine API, Plugin, PluginInspect.
        """
        return self._object("PluginInspect", timeout=timeout, name=name)

    def delete(self, name: str, *, force: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """DELETE /plugins/{name}.

        With `force` also a plugin that is enabled. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises NotFound (404), Conflict (409), ServerError (500). Source: Engine API, Plugin, PluginDelete.
        """
        return self._outcome("PluginDelete", name=name, force=force, timeout=timeout)

    def enable(self, name: str, *, timeout_: int | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /plugins/{name}/enable.

        Starts a plugin. `timeout_`, in seconds, is how long the engine waits for it. Returns one row: `operation`,
        `object`, `status`, `changed`. Raises NotFound (404), ServerError (500). Source: Engine API, Plugin,
        PluginEnable.
        """
        return self._outcome("PluginEnable", name=name, timeout_=timeout_, timeout=timeout)

    def disable(self, name: str, *, force: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /plugins/{name}/disable.

        Stops a plugin; with `force` also one that is in use. Returns one row: `operation`, `object`, `status`,
        `changed`.
        Raises NotFound (404), Conflict (409), ServerError (500). Source: Engine API, Plugin, PluginDisable.
        """
        return self._outcome("PluginDisable", name=name, force=force, timeout=timeout)

    def upgrade(
        self,
        name: str,
        remote: str,
        body: Privileges | None = None,
        *,
        registry_auth: dict[str, str] | str | None = None,
        progress: Progress = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /plugins/{name}/upgrade.

        Replaces a disabled plugin with another version; the arguments are those of pull. Returns one row per progress
        record. Raises NotFound (404), ServerError (500), and OperationFailed if it fails later.
        Source: Engine API, Plugin, PluginUpgrade.
        """
        arguments = own_arguments(locals(), "progress") | {"body": body or []}
        return call_with_progress(self._lab, "PluginUpgrade", progress, f"upgrade of {name}", **arguments)

    def create(
        self, name: str, body: bytes | str | os.PathLike[str] | IO[bytes], *, timeout: float | None = None
    ) -> pd.DataFrame:
        """POST /plugins/create.

        Creates a plugin from a tar with its `rootfs` and `config.json`: the tar's bytes, path, or an open file. Returns
        one row: `operation`, `object`, `status`, `changed`. Raises ServerError (500), BadRequest (400).
        Source: Engine API, Plugin, PluginCreate.
        """
        return self._outcome("PluginCreate", timeout=timeout, name=name, body=body)

    def push(
        self,
        name: str,
        *,
        registry_auth: dict[str, str] | str | None = None,
        progress: Progress = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /plugins/{name}/push.

        Uploads a plugin to the registry in its name. `registry_auth` are the credentials for the registry. Returns one
        row per progress record.
        Raises NotFound (404), ServerError (500), and OperationFailed if it fails later.
        Source: Engine API, Plugin, PluginPush.
        """
        arguments = own_arguments(locals(), "progress")
        return call_with_progress(self._lab, "PluginPush", progress, f"push of {name}", **arguments)

    def set(self, name: str, body: Texts, *, timeout: float | None = None) -> pd.DataFrame:
        """POST /plugins/{name}/set.

        Changes settings of a disabled plugin: ["DEBUG=1", "data.source=/srv"]. Returns one row: `operation`, `object`,
        `status`, `changed`. Raises NotFound (404), ServerError (500). Source: Engine API, Plugin, PluginSet.
        """
        return self._outcome("PluginSet", timeout=timeout, name=name, body=body)
