"""The part of `lab.container` that reads from containers and writes to them: logs, stats, attach, exec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.attached import Attached
from dockerlab.groups.base import Group, as_api_lists, own_arguments
from dockerlab.groups.logs import Follow, read_log
from dockerlab.protocol.operations import version_number
from dockerlab.protocol.streams import documents
from dockerlab.tables.build import object_list, object_or_empty
from dockerlab.tables.container import process_table
from dockerlab.tables.stats import stats_table

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import pandas as pd

    from dockerlab.groups.following import Following

    Moment = datetime | timedelta | float | str
    Texts = list[str]

__all__ = ["ContainerIO"]

#: From this API version on, a websocket carries only the requested streams.
STREAM_CHOICE_VERSION = (1, 42)


class ContainerIO(Group):
    """Operations that show what a container does, and that talk to its processes."""

    def top(self, id: str, *, ps_args: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /containers/{id}/top.

        Returns one row per process, and one column per title of ps, in lower case: by default `uid`, `pid`, `ppid`,
        `c`, `stime`, `tty`, `time`, `cmd`. Numbers such as `pid` are Int64, the others string; the names of
        `vsz_kib`, `rss_kib`, `cpu_percent`, `memory_percent` include the unit.

        `ps_args` are the arguments of ps, which runs on the engine's machine: "aux", "-o pid,comm".
        Raises NotFound (404), Conflict (409) if the container is not running, ServerError (500) for bad ps_args.
        Source: Engine API, Container, ContainerTop.
        """
        return process_table(self._json("ContainerTop", timeout=timeout, id=id, ps_args=ps_args))

    def logs(
        self,
        id: str,
        *,
        follow: bool | None = None,
        stdout: bool = True,
        stderr: bool = True,
        since: Moment | None = None,
        until: Moment | None = None,
        timestamps: bool | None = None,
        tail: int | str | None = None,
        tty: bool | None = None,
        text: bool = True,
        limit: float | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame | Follow:
        """GET /containers/{id}/logs.

        Returns one row per line, in the engine's order: `time` (datetime, UTC, with timestamps=True), `stream`
        (string: stdout or stderr), `message` (string; bytes that aren't UTF-8 as \\xff; bytes with text=False).
        With follow=True returns an iterator over lines that ends when the container stops: close it, or use it in
        `with`. `limit` ends it after so many seconds; without `timeout` it waits for ever.

        `since` and `until` are datetimes, timedeltas (so long ago) or seconds since 1970; `tail` is a number of lines.
        The format of a log depends on whether the container has a TTY. Without `tty`, an extra request (inspect) finds
        out.
        Raises BadRequest (400) without a stream, NotFound (404), ServerError (500), StreamBroken.
        Source: Engine API, Container, ContainerLogs.
        """
        arguments = own_arguments(locals())
        if tty is None:
            arguments["tty"] = self._has_tty(id, timeout)
        return read_log(self._lab, "ContainerLogs", **arguments)

    def stats(
        self,
        id: str | Texts,
        *,
        stream: bool | None = None,
        one_shot: bool | None = None,
        limit: float | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame | Following[dict[str, Any]]:
        """GET /containers/{id}/stats.

        Returns an iterator over samples, one per second, each a dict as in the JSON; its `table(n)` returns a
        DataFrame. It ends when the container stops, or after `limit` seconds. With stream=False returns the table of
        one sample, which takes a second or two, because the engine measures twice. With one_shot=True the engine
        measures once, and the sample has no `cpu_percent`. A list of names returns a table with one sample per
        container, requested concurrently, with one_shot=True (Podman sends no sample for a stopped container).

        Columns: see dockerlab.tables.stats. Raises BadRequest (400), NotFound (404), ServerError (500).
        Source: Engine API, Container, ContainerStats.
        """
        if not isinstance(id, str):
            arguments = [{"id": name, "stream": False, "one_shot": one_shot is not False} for name in id]
            responses = self._gather("ContainerStats", arguments, lambda exchange: documents(exchange.body), timeout)
            # Docker writes a container's name into a sample only where it measures twice.
            return stats_table(
                [
                    {"name": name, **sample}
                    for name, samples in zip(id, responses, strict=True)
                    for sample in object_list(samples)
                ]
            )
        if stream is False or one_shot:
            exchange = self._lab.call("ContainerStats", timeout=timeout, id=id, stream=False, one_shot=one_shot)
            return stats_table(documents(exchange.body))
        return self._follow_documents(
            "ContainerStats", stats_table, limit=limit, timeout=timeout, id=id, stream=stream, one_shot=one_shot
        )

    def attach(
        self,
        id: str,
        *,
        logs: bool | None = None,
        stream: bool = True,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        detach_keys: str | None = None,
        tty: bool | None = None,
        limit: float | None = None,
        timeout: float | None = None,
    ) -> Attached:
        """POST /containers/{id}/attach.

        Returns an `Attached`: iterate over it for the output, `write` to it with stdin=True if the container was
        created with open_stdin, and end its input with `close_stdin`. With `logs` the earlier output comes first; with
        stream=False only that. The container goes on when the `Attached` is closed. The format of the output depends on
        whether the container has a TTY. Without `tty`, an extra request (inspect) finds out.
        Raises BadRequest (400), NotFound (404), Conflict (409) if it is paused, ServerError (500).
        Source: Engine API, Container, ContainerAttach.
        """
        tty = self._has_tty(id, timeout) if tty is None else tty
        connection = self._lab.hijack(
            "ContainerAttach",
            timeout=timeout,
            id=id,
            logs=logs,
            stream=stream,
            stdin=stdin or None,
            stdout=stdout,
            stderr=stderr,
            detach_keys=detach_keys,
        )
        return Attached(connection, tty=tty, limit=limit, timeout=timeout)

    def attach_websocket(
        self,
        id: str,
        *,
        logs: bool | None = None,
        stream: bool = True,
        stdin: bool | None = None,
        stdout: bool | None = None,
        stderr: bool | None = None,
        detach_keys: str | None = None,
        limit: float | None = None,
        timeout: float | None = None,
    ) -> Attached:
        """GET /containers/{id}/attach/ws.

        As attach, over a websocket, as a browser does it: both output streams arrive as one, without frames. `stdin`,
        `stdout` and `stderr` need API 1.42 (the default is the output); older engines always send all streams.
        Raises the errors of attach. Source: Engine API, Container, ContainerAttachWebsocket.
        """
        if stdin is stdout is stderr is None and version_number(self._lab.version) >= STREAM_CHOICE_VERSION:
            stdout = stderr = True
        connection = self._lab.hijack(
            "ContainerAttachWebsocket",
            timeout=timeout,
            id=id,
            logs=logs,
            stream=stream,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            detach_keys=detach_keys,
        )
        return Attached(connection, tty=True, limit=limit, timeout=timeout)

    def exec(
        self,
        id: str,
        cmd: Texts | str,
        *,
        attach_stdin: bool | None = None,
        attach_stdout: bool = True,
        attach_stderr: bool = True,
        tty: bool | None = None,
        env: Texts | dict[str, str] | None = None,
        user: str | None = None,
        working_dir: str | None = None,
        privileged: bool | None = None,
        detach_keys: str | None = None,
        console_size: list[int] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /containers/{id}/exec.

        Creates an exec, an additional program in a running container; exec.start starts it. Returns a long table:
        `field` Id and its `value`. `cmd` is a list of words; a string counts as one word. `console_size` is
        [height, width], from API 1.42 on.
        Raises BadRequest (400), NotFound (404), Conflict (409) if the container is paused or not running,
        ServerError (500). Source: Engine API, Exec, ContainerExec.
        """
        return self._object("ContainerExec", **as_api_lists(own_arguments(locals())))

    def resize(self, id: str, *, h: int, w: int, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/resize.

        Sets the size of its terminal in rows and columns. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises NotFound (404), Conflict (409) if it is not running, ServerError (500).
        Source: Engine API, Container, ContainerResize.
        """
        return self._outcome("ContainerResize", timeout=timeout, id=id, h=h, w=w)

    def _has_tty(self, id: str, timeout: float | None) -> bool:
        config = object_or_empty(self._json("ContainerInspect", timeout=timeout, id=id)).get("Config")
        return bool(object_or_empty(config).get("Tty"))
