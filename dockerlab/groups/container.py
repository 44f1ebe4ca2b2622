"""`lab.container`: operations on containers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dockerlab.groups import logs as reading
from dockerlab.groups.base import Group
from dockerlab.groups.export import progress_bar, save
from dockerlab.streams import tar_members
from dockerlab.tables import container as tables

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import pandas as pd

    Moment = datetime | timedelta | float | str

__all__ = ["ContainerGroup"]

Texts = list[str]


def _lists(asked: dict[str, Any]) -> dict[str, Any]:
    """Write as lists what the API wants as lists: one word as a command, an environment given as a dict."""
    for words in ("cmd", "entrypoint"):
        if isinstance(asked[words], str):
            asked[words] = [asked[words]]
    if isinstance(asked["env"], dict):
        asked["env"] = [key if value is None else f"{key}={value}" for key, value in asked["env"].items()]
    return asked


class ContainerGroup(Group):
    """Operations on containers. A container is named by its name, its id, or the beginning of its id.

    Every method takes `timeout`, in seconds, in place of the Lab's: how long to wait for the engine's next bytes.
    """

    def list(
        self,
        *,
        all: bool | None = None,
        limit: int | None = None,
        size: bool | None = None,
        filters: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /containers/json.

        Returns one row a container, the newest first: `name`, `image`, `state`, `status`, `command` (string),
        `created` (datetime, UTC), `ports`, `networks`, `mounts` (string), `labels` (object), `size_rw_bytes`,
        `size_root_fs_bytes` (Int64, with size=True), `network_mode`, `image_id`, `id` (string).

        `all` adds those that don't run, `limit` gives the newest so many whatever their state; `filters` are
        ancestor, before, expose, exited, health, id, isolation, is-task, label, name, network, publish, since,
        status, volume: {"status": ["exited"]}.
        Raises BadRequest (400) for a bad filter, ServerError (500). Source: Engine API, Container, ContainerList.
        """
        asked = self._lab.call("ContainerList", timeout=timeout, all=all, limit=limit, size=size, filters=filters)
        return tables.container_list(asked.json())

    def create(
        self,
        image: str | None = None,
        *,
        name: str | None = None,
        platform: str | None = None,
        cmd: Texts | str | None = None,
        entrypoint: Texts | str | None = None,
        env: Texts | dict[str, str | None] | None = None,
        labels: dict[str, str] | None = None,
        working_dir: str | None = None,
        user: str | None = None,
        tty: bool | None = None,
        open_stdin: bool | None = None,
        stdin_once: bool | None = None,
        attach_stdin: bool | None = None,
        attach_stdout: bool | None = None,
        attach_stderr: bool | None = None,
        hostname: str | None = None,
        domainname: str | None = None,
        exposed_ports: dict[str, Any] | None = None,
        volumes: dict[str, Any] | None = None,
        healthcheck: dict[str, Any] | None = None,
        stop_signal: str | None = None,
        stop_timeout: int | None = None,
        shell: Texts | None = None,
        on_build: Texts | None = None,
        args_escaped: bool | None = None,
        network_disabled: bool | None = None,
        mac_address: str | None = None,
        host_config: dict[str, Any] | None = None,
        networking_config: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """POST /containers/create.

        Returns a long table: `field` and `value` of `Id` and `Warnings`. Nothing runs yet.

        `cmd` and `entrypoint` are lists of words; a text is one word, as the engine takes it. `env` is a dict, or a
        list of NAME=value; None takes a variable of the image away. `stop_timeout` is in seconds. `host_config` and
        `networking_config` are the API's own objects, their keys as the API writes them:
        {"RestartPolicy": {"Name": "on-failure"}}.
        Raises BadRequest (400), NotFound (404) if the image isn't there, Conflict (409) if the name is in use,
        ServerError (500). Source: Engine API, Container, ContainerCreate.
        """
        asked = {key: value for key, value in locals().items() if key != "self"}
        return self._object("ContainerCreate", **_lists(asked))

    def inspect(self, id: str, *, size: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /containers/{id}/json.

        Returns a long table: `field` (string, dotted path, the engine's order) and `value` (object, as in the
        JSON). With size=True also `SizeRw` and `SizeRootFs`, in bytes.
        Raises NotFound (404), ServerError (500). Source: Engine API, Container, ContainerInspect.
        """
        return self._object("ContainerInspect", timeout=timeout, id=id, size=size)

    def top(self, id: str, *, ps_args: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /containers/{id}/top.

        Returns one row a process and a column for each title of ps, in small letters: `uid`, `pid`, `ppid`, `c`,
        `stime`, `tty`, `time`, `cmd` without arguments. Numbers such as `pid` are Int64, the others string;
        `vsz_kib`, `rss_kib`, `cpu_percent`, `memory_percent` carry their units.

        `ps_args` goes to ps on the engine's machine: "aux", "-o pid,comm".
        Raises NotFound (404), Conflict (409) if it doesn't run, ServerError (500) for bad ps_args.
        Source: Engine API, Container, ContainerTop.
        """
        return tables.process_table(self._lab.call("ContainerTop", timeout=timeout, id=id, ps_args=ps_args).json())

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
    ) -> pd.DataFrame | reading.Follow:
        """GET /containers/{id}/logs.

        Returns one row a line, in the engine's order: `time` (datetime, UTC, with timestamps=True), `stream`
        (string: stdout or stderr), `message` (string; bytes that aren't UTF-8 as \\xff; bytes with text=False).
        With follow=True an iterator of lines that ends with the container: close it, or use it in `with`;
        `limit` ends it after so many seconds; without `timeout` it may be silent for ever.

        `since` and `until` are datetimes, timedeltas (so long ago) or seconds since 1970; `tail` counts lines.
        Whether the log has frames follows from the container's TTY flag: without `tty` a second request, inspect,
        asks for it first.
        Raises BadRequest (400) without a stream, NotFound (404), ServerError (500), StreamBroken.
        Source: Engine API, Container, ContainerLogs.
        """
        if tty is None:
            tty = bool(self._lab.call("ContainerInspect", timeout=timeout, id=id).json()["Config"]["Tty"])
        answer = self._lab.open(
            "ContainerLogs",
            timeout=timeout,
            id=id,
            follow=follow,
            stdout=stdout,
            stderr=stderr,
            since=since,
            until=until,
            timestamps=timestamps,
            tail=tail,
        )
        if follow:
            return reading.Follow(answer, tty=tty, timestamps=bool(timestamps), limit=limit, timeout=timeout)
        with answer:
            found = reading.read(answer, tty=tty, timestamps=bool(timestamps))
            return tables.log_table(found, timestamps=bool(timestamps), text=text)

    def export(
        self,
        id: str,
        to: str | os.PathLike[str] | None = None,
        *,
        progress: bool | Callable[[int], Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """GET /containers/{id}/export.

        Without `to` returns one row a file, read from the tar while it comes, never unpacked: `path`, `kind`,
        `mode` (octal), `owner`, `group` (string), `uid`, `gid`, `size_bytes` (Int64), `mtime` (datetime, UTC),
        `target` (string, of links). With `to` the tar goes into that file, which gets its name when it is whole,
        and one row comes back: `path`, `size_bytes`. `progress` is called with the bytes so far; True shows a bar.
        Raises NotFound (404), ServerError (500), StreamBroken, ArgumentError for a file that can't be written.
        Source: Engine API, Container, ContainerExport.
        """
        answer = self._lab.open("ContainerExport", timeout=timeout, id=id)
        if to is not None:
            return save(answer, to, progress_bar(progress, f"export of {id}"))
        with answer:
            return tables.member_table(tar_members(answer.chunks(1 << 18)))

    def start(self, id: str, *, detach_keys: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/start.

        Returns one row: `operation`, `object` (string), `status` (Int64), `changed` (boolean; False for 304: it
        runs already). Raises BadRequest (400) if its command can't be run, NotFound (404), ServerError (500).
        Source: Engine API, Container, ContainerStart.
        """
        return self._done("ContainerStart", timeout=timeout, id=id, detach_keys=detach_keys)

    def stop(
        self, id: str, *, t: int | None = None, signal: str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """POST /containers/{id}/stop.

        Sends TERM (or its StopSignal, or `signal` from API 1.42 on), and after `t` seconds KILL; returns when it
        has ended. One row: `operation`, `object`, `status`, `changed` (False for 304: it doesn't run).
        Raises NotFound (404), ServerError (500). Source: Engine API, Container, ContainerStop.
        """
        return self._done("ContainerStop", timeout=self._patience(t, timeout), id=id, t=t, signal=signal)

    def restart(
        self, id: str, *, t: int | None = None, signal: str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """POST /containers/{id}/restart.

        Stops it as `stop` does (`t` in seconds, `signal` from API 1.42 on), and starts it. One row: `operation`,
        `object`, `status`, `changed`. Raises NotFound (404), ServerError (500).
        Source: Engine API, Container, ContainerRestart.
        """
        return self._done("ContainerRestart", timeout=self._patience(t, timeout), id=id, t=t, signal=signal)

    def kill(self, id: str, *, signal: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/kill.

        Sends a signal, KILL without one ("SIGHUP", "HUP" and "1" are the same), and doesn't wait. One row:
        `operation`, `object`, `status`, `changed`. Raises BadRequest (400) for an unknown signal, NotFound (404),
        Conflict (409) if it doesn't run, ServerError (500). Source: Engine API, Container, ContainerKill.
        """
        return self._done("ContainerKill", timeout=timeout, id=id, signal=signal)

    def wait(self, id: str, *, condition: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/wait.

        Returns when the container meets `condition` (not-running, next-exit, removed) a long table: `field` and
        `value` of `StatusCode` (its exit code) and `Error`. `timeout` is in seconds.
        Raises BadRequest (400), NotFound (404), EngineTimeout, ServerError (500).
        Source: Engine API, Container, ContainerWait.
        """
        return self._object("ContainerWait", timeout=timeout, id=id, condition=condition)

    def delete(
        self,
        id: str,
        *,
        force: bool | None = None,
        v: bool | None = None,
        link: bool | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """DELETE /containers/{id}.

        `force` kills it first, `v` removes its anonymous volumes, `link` removes a link only. One row: `operation`,
        `object`, `status`, `changed`. Raises BadRequest (400), NotFound (404), Conflict (409) if it runs,
        ServerError (500). Source: Engine API, Container, ContainerDelete.
        """
        return self._done("ContainerDelete", timeout=timeout, id=id, v=v, force=force, link=link)

    def _patience(self, t: int | None, timeout: float | None) -> float | None:
        """A stop may take as long as it was allowed to: wait longer than that for the answer."""
        return timeout if timeout is not None or t is None or t < 0 else t + self._lab.timeout
