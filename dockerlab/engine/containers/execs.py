"""Execs: further processes that clients start in a running container. They are kept in memory only, as in Docker."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dockerlab.engine.containers import attach
from dockerlab.engine.containers.process_spec import exec_spec
from dockerlab.engine.faults import BadParameter, Conflict, Fault, NotFound, message_of
from dockerlab.engine.processes import process
from dockerlab.engine.processes.shim.frames import HEADER
from dockerlab.engine.storage.users import user_ids

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.common.events import Events
    from dockerlab.engine.processes.cgroups import Cgroup
    from dockerlab.engine.processes.isolation import Rung
    from dockerlab.engine.processes.process import RunningProcess

__all__ = ["Exec", "ExecContainer", "Execs"]

END_SECONDS = 2
NOT_RUNNABLE = 126
START_SECONDS = 10  #: how long a resize waits for a process that is being started, as Docker does
MOST_ENDED = 512  #: how many execs that have ended are remembered
Document = dict[str, Any]


class ExecContainer(Protocol):
    """What an exec needs of its container."""

    record: ContainerRecord
    events: Events
    rung: Rung
    cgroup: Cgroup | None
    execs: dict[str, Exec]
    is_removed: bool

    def require_running(self, action: str) -> None:
        """Raise Conflict if the container is stopped, restarting or paused."""


class Exec:
    """One exec: the arguments it was created with, and its process."""

    def __init__(self, container: ExecContainer, arguments: Document) -> None:
        """Create an exec without starting it. Raises BadParameter."""
        self.id = secrets.token_hex(32)
        self.container = container
        self.arguments = arguments
        self.detach_keys = attach.parse_detach_keys(arguments.get("DetachKeys") or "")
        self.running: RunningProcess | None = None
        self.code: int | None = None
        self.is_reserved = False
        self.pid = 0
        self.started, self.ended = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._publish("exec_create")

    def _publish(self, action: str, **attributes: str) -> None:
        """Publish an event. Its action contains the command, except at the end of the process."""
        full_action = action if action == "exec_die" else f"{action}: {' '.join(self.arguments['Cmd'])}"
        self.container.events.publish_container(full_action, self.container.record, execID=self.id, **attributes)

    def require_new(self) -> None:
        """Raise Conflict if it was started before, or if its container can't run it."""
        if self.code is not None:
            raise Conflict(f"Error: Exec command {self.id} has already run")
        if self.is_reserved:
            raise Conflict(f"Error: Exec command {self.id} is already running")
        self.container.require_running("exec")

    def reserve(self) -> None:
        """Refuse every other request to start this exec from now on."""
        self.is_reserved = True

    async def start(self, size: list[int]) -> RunningProcess:
        """Start the process. Its output waits for `release`. Raises process.StartFailed, Conflict."""
        self.reserve()
        record = self.container.record
        if not record.is_running:  # the container may have ended since the request was accepted
            raise Conflict(f"container {record.id} is not running")
        if size:
            self.arguments["ConsoleSize"] = size
        self._publish("exec_start")
        try:
            self._directory.mkdir(parents=True)
            spec = exec_spec(record, self.container.rung, self.container.cgroup, self.arguments)
            self.running = await process.start(spec, self._directory)
        except process.StartFailed as error:
            self._finish(error.code)
            raise
        except (OSError, LookupError) as error:
            self._finish(NOT_RUNNABLE)
            raise Fault(message_of(error) if isinstance(error, OSError) else str(error)) from None
        self.pid = self.running.pid
        self.started.set()
        self._task = asyncio.create_task(self._watch(self.running))
        return self.running

    @property
    def _directory(self) -> Path:
        return self.container.record.directory / "execs" / self.id

    async def require_process(self) -> RunningProcess:
        """Return the running process, and wait for one that is being started. Raises Conflict."""
        if self.is_reserved:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.started.wait(), START_SECONDS)
        if self.running is None:
            raise Conflict(f"exec {self.id} is not running")
        return self.running

    async def _watch(self, running: RunningProcess) -> None:
        self._finish((await running.wait()).code)

    def _finish(self, code: int) -> None:
        self.running, self.code = None, code
        shutil.rmtree(self._directory, ignore_errors=True)
        self._publish("exec_die", exitCode=str(code))
        self.started.set()
        self.ended.set()

    async def attend(self, client: attach.Client, frames: bool, size: list[int]) -> None:
        """Start the process and join it with a client's connection.

        If the start fails, the reason is written into the stream, as Docker does. With `frames` each piece of output
        has a header: the client chooses this in the request that starts the exec, whether or not there is a terminal.
        """
        arguments = self.arguments
        options = attach.Options(
            stdin=bool(arguments.get("AttachStdin")),
            stdout=bool(arguments.get("AttachStdout")),
            stderr=bool(arguments.get("AttachStderr")),
            frames=frames,
            tty=bool(arguments.get("Tty")),
            detach_keys=self.detach_keys,
        )
        try:
            running = await self.start(size)
        except (process.StartFailed, Fault) as error:
            message = f"{error}\r\n".encode()
            await client.write(HEADER.pack(1, len(message)) + message if frames else message)
            return
        try:
            link = await running.connect_and_release()
        except OSError:
            return
        if await attach.join(link, client, options):
            self._publish("exec_detach")
            return
        with contextlib.suppress(TimeoutError):  # a client that reads the end asks for the exit code at once
            await asyncio.wait_for(self.ended.wait(), END_SECONDS)

    def inspect(self) -> Document:
        """Return the document of inspect, with its fields in Docker's order."""
        arguments = self.arguments
        config = {
            "tty": bool(arguments.get("Tty")),
            "entrypoint": arguments["Cmd"][0],
            "arguments": arguments["Cmd"][1:],
            "privileged": bool(arguments.get("Privileged")),
        }
        if arguments.get("User"):
            config["user"] = arguments["User"]
        return {
            "ID": self.id,
            "Running": self.running is not None,
            "ExitCode": self.code,
            "ProcessConfig": config,
            "OpenStdin": bool(arguments.get("AttachStdin")),
            "OpenStderr": bool(arguments.get("AttachStderr")),
            "OpenStdout": bool(arguments.get("AttachStdout")),
            "CanRemove": False,
            "ContainerID": self.container.record.id,
            "DetachKeys": arguments.get("DetachKeys") or "",
            "Pid": self.pid,
        }


class Execs:
    """All execs of an engine."""

    def __init__(self) -> None:
        self.all: dict[str, Exec] = {}

    def create(self, container: ExecContainer, arguments: Document) -> Exec:
        """Create an exec without starting it. Raises BadParameter, Conflict."""
        if not arguments.get("Cmd"):
            raise BadParameter("No exec command specified")
        container.require_running("exec")
        try:
            user_ids(container.record.root, arguments.get("User") or "")
        except LookupError as error:
            raise Fault(str(error)) from None
        new = Exec(container, arguments)
        self.all[new.id] = container.execs[new.id] = new
        self._forget_old()
        return new

    def _forget_old(self) -> None:
        """Forget the execs of removed containers, and the oldest of those that have ended."""
        orphans = [one.id for one in self.all.values() if one.container.is_removed]
        ended = [one.id for one in self.all.values() if one.code is not None and not one.container.is_removed]
        for identity in orphans + ended[:-MOST_ENDED]:
            self.all.pop(identity).container.execs.pop(identity, None)

    def find(self, identity: str) -> Exec:
        """Find an exec by its id. Raises NotFound."""
        execution = self.all.get(identity)
        if execution is None or execution.container.is_removed:
            raise NotFound(f"No such exec instance: {identity}")
        return execution
