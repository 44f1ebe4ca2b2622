"""`lab.system`: operations on the engine itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.protocol.streams import documents
from dockerlab.tables.build import object_table, outcome_table
from dockerlab.tables.events import event_table
from dockerlab.tables.system import data_usage_table, ping_table

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import pandas as pd

    from dockerlab.groups.following import Following

    Moment = datetime | timedelta | float | str

__all__ = ["SystemGroup"]


class SystemGroup(Group):
    """Operations on the engine itself.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
    """

    def ping(self, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /_ping.

        Returns one row: `answer` (string, OK), `status` (Int64), `api_version`, `os_type`, `experimental`,
        `builder_version`, `swarm` (string; <NA> if the engine is older than the header).
        Raises ServerError (500) if the engine is not healthy. Source: Engine API, System, SystemPing.
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

    def ping_head(self, *, timeout: float | None = None) -> pd.DataFrame:
        """HEAD /_ping.

        As ping, without a body: `answer` is empty. Raises ServerError (500) if the engine is not healthy.
        Source: Engine API, System, SystemPingHead.
        """
        return ping_table(self._lab.call("SystemPingHead", timeout=timeout))

    def auth(
        self,
        username: str,
        password: str,
        *,
        email: str | None = None,
        serveraddress: str | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /auth.

        Checks credentials with a registry, and stores nothing. Returns a long table: `field` and `value` of
        `Status` and `IdentityToken`. `serveraddress` is the registry, by default Docker Hub.
        Raises NotAllowed (401) for wrong credentials, ServerError (500), for example if the registry is unreachable.
        Source: Engine API, System, SystemAuth.
        """
        exchange = self._lab.call("SystemAuth", **own_arguments(locals()))
        return object_table(exchange.json()) if exchange.body.strip() else outcome_table(exchange)

    def data_usage(
        self,
        *,
        type: list[str] | str | None = None,
        verbose: bool | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /system/df.

        Returns one row per image, container, volume or step in the build cache: `kind`, `name` (string), `size_bytes`,
        `shared_size_bytes`, `containers` (Int64), `in_use` (boolean), `created`, `last_used` (datetime, UTC), `id`
        (string). `type` is one or several of image, container, volume, build-cache (API 1.42); `verbose` needs 1.52.
        Raises BadRequest (400), ServerError (500). Source: Engine API, System, SystemDataUsage.
        """
        return data_usage_table(self._json("SystemDataUsage", timeout=timeout, type=type, verbose=verbose))

    def events(
        self,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        filters: dict[str, Any] | None = None,
        limit: float | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame | Following[dict[str, Any]]:
        """GET /events.

        With `until` returns one row per event; see dockerlab.tables.events for the columns. Without it, returns an
        iterator over events, each a dict as in the JSON, that goes on until it is closed or for `limit` seconds; its
        `table(n)` returns a DataFrame. `since` and `until` are datetimes, timedeltas (so long ago) or seconds since
        1970. `filters` are config, container, daemon, event, image, label, network, node, plugin, scope, secret,
        service, type, volume. Raises BadRequest (400), ServerError (500). Source: Engine API, System, SystemEvents.
        """
        arguments: dict[str, Any] = {"since": since, "until": until, "filters": filters}
        if until is not None:
            return event_table(documents(self._lab.call("SystemEvents", timeout=timeout, **arguments).body))
        return self._follow_documents("SystemEvents", event_table, limit=limit, timeout=timeout, **arguments)
