"""`lab.task`: operations on the tasks of a swarm's services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import Group, own_arguments
from dockerlab.groups.logs import Follow, read_log
from dockerlab.tables.swarm import TASKS

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import pandas as pd

    Moment = datetime | timedelta | float | str

__all__ = ["TaskGroup"]


class TaskGroup(Group):
    """Operations on the tasks of a swarm's services, for managers only. Methods take a task's id."""

    def list(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /tasks.

        Returns one row per task: `service_id` (string), `slot` (Int64), `node_id`, `state`, `desired_state`, `message`,
        `error` (string), `exit_code` (Int64), `container_id`, `image` (string), `changed`, `created`, `updated`
        (datetime, UTC), `labels` (object), `version` (Int64), `id` (string).
        `filters` are desired-state, id, label, name, node, service.
        Raises BadRequest (400), ServerError (500; 503 outside a swarm). Source: Engine API, Task, TaskList.
        """
        return self._array(TASKS, "TaskList", timeout=timeout, filters=filters)

    def inspect(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """GET /tasks/{id}.

        Returns a long table: `field` (string, dotted path) and `value` (object, as in the JSON).
        Raises NotFound (404), ServerError (500; 503 outside a swarm). Source: Engine API, Task, TaskInspect.
        """
        return self._object("TaskInspect", timeout=timeout, id=id)

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
        """GET /tasks/{id}/logs.

        Returns one row per line: `time` (datetime, UTC, with timestamps=True), `stream`, `message` (string); with
        follow=True an iterator over lines, see container.logs. `details` puts node and task before each message;
        set `tty` if the task's container has a TTY.
        Raises NotFound (404), ServerError (500; 503 outside a swarm), StreamBroken.
        Source: Engine API, Task, TaskLogs.
        """
        return read_log(self._lab, "TaskLogs", **own_arguments(locals()))
