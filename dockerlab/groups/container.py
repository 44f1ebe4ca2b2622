"""`lab.container`: operations on containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.groups.base import as_api_lists, own_arguments
from dockerlab.groups.container_files import ContainerFiles
from dockerlab.groups.container_io import ContainerIO
from dockerlab.protocol.exchange import Exchange
from dockerlab.tables.container import LIST
from dockerlab.tables.inspection import container_inspections

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ContainerGroup"]

Texts = list[str]


class ContainerGroup(ContainerIO, ContainerFiles):
    """Operations on containers. Methods take a container's name, its id, or a unique prefix of its id.

    Every method accepts `timeout`: how many seconds to wait for the engine's next bytes. It overrides the Lab's.
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

        Returns one row per container, the newest first: `name`, `image`, `state`, `status`, `command` (string),
        `created` (datetime, UTC), `ports`, `networks`, `mounts` (string), `labels` (object), `size_rw_bytes`,
        `size_root_fs_bytes` (Int64, with size=True), `network_mode`, `image_id`, `id` (string).

        `all` includes stopped containers; `limit` returns that many of the newest, whatever their state; `filters` are
        ancestor, before, expose, exited, health, id, isolation, is-task, label, name, network, publish, since,
        status, volume: {"status": ["exited"]}.
        Raises BadRequest (400) for a bad filter, ServerError (500). Source: Engine API, Container, ContainerList.
        """
        return self._array(LIST, "ContainerList", **own_arguments(locals()))

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

        Returns a long table: `field` and `value` of `Id` and `Warnings`. The container does not run yet.

        `cmd` and `entrypoint` are lists of words; a string counts as one word, and is not split at spaces. `env` is a
        dict or a list of NAME=value; the value None removes a variable of the image. `stop_timeout` is in seconds.
        `host_config` and `networking_config` are objects of the API, with the API's own keys: {"RestartPolicy":
        {"Name": "on-failure"}}.
        Raises BadRequest (400), NotFound (404) if the engine does not have the image, Conflict (409) if the name is in
        use, ServerError (500). Source: Engine API, Container, ContainerCreate.
        """
        return self._object("ContainerCreate", **as_api_lists(own_arguments(locals())))

    def inspect(self, id: str | Texts, *, size: bool | None = None, timeout: float | None = None) -> pd.DataFrame:
        """GET /containers/{id}/json.

        Returns a long table: `field` (string, dotted path, the engine's order) and `value` (object, as in the
        JSON). With size=True also `SizeRw` and `SizeRootFs`, in bytes.
        A list of names returns one wide table with one row per container, requested concurrently: see
        dockerlab.tables.inspection.
        Raises NotFound (404), ServerError (500). Source: Engine API, Container, ContainerInspect.
        """
        if isinstance(id, str):
            return self._object("ContainerInspect", timeout=timeout, id=id, size=size)
        arguments = [{"id": name, "size": size} for name in id]
        return container_inspections(self._gather("ContainerInspect", arguments, Exchange.json, timeout))

    def start(self, id: str, *, detach_keys: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/start.

        Returns one row: `operation`, `object` (string), `status` (Int64), `changed` (boolean; False for 304: it is
        already running). Raises BadRequest (400) if its command can't be executed, NotFound (404), ServerError (500).
        Source: Engine API, Container, ContainerStart.
        """
        return self._outcome("ContainerStart", timeout=timeout, id=id, detach_keys=detach_keys)

    def stop(
        self, id: str, *, t: int | None = None, signal: str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """POST /containers/{id}/stop.

        Sends TERM (or its StopSignal, or `signal` from API 1.42 on), and after `t` seconds KILL; returns when the
        container has stopped. Returns one row: `operation`, `object`, `status`, `changed` (False for 304: it is not
        running).
        Raises NotFound (404), ServerError (500). Source: Engine API, Container, ContainerStop.
        """
        return self._outcome("ContainerStop", timeout=self._stop_timeout(t, timeout), id=id, t=t, signal=signal)

    def restart(
        self, id: str, *, t: int | None = None, signal: str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """POST /containers/{id}/restart.

        Stops the container as `stop` does (`t` in seconds, `signal` from API 1.42 on), and starts it. Returns one row:
        `operation`, `object`, `status`, `changed`. Raises NotFound (404), ServerError (500).
        Source: Engine API, Container, ContainerRestart.
        """
        return self._outcome("ContainerRestart", timeout=self._stop_timeout(t, timeout), id=id, t=t, signal=signal)

    def kill(self, id: str, *, signal: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/kill.

        Sends a signal, by default KILL, without waiting ("SIGHUP", "HUP" and "1" are the same). Returns one row:
        `operation`, `object`, `status`, `changed`. Raises BadRequest (400) for an unknown signal, NotFound (404),
        Conflict (409) if the container is not running, ServerError (500). Source: Engine API, Container, ContainerKill.
        """
        return self._outcome("ContainerKill", timeout=timeout, id=id, signal=signal)

    def wait(self, id: str, *, condition: str | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/wait.

        Waits until the container meets `condition` (not-running, next-exit, removed). Returns a long table: `field` and
        `value` of `StatusCode` (its exit code) and `Error`. `timeout` is in seconds.
        Raises BadRequest (400), NotFound (404), EngineTimeout, ServerError (500).
        Source: Engine API, Container, ContainerWait.
        """
        return self._object("ContainerWait", timeout=timeout, id=id, condition=condition)

    def rename(self, id: str, name: str, *, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/rename.

        Returns one row: `operation`, `object`, `status`, `changed`. Raises BadRequest (400) for an invalid name,
        NotFound (404), Conflict (409) if the name is in use, ServerError (500).
        Source: Engine API, Container, ContainerRename.
        """
        return self._outcome("ContainerRename", timeout=timeout, id=id, name=name)

    def update(self, id: str, *, timeout: float | None = None, **fields: Any) -> pd.DataFrame:
        """POST /containers/{id}/update.

        Changes the limits and the restart policy of a container that may be running: `memory`, `memory_swap`,
        `memory_reservation` (bytes), `nano_cpus` (billionths of a processor), `cpu_shares`, `cpu_quota`, `cpu_period`
        (microseconds), `cpuset_cpus`, `pids_limit`, `blkio_weight`, `restart_policy` {"Name": "on-failure"} and the
        other fields of the API's Resources, in snake_case. Returns a long table: `field` and `value` of `Warnings`.
        Raises BadRequest (400), NotFound (404), Conflict (409) for a limit that the engine can't set, ServerError
        (500).
        Source: Engine API, Container, ContainerUpdate.
        """
        return self._object("ContainerUpdate", timeout=timeout, id=id, **fields)

    def pause(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/pause.

        Suspends all its processes. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises NotFound (404), Conflict (409) if it is not running or is already paused, ServerError (500).
        Source: Engine API, Container, ContainerPause.
        """
        return self._outcome("ContainerPause", timeout=timeout, id=id)

    def unpause(self, id: str, *, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/{id}/unpause.

        Resumes its processes. Returns one row: `operation`, `object`, `status`, `changed`.
        Raises NotFound (404), Conflict (409) if it is not paused, ServerError (500).
        Source: Engine API, Container, ContainerUnpause.
        """
        return self._outcome("ContainerUnpause", timeout=timeout, id=id)

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

        `force` kills it first (Podman gives it 10 s to stop), `v` removes its anonymous volumes too, `link` removes
        only a link. Returns one row: `operation`, `object`, `status`, `changed`. Raises BadRequest (400), NotFound
        (404), Conflict (409) if it is running, ServerError (500). Source: Engine API, Container, ContainerDelete.
        """
        return self._outcome("ContainerDelete", timeout=timeout, id=id, v=v, force=force, link=link)

    def prune(self, *, filters: dict[str, Any] | None = None, timeout: float | None = None) -> pd.DataFrame:
        """POST /containers/prune.

        Removes stopped containers. Returns a long table: `field` and `value` of `ContainersDeleted` and
        `SpaceReclaimed` (bytes). `filters` are label, label!, until: use a label of yours to spare other people's.
        Raises BadRequest (400), ServerError (500). Source: Engine API, Container, ContainerPrune.
        """
        return self._object("ContainerPrune", timeout=timeout, filters=filters)

    def _stop_timeout(self, t: int | None, timeout: float | None) -> float | None:
        """Return how long to wait for the response of a stop that may itself take `t` seconds."""
        return timeout if timeout is not None or t is None or t < 0 else t + self._lab.timeout
