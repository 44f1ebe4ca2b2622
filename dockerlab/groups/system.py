"""`lab.system`: operations on the engine itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.groups.base import Group
from dockerlab.tables.system import ping_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SystemGroup"]


class SystemGroup(Group):
    """Operations on the engine itself.

    Every method takes `timeout`, in seconds, in place of the Lab's: how long to wait for the engine's next bytes.
    """

    def ping(self, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /_ping.

        Returns one row: `answer` (string, OK), `status` (Int64), `api_version`, `os_type`, `experimental`,
        `builder_version`, `swarm` (string; <NA> where the engine is older than the header).
        Raises ServerError (500) if the engine is not well. Source: Engine API, System, SystemPing.
        """
        return ping_table(self._lab.call("SystemPing", timeout=timeout))

    def version(self, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /version.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON).
        Raises ServerError (500). Source: Engine API, System, SystemVersion.
        """
        return self._object("SystemVersion", timeout=timeout)

    def info(self, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /info.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON); `MemTotal` is in
        bytes. Raises ServerError (500). Source: Engine API, System, SystemInfo.
        """
        return self._object("SystemInfo", timeout=timeout)
