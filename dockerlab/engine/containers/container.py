"""One container: its record, and the state machine around its process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from pathlib import Path
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import json_files, signals
from dockerlab.engine.common.tasks import Tasks
from dockerlab.engine.common.timestamps import NEVER, now
from dockerlab.engine.containers import health, restart_policy
from dockerlab.engine.containers.process_spec import container_spec
from dockerlab.engine.containers.waiters import Waiting
from dockerlab.engine.faults import BadParameter, Conflict, Fault, NotFound
from dockerlab.engine.processes import process
from dockerlab.engine.storage import mount_points, rootfs

if TYPE_CHECKING:
    from dockerlab.engine.containers.execs import Exec
    from dockerlab.engine.containers.services import Home
    from dockerlab.engine.processes.process import Exit, RunningProcess
    from dockerlab.engine.processes.shim_connection import ShimConnection

__all__ = ["Container"]

#: Seconds for a container to end after its stop signal, and after KILL.
PATIENCE, LAST_PATIENCE = 10, 10
LOST, UNKNOWN = 137, 128
log = logging.getLogger("dockerlab.engine")
Record = dict[str, Any]

FRESH = {
    "Status": "created",
    "Running": False,
    "Paused": False,
    "Restarting": False,
    "OOMKilled": False,
    "Dead": False,
    "Pid": 0,
    "ExitCode": 0,
    "Error": "",
    "StartedAt": NEVER,
    "FinishedAt": NEVER,
}


class Container:
    """One container. `record` is what is kept on disk; everything else is of this moment."""

    def __init__(self, home: Home, directory: Path, record: Record) -> None:
        """Take its directory and record, and what it shares with the other containers."""
        self.directory = directory
        self.rung = home.means.rung
        self.record: Record = record
        self.events = home.means.events
        self.running: RunningProcess | None = None
        self.execs: dict[str, Exec] = {}
        self.find = home.find
        self.volumes = home.means.volumes
        self.cgroup = home.means.groups.cgroup(self.id)
        self.endpoints = home.means.endpoints
        self.spaces: dict[str, str] = {}  #: namespaces that were made for it: kind -> path
        self.gone = False
        self.waiting = Waiting()
        self._forget = home.forget
        self._removing = False
        self._lock = asyncio.Lock()
        self._ended = asyncio.Event()
        self._pauses = restart_policy.Pauses()
        self.tasks = Tasks()

    @classmethod
    def new(cls, home: Home, directory: Path, record: Record) -> Container:
        """Make one that has never run."""
        return cls(home, directory, {**record, "State": dict(FRESH), "RestartCount": 0, "Stopped": False})

    # -- what it is --------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.record["Id"])

    @property
    def name(self) -> str:
        """Its name, without the slash."""
        return str(self.record["Name"])

    @property
    def state(self) -> Record:
        """Its `State` object."""
        return self.record["State"]  # type: ignore[no-any-return]

    @property
    def log_path(self) -> Path:
        """The file with its log."""
        return self.directory / "container.log"

    @property
    def root(self) -> Path:
        """The directory with its files."""
        return self.directory / "rootfs"

    def must_run(self, what: str) -> None:
        """Raise Conflict, in Docker's words, if it does not run or is paused."""
        if self.state["Restarting"]:
            raise Conflict(f"Container {self.id} is restarting, wait until the container is running")
        if self.running is None:
            raise Conflict(f"container {self.id} is not running")
        if self.state["Paused"]:
            raise Conflict(f"Container {self.name} is paused, unpause the container before {what}")

    def save(self) -> None:
        """Write the record."""
        json_files.write(self.directory / "container.json", self.record)

    # -- starting ----------------------------------------------------------------------------------------------

    async def start(self) -> bool:
        """Start it; False if it runs already. Raises BadParameter if its command can't be run."""
        async with self._lock:
            if self._removing:
                raise NotFound(f"No such container: {self.id}")
            if self.running is not None or self.state["Restarting"]:
                return False
            self.record["Stopped"] = False
            self._pauses.reset()
            await self._launch()
            return True

    async def _launch(self) -> None:
        try:
            self.spaces = self.endpoints.prepare(self)
            self.endpoints.started(self)
            running = await process.start(container_spec(self), self.directory)
        except (process.StartFailed, LookupError, Fault) as error:
            self.endpoints.ended(self)
            self.waiting.not_started()
            code = getattr(error, "code", UNKNOWN)
            self.state.update(Error=str(error), ExitCode=code, Restarting=False, Running=False, Pid=0)
            self.state["Status"] = "created" if self.state["StartedAt"] == NEVER else "exited"
            self.save()
            if self.record["HostConfig"]["AutoRemove"]:
                await self._remove_self()
            raise _refusal(error) from None
        self._began(running)
        await self.waiting.connect(running)
        running.release()
        self.events.tell("start", self)

    async def attach(self) -> asyncio.Future[ShimConnection]:
        """Give its input and output: now if it runs, or from the first byte when it is started. Raises Conflict."""
        if self._removing:
            raise NotFound(f"No such container: {self.id}")
        if self.state["Paused"]:
            raise Conflict(f"container {self.id} is paused, unpause the container before attach")
        if self.state["Restarting"]:
            raise Conflict(f"container {self.id} is restarting, wait until the container is running")
        future: asyncio.Future[ShimConnection] = asyncio.get_running_loop().create_future()
        if self.running is not None:
            with contextlib.suppress(OSError):  # it has just ended: the next start is meant
                future.set_result(await self.running.connect())
                return future
        self.waiting.attached.append(future)
        return future

    def _began(self, running: RunningProcess, paused: bool = False) -> None:
        self.running = running
        self._ended.clear()
        self.state.update(FRESH, Status="running", Running=True, Pid=running.pid, StartedAt=running.started)
        if paused:
            self.state.update(Status="paused", Paused=True)
        self.state["FinishedAt"] = self.record.get("LastFinished", NEVER)
        health.begin(self, running)
        self.save()
        self.tasks.begin(self._monitor(running))

    def adopt(self) -> None:
        """After an engine restart: take up what still runs, finish what doesn't.

        The record may be older than what the shim knows: the engine may have died between the two.
        """
        found = process.adopt(self.directory)
        for name in mount_points.volumes_of(self.record.get("MountPoints", [])):
            self.volumes.use(name, self.id)
        shutil.rmtree(self.directory / "execs", ignore_errors=True)
        if isinstance(found, process.RunningProcess):
            self._began(found, paused=self.state["Paused"])
            self._freeze(self.state["Paused"])  # a pause or its end may have been half done
        elif found is not None and found.finished != self.record.get("LastFinished"):
            self._finish(found)
            self.tasks.begin(self._after_end())
        elif self.state["Restarting"]:
            self.tasks.begin(self._restart_later())
        elif self.state["Running"]:
            self._finish(process.Exit(255, now()))
            self.tasks.begin(self._after_end())

    # -- its end -----------------------------------------------------------------------------------------------

    async def _monitor(self, running: RunningProcess) -> None:
        self._finish(await running.wait())
        await self._after_end()

    def _finish(self, end: Exit) -> None:
        self.running = None
        try:
            self.endpoints.ended(self)
        except (Fault, OSError):
            log.exception("the network of %s", self.id)
        self.record["LastFinished"] = end.finished
        self.state.update(FRESH, Status="exited", ExitCode=end.code, StartedAt=self.state["StartedAt"])
        self.state["FinishedAt"] = end.finished
        if self.cgroup is not None:
            self.state["OOMKilled"] = end.code == LOST and self.cgroup.oom_kills() > 0
            self.cgroup.remove()
        (self.directory / "pid.json").unlink(missing_ok=True)  # what ended is not found again
        if self.state["OOMKilled"]:
            self.events.tell("oom", self)
        self.events.tell("die", self, exitCode=str(end.code))

    async def _after_end(self) -> None:
        """Obey the restart policy, or rest."""
        again = restart_policy.wanted(self.record)
        if again:
            self.state.update(Status="restarting", Restarting=True, Running=True)
        self.save()
        self._ended.set()
        self.waiting.ended(self._result())
        if again:
            self.tasks.begin(self._restart_later())
        elif self.record["HostConfig"]["AutoRemove"]:
            await self._remove_self()

    async def _restart_later(self) -> None:
        """Wait longer each time, but begin anew after a run of ten seconds."""
        await asyncio.sleep(self._pauses.seconds)
        async with self._lock:
            if self.record["Stopped"] or self.running is not None or not self.state["Restarting"]:
                return
            self.record["RestartCount"] += 1
            with contextlib.suppress(Fault):
                await self._launch()
        self._pauses.longer()
        self.tasks.begin(self._calm(self.running))

    async def _calm(self, running: RunningProcess | None) -> None:
        """After ten seconds of the same run the next pause is short again."""
        await asyncio.sleep(restart_policy.LONG_RUN)
        if running is not None and self.running is running:
            self._pauses.reset()

    # -- stopping ----------------------------------------------------------------------------------------------

    async def stop(self, seconds: int | None, signal: str | None = None) -> bool:
        """Stop it, and return when it has ended; False if it doesn't run. Raises BadParameter for a bad signal."""
        config = self.record["Config"]
        number = signals.number(signal or config.get("StopSignal") or "SIGTERM")
        async with self._lock:  # a start that is on its way comes first
            self.record["Stopped"] = True
            if self.running is None:
                return self._stop_restarting()
        wait = seconds if seconds is not None else config.get("StopTimeout")
        await self._end(number, PATIENCE if wait is None else wait)
        self.events.tell("stop", self)
        return True

    def _stop_restarting(self) -> bool:
        if not self.state["Restarting"]:
            return False
        self.state.update(Status="exited", Restarting=False, Running=False)
        self.save()
        return True

    async def _end(self, number: int, seconds: float) -> None:
        """Send a signal, and after so many seconds KILL; less than 0 is for ever."""
        running, ended = self.running, self._ended
        if running is None:
            return
        self._signal(running, number)
        try:
            await asyncio.wait_for(ended.wait(), seconds if seconds >= 0 else None)
        except TimeoutError:
            self._signal(running, SIGKILL)
            await ended.wait()

    def _signal(self, running: RunningProcess, number: int) -> None:
        running.signal(number)
        if self.state["Paused"] and number == SIGKILL:
            self._go_on()
        self.events.tell("kill", self, signal=str(number))

    async def restart(self, seconds: int | None, signal: str | None = None) -> None:
        """Stop it if it runs, and start it."""
        if self.running is not None or self.state["Restarting"]:
            await self.stop(seconds, signal)
        await self.start()
        self.events.tell("restart", self)

    async def kill(self, number: int) -> None:
        """Send a signal; after KILL wait for the end. Raises Conflict if it doesn't run."""
        if self.running is None:
            raise Conflict(f"container {self.id} is not running")
        if number in (SIGKILL, signals.number(self.record["Config"].get("StopSignal") or "SIGTERM")):
            self.record["Stopped"] = True
            self.save()
        ended = self._ended
        self._signal(self.running, number)
        if number == SIGKILL:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), LAST_PATIENCE)

    # -- pausing -----------------------------------------------------------------------------------------------

    async def pause(self) -> None:
        """Stop all of its processes where they are. Raises Conflict."""
        async with self._lock:
            if self.running is None:
                raise Conflict(f"container {self.id} is not running")
            if self.state["Paused"]:
                raise Conflict(f"Container {self.id} is already paused")
            if self.state["Restarting"]:
                raise Conflict(f"Container {self.id} is restarting, wait until the container is running")
            self._freeze(True)
            self.state.update(Status="paused", Paused=True)
            self.save()
        self.events.tell("pause", self)

    async def unpause(self) -> None:
        """Let them go on. Raises Fault."""
        async with self._lock:
            if self.running is None or not self.state["Paused"]:
                raise Fault(f"Container {self.id} is not paused")
            self._go_on()
        self.events.tell("unpause", self)

    def _go_on(self) -> None:
        self._freeze(False)
        self.state.update(Status="running", Paused=False)
        self.save()

    def _freeze(self, frozen: bool) -> None:
        """Freeze by the control group, or by a signal to each process."""
        if self.running is None or (self.cgroup is not None and self.cgroup.freeze(frozen)):
            return
        self.running.freeze(frozen)

    async def remove(self, force: bool, volumes: bool = False) -> None:
        """End it if `force` allows, and remove what is on disk. Raises Conflict if it runs."""
        async with self._lock:
            if self._removing:
                raise Conflict(f"removal of container {self.id} is already in progress")
            if (self.running is not None or self.state["Restarting"]) and not force:
                raise Conflict(
                    f'cannot remove container "{self.name}": container is {self.state["Status"]}: '
                    "stop the container before removing or force remove"
                )
            self._removing = True
            self.record["Stopped"] = True
            self._stop_restarting()
        await self._end(SIGKILL, LAST_PATIENCE)
        await self._clear(volumes)

    async def _remove_self(self) -> None:
        if not self._removing:
            self._removing = True
            await self._clear(volumes=True)

    async def _clear(self, volumes: bool) -> None:
        """The record goes first: a crash in between leaves rubbish, never half a container."""
        (self.directory / "container.json").unlink(missing_ok=True)
        try:
            await asyncio.to_thread(rootfs.remove, self.directory)
        except OSError:
            log.exception("what is left of %s goes at the next start", self.id)
        self.gone = True
        self._forget(self)
        self.volumes.release(self.id, mount_points.volumes_of(self.record.get("MountPoints", [])), volumes)
        self.events.tell("destroy", self)
        self.waiting.removed(self._result())

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait(self, condition: str) -> asyncio.Future[Record]:
        """Give a future for the answer of wait: `not-running`, `next-exit`, `removed`."""
        over = self.running is None and not self.state["Restarting"]
        return self.waiting.wait(condition, self._result() if over else None)

    def _result(self) -> Record:
        error = {"Message": self.state["Error"]} if self.state["Error"] else None
        return {"Error": error, "StatusCode": self.state["ExitCode"]}


def _refusal(error: Exception) -> Fault:
    """Give the fault that is behind a start that did not work."""
    if isinstance(error, Fault):
        return error
    return BadParameter(str(error)) if isinstance(error, process.StartFailed) else Fault(str(error))
