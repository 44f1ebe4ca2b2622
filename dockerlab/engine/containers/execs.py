"""Execs: programs that are started in a container that runs. They live in memory, as Docker's do."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers import attach
from dockerlab.engine.containers.process_spec import exec_spec
from dockerlab.engine.faults import BadParameter, Conflict, Fault, NotFound
from dockerlab.engine.processes import process
from dockerlab.engine.processes.shim.frames import HEADER
from dockerlab.engine.storage.users import user_ids

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.http.hijacked import HijackedConnection
    from dockerlab.engine.processes.process import RunningProcess

__all__ = ["Exec", "Execs"]

LAST_SECONDS = 2
START_SECONDS = 10  #: so long a resize waits for a program that is being started, as Docker's does
KEPT = 512  #: so many that have ended are remembered
Record = dict[str, Any]


class Exec:
    """One of them: what was asked for, and what became of it."""

    def __init__(self, container: Container, asked: Record) -> None:
        """Note what is to be started. Raises BadParameter."""
        self.id = secrets.token_hex(32)
        self.container = container
        self.asked = asked
        self.keys = attach.detach_keys(asked.get("DetachKeys") or "")
        self.running: RunningProcess | None = None
        self.code: int | None = None
        self.begun = False
        self.pid = 0
        self.started, self.ended = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.tell("exec_create")

    def tell(self, action: str, **more: str) -> None:
        """Tell an event: the command stands in its action."""
        words = action if action == "exec_die" else f"{action}: {' '.join(self.asked['Cmd'])}"
        self.container.events.tell(words, self.container, execID=self.id, **more)

    def must_be_new(self) -> None:
        """Raise Conflict if it was started before, or if its container can't run it."""
        if self.code is not None:
            raise Conflict(f"Error: Exec command {self.id} has already run")
        if self.begun:
            raise Conflict(f"Error: Exec command {self.id} is already running")
        self.container.must_run("exec")

    def reserve(self) -> None:
        """From now on nobody else can start it."""
        self.begun = True

    async def start(self, size: list[int]) -> RunningProcess:
        """Start the program, whose output waits for `release`. Raises process.StartFailed."""
        self.reserve()
        if size:
            self.asked["ConsoleSize"] = size
        self.tell("exec_start")
        directory = self.container.directory / "execs" / self.id
        directory.mkdir(parents=True)
        try:
            spec = exec_spec(self.container, self.asked)
            self.running = await process.start(spec, directory)
        except process.StartFailed as error:
            self._finish(error.code)
            raise
        self.pid = self.running.pid
        self.started.set()
        self._task = asyncio.create_task(self._watch(self.running))
        return self.running

    async def must_run(self) -> RunningProcess:
        """Give what runs; wait for it if it is just being started. Raises Conflict."""
        if self.begun:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.started.wait(), START_SECONDS)
        if self.running is None:
            raise Conflict(f"exec {self.id} is not running")
        return self.running

    async def _watch(self, running: RunningProcess) -> None:
        self._finish((await running.wait()).code)

    def _finish(self, code: int) -> None:
        self.running, self.code = None, code
        shutil.rmtree(self.container.directory / "execs" / self.id, ignore_errors=True)
        self.tell("exec_die", exitCode=str(code))
        self.started.set()
        self.ended.set()

    async def attend(self, client: HijackedConnection, frames: bool, size: list[int]) -> None:
        """Start it on a client's connection, and join the two. A refusal is written into the stream, as Docker does.

        With `frames` each piece of output has a header: the client says so at the start, terminal or not.
        """
        asked = self.asked
        wanted = attach.Wanted(
            stdin=bool(asked.get("AttachStdin")),
            stdout=bool(asked.get("AttachStdout")),
            stderr=bool(asked.get("AttachStderr")),
            frames=frames,
            tty=bool(asked.get("Tty")),
            detach=self.keys,
        )
        try:
            running = await self.start(size)
        except (process.StartFailed, Fault) as error:
            words = f"{error}\r\n".encode()
            await client.write(HEADER.pack(1, len(words)) + words if frames else words)
            return
        try:
            connection = await running.connect_and_release()
        except OSError:
            return
        if await attach.join(connection, client, wanted):
            self.tell("exec_detach")
            return
        with contextlib.suppress(TimeoutError):  # whoever reads the end asks for the code at once
            await asyncio.wait_for(self.ended.wait(), LAST_SECONDS)

    def inspect(self) -> Record:
        """Tell what it is, in Docker's order."""
        asked = self.asked
        config = {
            "tty": bool(asked.get("Tty")),
            "entrypoint": asked["Cmd"][0],
            "arguments": asked["Cmd"][1:],
            "privileged": bool(asked.get("Privileged")),
        }
        if asked.get("User"):
            config["user"] = asked["User"]
        return {
            "ID": self.id,
            "Running": self.running is not None,
            "ExitCode": self.code,
            "ProcessConfig": config,
            "OpenStdin": bool(asked.get("AttachStdin")),
            "OpenStderr": bool(asked.get("AttachStderr")),
            "OpenStdout": bool(asked.get("AttachStdout")),
            "CanRemove": False,
            "ContainerID": self.container.id,
            "DetachKeys": asked.get("DetachKeys") or "",
            "Pid": self.pid,
        }


class Execs:
    """All execs of an engine."""

    def __init__(self) -> None:
        """Begin without any."""
        self.all: dict[str, Exec] = {}

    def create(self, container: Container, asked: Record) -> Exec:
        """Note an exec. Raises BadParameter, Conflict."""
        if not asked.get("Cmd"):
            raise BadParameter("No exec command specified")
        container.must_run("exec")
        try:
            user_ids(container.root, asked.get("User") or "")
        except LookupError as error:
            raise Fault(str(error)) from None
        made = Exec(container, asked)
        self.all[made.id] = container.execs[made.id] = made
        lost = [one.id for one in self.all.values() if one.container.gone]
        ended = [one.id for one in self.all.values() if one.code is not None and not one.container.gone]
        for identity in lost + ended[:-KEPT]:
            self.all.pop(identity).container.execs.pop(identity, None)
        return made

    def find(self, identity: str) -> Exec:
        """Find one. Raises NotFound."""
        found = self.all.get(identity)
        if found is None or found.container.gone:
            raise NotFound(f"No such exec instance: {identity}")
        return found
