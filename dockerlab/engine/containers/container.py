"""One container: the state machine around its main process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common import container_record, signals
from dockerlab.engine.common.tasks import Tasks
from dockerlab.engine.common.timestamps import NEVER, now
from dockerlab.engine.containers import health, restart_policy
from dockerlab.engine.containers.initial_state import NEW_STATE, new_state
from dockerlab.engine.containers.process_spec import container_spec
from dockerlab.engine.containers.record_saver import RecordSaver
from dockerlab.engine.containers.waiters import Waiters
from dockerlab.engine.faults import BadParameter, Conflict, Fault, NotFound, message_of
from dockerlab.engine.processes import process
from dockerlab.engine.storage import rootfs

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord
    from dockerlab.engine.containers.container_context import ContainerContext
    from dockerlab.engine.containers.execs import Exec
    from dockerlab.engine.processes.process import Exit, RunningProcess
    from dockerlab.engine.processes.shim_connection import ShimConnection

__all__ = ["Container", "new_state"]

#: How many seconds a container has to end after its stop signal, and after KILL.
STOP_SECONDS, KILL_SECONDS = 10, 10
#: Exit codes: of a process that KILL ended, of a start that failed, and of a process that ended without the engine.
KILLED, NOT_STARTED, UNKNOWN = 137, 128, 255
log = logging.getLogger("dockerlab.engine")
Document = dict[str, Any]


class Container:
    """One container. Its `record` is stored on disk; everything else lasts as long as this engine's process."""

    def __init__(self, context: ContainerContext, record: ContainerRecord) -> None:
        self.record = record
        self.events = context.services.events
        self.rung = context.services.rung
        self.volumes = context.services.volumes
        self.endpoints = context.services.endpoints
        self.cgroup = context.services.groups.cgroup(record.id)
        self.main_process: RunningProcess | None = None
        self.execs: dict[str, Exec] = {}
        self.namespaces: dict[str, str] = {}  #: the paths of namespaces that were made before the start, by kind
        self.is_removed = False
        self.waiters = Waiters()
        self.tasks = Tasks()
        self.saver = RecordSaver(record, self.tasks)
        self._context = context
        self._removing = False
        self._lock = asyncio.Lock()
        self._ended = asyncio.Event()
        self._restart_delay = restart_policy.RestartDelay()

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def state(self) -> Document:
        return self.record.state

    def require_running(self, action: str) -> None:
        """Raise Conflict, with Docker's message, if it is stopped, restarting or paused."""
        if self.state["Restarting"]:
            raise Conflict(f"Container {self.id} is restarting, wait until the container is running")
        if self.main_process is None:
            raise Conflict(f"container {self.id} is not running")
        if self.state["Paused"]:
            raise Conflict(f"Container {self.name} is paused, unpause the container before {action}")

    # -- starting ----------------------------------------------------------------------------------------------

    async def start(self) -> bool:
        """Start it. Return False if it is running (304). Raises Conflict, or BadParameter for a wrong command."""
        async with self._lock:
            if self._removing:
                raise NotFound(f"No such container: {self.id}")
            if self.state["Paused"]:
                raise Conflict("cannot start a paused container, try unpause instead")
            if self.main_process is not None or self.state["Restarting"]:
                return False
            self.record.stop_requested = False
            self._restart_delay.reset()
            await self._launch()
            return True

    async def _launch(self) -> None:
        try:
            self.namespaces = self.endpoints.set_up(self.record)
            self.endpoints.publish_ports(self.record)
            spec = container_spec(self.record, self.rung, self.cgroup, self.namespaces, self._context.find)
            running = await process.start(spec, self.record.directory)
        except (process.StartFailed, LookupError, Fault, OSError) as error:
            await self._mark_start_failed(error)
            raise _fault_of(error) from None
        self._mark_running(running)
        await self.waiters.connect_attached(running)
        running.release()
        self.events.publish_container("start", self.record)

    async def _mark_start_failed(self, error: Exception) -> None:
        """Record that the start failed."""
        self.endpoints.tear_down(self.record)
        self.waiters.refuse_attached()
        code = getattr(error, "code", NOT_STARTED)
        self.state.update(Error=str(_fault_of(error)), ExitCode=code, Restarting=False, Running=False, Pid=0)
        self.state["Status"] = "created" if self.state["StartedAt"] == NEVER else "exited"
        self.saver.save()
        if self.record.host_config["AutoRemove"]:
            await self._remove_self()

    async def attach(self) -> asyncio.Future[ShimConnection]:
        """Return a future for the connection to the main process's input and output.

        It is ready at once if the container is running. Otherwise it is ready at the next start, before any output is
        lost. Raises Conflict.
        """
        if self._removing:
            raise NotFound(f"No such container: {self.id}")
        if self.state["Paused"]:
            raise Conflict(f"container {self.id} is paused, unpause the container before attach")
        if self.state["Restarting"]:
            raise Conflict(f"container {self.id} is restarting, wait until the container is running")
        future: asyncio.Future[ShimConnection] = asyncio.get_running_loop().create_future()
        if self.main_process is not None:
            with contextlib.suppress(OSError):  # the process has just ended, so the client waits for the next start
                future.set_result(await self.main_process.connect())
                return future
        self.waiters.attach(future)
        return future

    def _mark_running(self, running: RunningProcess, paused: bool = False) -> None:
        self.main_process = running
        self._ended.clear()
        self.state.update(NEW_STATE, Status="running", Running=True, Pid=running.pid, StartedAt=running.started)
        if paused:
            self.state.update(Status="paused", Paused=True)
        self.state["FinishedAt"] = self.record.last_finished or NEVER
        health.begin(self, running)
        self.saver.save()
        self.tasks.begin(self._monitor(running))

    def adopt(self) -> None:
        """Take over what an earlier engine left: monitor a process that still runs, and finish one that has ended.

        The shim may know more than the record, because the engine may have died before it saved the record.
        """
        directory = self.record.directory
        result = process.adopt(directory)
        for name in self.record.volume_names:
            self.volumes.acquire(name, self.id)
        shutil.rmtree(directory / "execs", ignore_errors=True)
        if isinstance(result, process.RunningProcess):
            self._mark_running(result, paused=self.state["Paused"])
            self._freeze(self.state["Paused"])  # the engine may have died halfway through a pause or an unpause
        elif result is not None and result.finished != self.record.last_finished:
            self._mark_ended(result)
            self.tasks.begin(self._after_end())
        elif self.state["Restarting"]:
            self.tasks.begin(self._restart_later())
        elif self.state["Running"]:
            self._mark_ended(process.Exit(UNKNOWN, now()))
            self.tasks.begin(self._after_end())

    # -- the end of the main process ---------------------------------------------------------------------------

    async def _monitor(self, running: RunningProcess) -> None:
        self._mark_ended(await running.wait())
        await self._after_end()

    def _mark_ended(self, end: Exit) -> None:
        self.main_process = None
        try:
            self.endpoints.tear_down(self.record)
        except (Fault, OSError):
            log.exception("could not take down the network of %s", self.id)
        self.record.last_finished = end.finished
        self.state.update(NEW_STATE, Status="exited", ExitCode=end.code, StartedAt=self.state["StartedAt"])
        self.state["FinishedAt"] = end.finished
        if self.cgroup is not None:
            self.state["OOMKilled"] = end.code == KILLED and self.cgroup.oom_kills() > 0
            self.cgroup.remove()
        (self.record.directory / "pid.json").unlink(missing_ok=True)  # so that the next engine doesn't adopt it again
        if self.state["OOMKilled"]:
            self.events.publish_container("oom", self.record)
        self.events.publish_container("die", self.record, exitCode=str(end.code))

    async def _after_end(self) -> None:
        """Follow the restart policy."""
        restarts = restart_policy.should_restart(self.record)
        if restarts:
            self.state.update(Status="restarting", Restarting=True, Running=True)
        self.saver.save()
        self._ended.set()
        self.waiters.notify_ended(self._result())
        if restarts:
            self.tasks.begin(self._restart_later())
        elif self.record.host_config["AutoRemove"]:
            await self._remove_self()

    async def _restart_later(self) -> None:
        await asyncio.sleep(self._restart_delay.seconds)
        async with self._lock:
            if self.record.stop_requested or self.main_process is not None or not self.state["Restarting"]:
                return
            self.record.restart_count += 1
            with contextlib.suppress(Fault):
                await self._launch()
        self._restart_delay.increase()
        self.tasks.begin(self._reset_delay_after_long_run(self.main_process))

    async def _reset_delay_after_long_run(self, running: RunningProcess | None) -> None:
        await asyncio.sleep(restart_policy.LONG_RUN_SECONDS)
        if running is not None and self.main_process is running:
            self._restart_delay.reset()

    # -- stopping ----------------------------------------------------------------------------------------------

    def _stop_signal(self) -> str:
        name = self.record.config.get("StopSignal") or "SIGTERM"
        return name if signals.is_known(name) else "SIGTERM"  # an image may name any

    async def stop(self, seconds: int | None, signal: str | None = None) -> bool:
        """Stop it, and return when it has ended. Return False if it is not running. Raises BadParameter."""
        number = signals.number(signal or self._stop_signal())
        async with self._lock:  # waits for a start that is under way
            self.record.stop_requested = True
            if self.main_process is None:
                return self._cancel_restart()
        timeout = seconds if seconds is not None else self.record.config.get("StopTimeout")
        await self._end(number, STOP_SECONDS if timeout is None else timeout)
        self.events.publish_container("stop", self.record)
        return True

    def _cancel_restart(self) -> bool:
        if not self.state["Restarting"]:
            return False
        self.state.update(Status="exited", Restarting=False, Running=False)
        self.saver.save()
        return True

    async def _end(self, number: int, seconds: float) -> None:
        """Send a signal, and KILL after so many seconds. A negative number of seconds means no KILL."""
        running, ended = self.main_process, self._ended
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
            self._resume()
        self.events.publish_container("kill", self.record, signal=str(number))

    async def restart(self, seconds: int | None, signal: str | None = None) -> None:
        """Stop it if it is running, and start it."""
        if self.main_process is not None or self.state["Restarting"]:
            await self.stop(seconds, signal)
        await self.start()
        self.events.publish_container("restart", self.record)

    async def kill(self, number: int) -> None:
        """Send a signal. After KILL, wait for the end. Raises Conflict if it is not running."""
        if self.main_process is None:
            raise Conflict(f"container {self.id} is not running")
        if number in (SIGKILL, signals.number(self._stop_signal())):
            self.record.stop_requested = True
            self.saver.save()
        ended = self._ended
        self._signal(self.main_process, number)
        if number == SIGKILL:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), KILL_SECONDS)

    # -- pausing -----------------------------------------------------------------------------------------------

    async def pause(self, *, briefly: bool = False) -> None:
        """Suspend all of its processes. Raises Conflict.

        A brief pause, as for a commit, is not saved: if the engine is killed meanwhile, the next one ends it.
        """
        async with self._lock:
            if self.main_process is None:
                raise Conflict(f"container {self.id} is not running")
            if self.state["Paused"]:
                raise Conflict(f"Container {self.id} is already paused")
            if self.state["Restarting"]:
                raise Conflict(f"Container {self.id} is restarting, wait until the container is running")
            self.state.update(Status="paused", Paused=True)
            try:
                if not briefly:
                    self.record.save()
            except OSError:
                self.state.update(Status="running", Paused=False)
                raise
            self._freeze(True)
        self.events.publish_container("pause", self.record)

    async def unpause(self) -> None:
        """Resume all of its processes. Raises Fault."""
        async with self._lock:
            if self.main_process is None or not self.state["Paused"]:
                raise Fault(f"Container {self.id} is not paused")
            self._resume()
        self.events.publish_container("unpause", self.record)

    def _resume(self) -> None:
        self._freeze(False)
        self.state.update(Status="running", Paused=False)
        self.saver.save()

    def _freeze(self, frozen: bool) -> None:
        """Freeze or thaw the cgroup, or signal each process where there is no cgroup."""
        if self.main_process is None or (self.cgroup is not None and self.cgroup.freeze(frozen)):
            return
        self.main_process.freeze(frozen)

    # -- removing ----------------------------------------------------------------------------------------------

    async def remove(self, force: bool, volumes: bool = False) -> None:
        """Remove it and its files, and its anonymous volumes with `volumes`.

        Raises Conflict if it is running, except with `force`, which kills it first.
        """
        async with self._lock:
            if self._removing:
                raise Conflict(f"removal of container {self.id} is already in progress")
            if (self.main_process is not None or self.state["Restarting"]) and not force:
                raise Conflict(
                    f'cannot remove container "{self.name}": container is {self.state["Status"]}: '
                    "stop the container before removing or force remove"
                )
            self._removing = True
            self.record.stop_requested = True
            self._cancel_restart()
        await self._end(SIGKILL, KILL_SECONDS)
        await self._clear(volumes)

    async def _remove_self(self) -> None:
        if not self._removing:
            self._removing = True
            await self._clear(volumes=True)

    async def _clear(self, volumes: bool) -> None:
        directory = self.record.directory
        # The record is removed first: after a crash the next engine finds files to delete, never half a container.
        (directory / container_record.FILE).unlink(missing_ok=True)
        try:
            await asyncio.to_thread(rootfs.remove, directory)
        except OSError:
            log.exception("could not remove all files of %s; the next start of the engine removes the rest", self.id)
        self.is_removed = True
        self._context.forget(self.record)
        self.volumes.release(self.id, self.record.volume_names, volumes)
        self.events.publish_container("destroy", self.record)
        self.waiters.notify_removed(self._result())

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait(self, condition: str) -> asyncio.Future[Document]:
        """Return a future for the response of wait. `condition` is `not-running`, `next-exit` or `removed`."""
        is_stopped = self.main_process is None and not self.state["Restarting"]
        return self.waiters.wait(condition, self._result() if is_stopped else None)

    def _result(self) -> Document:
        error = {"Message": self.state["Error"]} if self.state["Error"] else None
        return {"Error": error, "StatusCode": self.state["ExitCode"]}


def _fault_of(error: Exception) -> Fault:
    """Return the fault for an error that prevented a start. Docker blames the request only for what it can't run."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, OSError):
        return Fault(f"failed to create task for container: {message_of(error)}")
    is_wrong = isinstance(error, process.StartFailed) and error.code != NOT_STARTED
    return BadParameter(str(error)) if is_wrong else Fault(str(error))
