"""One container: its record, and the state machine around its process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

from dockerlab.engine import process, rootfs, signals, store
from dockerlab.engine.faults import BadParameter, Conflict, Fault, NotFound
from dockerlab.engine.moments import NEVER, now

if TYPE_CHECKING:
    from dockerlab.engine.events import Events
    from dockerlab.engine.isolation import Rung
    from dockerlab.engine.process import Exit, Running

__all__ = ["Container", "Home"]

FIRST_PAUSE, LONGEST_PAUSE, LONG_RUN = 0.1, 60.0, 10.0
#: Seconds for a container to end after its stop signal, and after KILL.
PATIENCE, LAST_PATIENCE = 10, 10
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


@dataclass(frozen=True, slots=True)
class Home:
    """What all containers of one engine share; `forget` is called by one that removes itself."""

    rung: Rung
    events: Events
    forget: Callable[[Container], None]


class Container:
    """One container. `record` is what is kept on disk; everything else is of this moment."""

    def __init__(self, home: Home, directory: Path, record: Record) -> None:
        """Take its directory and record, and what it shares with the other containers."""
        self.directory = directory
        self.rung = home.rung
        self.record = record
        self.events = home.events
        self.running: Running | None = None
        self._gone = home.forget
        self._removing = False
        self._lock = asyncio.Lock()
        self._ended = asyncio.Event()
        self._pause = FIRST_PAUSE
        self._exits: list[asyncio.Future[Record]] = []
        self._removals: list[asyncio.Future[Record]] = []
        self._tasks: set[asyncio.Task[None]] = set()

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

    def save(self) -> None:
        """Write the record."""
        store.write(self.directory / "container.json", self.record)

    # -- starting ----------------------------------------------------------------------------------------------

    async def start(self) -> bool:
        """Start it; False if it runs already. Raises BadParameter if its command can't be run."""
        async with self._lock:
            if self._removing:
                raise NotFound(f"No such container: {self.id}")
            if self.running is not None or self.state["Restarting"]:
                return False
            self.record["Stopped"] = False
            self._pause = FIRST_PAUSE
            await self._launch()
            return True

    async def _launch(self) -> None:
        try:
            spec = self._spec()
            running = await process.start(spec, self.directory, self.rung)
        except (process.StartFailed, LookupError) as error:
            code = getattr(error, "code", 126)
            self.state.update(Error=str(error), ExitCode=code, Restarting=False, Running=False, Pid=0)
            self.state["Status"] = "created" if self.state["StartedAt"] == NEVER else "exited"
            self.save()
            self._tell(self._exits)
            if self.record["HostConfig"]["AutoRemove"]:
                await self._remove_self()
            raise BadParameter(str(error)) from None
        self._began(running)
        self.events.tell("start", self)

    def _began(self, running: Running) -> None:
        self.running = running
        self._ended.clear()
        self.state.update(FRESH, Status="running", Running=True, Pid=running.pid, StartedAt=running.started)
        self.state["FinishedAt"] = self.record.get("LastFinished", NEVER)
        self.save()
        self._background(self._monitor(running))

    def _spec(self) -> process.Spec:
        config = self.record["Config"]
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": config["Hostname"]}
        if config["Tty"]:
            env["TERM"] = "xterm"
        env |= {name: value for name, _, value in (entry.partition("=") for entry in config["Env"])}
        env.setdefault("HOME", "/root")
        return process.Spec(
            argv=[self.record["Path"], *self.record["Args"]],
            env=env,
            rootfs=str(self.root),
            cwd=config["WorkingDir"] or "/",
            hostname=config["Hostname"],
            rung=self.rung.name,
            log_path=str(self.log_path),
            tty=config["Tty"],
            user=rootfs.user_of(self.root, config["User"]),
        )

    def adopt(self) -> None:
        """After an engine restart: take up what still runs, finish what doesn't.

        The record may be older than what the shim knows: the engine may have died between the two.
        """
        found = process.adopt(self.directory, self.rung.name)
        if isinstance(found, process.Running):
            self._began(found)
        elif found is not None and found.finished != self.record.get("LastFinished"):
            self._finish(found)
            self._background(self._after_end())
        elif self.state["Restarting"]:
            self._background(self._restart_later())
        elif self.state["Running"]:
            self._finish(process.Exit(255, now()))
            self._background(self._after_end())

    # -- its end -----------------------------------------------------------------------------------------------

    async def _monitor(self, running: Running) -> None:
        self._finish(await running.wait())
        await self._after_end()

    def _finish(self, end: Exit) -> None:
        self.running = None
        self.record["LastFinished"] = end.finished
        self.state.update(FRESH, Status="exited", ExitCode=end.code, StartedAt=self.state["StartedAt"])
        self.state["FinishedAt"] = end.finished
        (self.directory / "pid.json").unlink(missing_ok=True)  # what ended is not found again
        self.events.tell("die", self, exitCode=str(end.code))

    async def _after_end(self) -> None:
        """Obey the restart policy, or rest."""
        again = self._restarts()
        if again:
            self.state.update(Status="restarting", Restarting=True, Running=True)
        self.save()
        self._ended.set()
        self._tell(self._exits)
        if again:
            self._background(self._restart_later())
        elif self.record["HostConfig"]["AutoRemove"]:
            await self._remove_self()

    def _restarts(self) -> bool:
        policy = self.record["HostConfig"]["RestartPolicy"]
        if self.record["Stopped"]:
            return False
        if policy["Name"] == "on-failure":
            most = policy["MaximumRetryCount"]
            return bool(self.state["ExitCode"]) and (not most or self.record["RestartCount"] < most)
        return policy["Name"] in ("always", "unless-stopped")

    async def _restart_later(self) -> None:
        """Wait longer each time, but begin anew after a run of ten seconds."""
        await asyncio.sleep(self._pause)
        async with self._lock:
            if self.record["Stopped"] or self.running is not None or not self.state["Restarting"]:
                return
            self.record["RestartCount"] += 1
            with contextlib.suppress(Fault):
                await self._launch()
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._background(self._calm(self.running))

    async def _calm(self, running: Running | None) -> None:
        """After ten seconds of the same run the next pause is short again."""
        await asyncio.sleep(LONG_RUN)
        if running is not None and self.running is running:
            self._pause = FIRST_PAUSE

    # -- stopping ----------------------------------------------------------------------------------------------

    async def stop(self, seconds: int | None, signal: str | None = None) -> bool:
        """Stop it, and return when it has ended; False if it doesn't run. Raises BadParameter for a bad signal."""
        config = self.record["Config"]
        number = _number(signal or config.get("StopSignal") or "SIGTERM")
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

    def _signal(self, running: Running, number: int) -> None:
        running.signal(number)
        self.events.tell("kill", self, signal=str(number))

    async def restart(self, seconds: int | None, signal: str | None = None) -> None:
        """Stop it if it runs, and start it."""
        if self.running is not None or self.state["Restarting"]:
            await self.stop(seconds, signal)
        await self.start()
        self.events.tell("restart", self)

    def kill(self, signal: str) -> None:
        """Send a signal. Raises Conflict if it doesn't run, BadParameter for an unknown signal."""
        number = _number(signal or "SIGKILL")
        if self.running is None:
            raise Conflict(f"container {self.id} is not running")
        if number in (SIGKILL, _number(self.record["Config"].get("StopSignal") or "SIGTERM")):
            self.record["Stopped"] = True
            self.save()
        self._signal(self.running, number)

    async def remove(self, force: bool) -> None:
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
        await self._clear()

    async def _remove_self(self) -> None:
        if not self._removing:
            self._removing = True
            await self._clear()

    async def _clear(self) -> None:
        """The record goes first: a crash in between leaves rubbish, never half a container."""
        (self.directory / "container.json").unlink(missing_ok=True)
        await asyncio.to_thread(rootfs.remove, self.directory)
        self._gone(self)
        self.events.tell("destroy", self)
        self._tell(self._exits)
        self._tell(self._removals)

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait(self, condition: str) -> asyncio.Future[Record]:
        """Give a future for the answer of wait: `not-running`, `next-exit`, `removed`."""
        future: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        if condition == "removed":
            self._removals.append(future)
        elif condition == "next-exit" or self.running is not None or self.state["Restarting"]:
            self._exits.append(future)
        else:
            future.set_result(self._result())
        return future

    def _result(self) -> Record:
        error = {"Message": self.state["Error"]} if self.state["Error"] else None
        return {"Error": error, "StatusCode": self.state["ExitCode"]}

    def _tell(self, waiting: list[asyncio.Future[Record]]) -> None:
        for future in waiting:
            if not future.done():
                future.set_result(self._result())
        waiting.clear()

    def _background(self, work: Any) -> None:
        """Run something beside; the set keeps it from being collected."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _number(signal: str) -> int:
    """Give a signal's number. Raises BadParameter in Docker's words."""
    try:
        return signals.parse(signal)
    except ValueError:
        if signal.isdigit() and int(signal):
            raise BadParameter(f"the linux daemon does not support signal {signal}") from None
        raise BadParameter(f"invalid signal: {signal}") from None
