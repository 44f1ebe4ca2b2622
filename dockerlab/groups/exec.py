"""`lab.exec`: operations on execs, programs started in a running container. `container.exec` creates an exec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dockerlab.groups.attached import Attached
from dockerlab.groups.base import Group
from dockerlab.tables.build import outcome_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExecGroup"]


class ExecGroup(Group):
    """Operations on execs. Methods take the id that `container.exec` returns."""

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

        Returns the program's output as an `Attached`: iterate over it, `write` to it if the exec was created with
        attach_stdin, and `table()` returns its lines. With detach=True returns one row: `operation`, `object`,
        `status`, `changed`. `tty` must be the same as at the creation; `console_size` is [height, width], from API 1.42
        on. Afterwards, `inspect` returns its exit code.
        Raises BadRequest (400), NotFound (404), Conflict (409) if the container is not running, ServerError (500).
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

        Sets the size of its terminal in rows and columns; it must be running, and have a TTY. Returns one row:
        `operation`, `object`, `status`, `changed`. Raises BadRequest (400), NotFound (404), ServerError (500).
        Source: Engine API, Exec, ExecResize.
        """
        return self._outcome("ExecResize", timeout=timeout, id=id, h=h, w=w)

    def inspect(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /exec/{id}/json.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON): `Running`, `ExitCode`
        (None while it is running), `Pid`. Raises NotFound (404), ServerError (500). Source: Engine API, Exec,
        ExecInspect.
        """
        return self._object("ExecInspect", timeout=timeout, id=id)
