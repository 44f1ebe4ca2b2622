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
    """Operations on the engine's plugins. A plugin is named by its name, or its id.

    Every method takes `timeout`, in seconds, in place of the Lab's: how long to wait for the engine's next bytes.
    """

    def list(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /plugins.

        Returns one row a plugin: `name` (string), `enabled` (boolean), `reference`, `description` (string),
        `capabilities` (object, a list), `network`, `env`, `id` (string). `filters` are capability, enabled.
        Raises BadRequest (400), ServerError (500). Source: Engine API, Plugin, PluginList.
        """
        return self._array(LIST, "PluginList", timeout=timeout, filters=filters)

    def privileges(
        self, remote: str, *, registry_auth: dict[str, str] | str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """GET /plugins/privileges.

        Returns one row a thing that a plugin wants to use: `name`, `description` (string), `value` (object, a list).
        Whoever pulls it grants them. `registry_auth` says who asks: where the registry refuses, engines tell of no
        error, and the table is empty.
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

        Pulls a plugin, and grants it what `body` lists, the JSON of `privileges`: lab.last.json(). `name` is the name
        that it gets here. Returns one row a record of its progress, as image.create does.
        Raises NotAllowed (401, 403), NotFound (404), ServerError (500), and OperationFailed for what goes wrong later.
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

        `force` takes away one that runs. One row: `operation`, `object`, `status`, `changed`.
        Raises NotFound (404), Conflict (409), ServerError (500). Source: Engine API, Plugin, PluginDelete.
        """
        return self._outcome("PluginDelete", name=name, force=force, timeout=timeout)

    def enable(self, name: str, *, timeout_: int | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /plugins/{name}/enable.

        Starts a plugin. `timeout_`, in seconds, is how long the engine waits for it. One row: `operation`, `object`,
        `status`, `changed`. Raises NotFound (404), ServerError (500). Source: Engine API, Plugin, PluginEnable.
        """
        return self._outcome("PluginEnable", name=name, timeout_=timeout_, timeout=timeout)

    def disable(self, name: str, *, force: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /plugins/{name}/disable.

        Ends a plugin; with `force` one that is in use. One row: `operation`, `object`, `status`, `changed`.
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

        Puts another version in the place of a plugin that doesn't run; as pull. Returns one row a record of its
        progress. Raises NotFound (404), ServerError (500), and OperationFailed for what goes wrong later.
        Source: Engine API, Plugin, PluginUpgrade.
        """
        arguments = own_arguments(locals(), "progress") | {"body": body or []}
        return call_with_progress(self._lab, "PluginUpgrade", progress, f"upgrade of {name}", **arguments)

    def create(
        self, name: str, body: bytes | str | os.PathLike[str] | IO[bytes], *, timeout: float | None = None
    ) -> pd.DataFrame:
        """POST /plugins/create.

        Makes a plugin from a tar with its `rootfs` and `config.json`: the tar's bytes, its path, or an open file. One
        row: `operation`, `object`, `status`, `changed`. Raises ServerError (500), BadRequest (400).
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

        Sends a plugin to the registry that its name begins with. `registry_auth` says who pushes. Returns one row a
        record of its progress.
        Raises NotFound (404), ServerError (500), and OperationFailed for what goes wrong later.
        Source: Engine API, Plugin, PluginPush.
        """
        arguments = own_arguments(locals(), "progress")
        return call_with_progress(self._lab, "PluginPush", progress, f"push of {name}", **arguments)

    def set(self, name: str, body: Texts, *, timeout: float | None = None) -> pd.DataFrame:
        """POST /plugins/{name}/set.

        Changes settings of a plugin that doesn't run: ["DEBUG=1", "data.source=/srv"]. One row: `operation`, `object`,
        `status`, `changed`. Raises NotFound (404), ServerError (500). Source: Engine API, Plugin, PluginSet.
        """
        return self._outcome("PluginSet", timeout=timeout, name=name, body=body)
