"""`lab.exec`: operations on execs, the programs that are run beside a container's own. `container.exec` makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.groups.attached import Attached
from dockerlab.groups.base import Group
from dockerlab.tables.build import outcome_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExecGroup"]


class ExecGroup(Group):
    """Operations on execs. An exec is named by the id that `container.exec` gives."""

    def start(
        self,
        id: str,
        *,
        detach: bool | None = None,
        tty: bool | None = None,
        console_size: list[int] | None = None,
        limit: float | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame | Attached:
        """POST /exec/{id}/start.

        Returns what it says as an `Attached`: iterate over it, `write` to it if it was made with attach_stdin, and
        `table()` gives its lines. With detach=True one row: `operation`, `object`, `status`, `changed`. `tty` must be
        as it was made; `console_size` is [height, width], from API 1.42 on. Its exit code is in `inspect`, afterwards.
        Raises BadRequest (400), NotFound (404), Conflict (409) if the container doesn't run, ServerError (500).
        Source: Engine API, Exec, ExecStart.
        """
        connection = self._lab.hijack(
            "ExecStart", timeout=timeout, id=id, detach=detach, tty=tty, console_size=console_size, body={}
        )
        if detach:
            with connection:
                return outcome_table(connection.exchange)
        return Attached(connection, tty=bool(tty), limit=limit, timeout=timeout)

    def resize(self, id: str, *, h: int, w: int, timeout: float | None = None) -> pd.DataFrame:
        """POST /exec/{id}/resize.

        Tells its terminal its size in rows and columns; it must run, and have a TTY. One row: `operation`, `object`,
        `status`, `changed`. Raises BadRequest (400), NotFound (404), ServerError (500).
        Source: Engine API, Exec, ExecResize.
        """
        return self._outcome("ExecResize", timeout=timeout, id=id, h=h, w=w)

    def inspect(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /exec/{id}/json.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON): `Running`, `ExitCode`
        (None while it runs), `Pid`. Raises NotFound (404), ServerError (500). Source: Engine API, Exec, ExecInspect.
        """
        return self._object("ExecInspect", timeout=timeout, id=id)
