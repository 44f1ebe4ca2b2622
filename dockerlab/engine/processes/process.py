"""A container's main process: started through its shim, and found again after an engine restart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal as signals
from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.proc import is_same_process, parent
from dockerlab.engine.common.timestamps import nanoseconds, now
from dockerlab.engine.processes.shim.sysctls import refusal
from dockerlab.engine.processes.shim_connection import ShimConnection
from dockerlab.engine.processes.spawner_client import SPAWNER, SpawnedShim

__all__ = ["Exit", "ProcessSpec", "RunningProcess", "StartFailed", "adopt", "require_sysctls", "start"]

START_SECONDS = 30
KILLED, NOT_RUNNABLE, NOT_STARTED = 128 + signals.SIGKILL, 126, 128
UNBLOCKABLE = {signals.SIGKILL, signals.SIGSTOP}


class StartFailed(Exception):
    """A container could not be started; `code` is the exit code that Docker gives it, 126 or 127."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


#: The beginning of every refusal to start a container, in Docker's words: before its process exists, and after that.
CREATE_ERROR_PREFIX = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
)
START_ERROR_PREFIX = f"{CREATE_ERROR_PREFIX}unable to start container process: error during container init: "


@dataclass(slots=True)
class ProcessSpec:
    """What a shim needs to know to start a process; it reads it from spec.json.

    `namespaces` has for each kind `new`, or the path of the namespace to join.
    """

    argv: list[str]
    env: dict[str, str]
    rootfs: str
    cwd: str
    tracer: list[str] = field(default_factory=list)
    log_path: str = ""
    log_size: int = 0
    log_files: int = 1
    log_attrs: dict[str, str] = field(default_factory=dict)
    error_prefix: str = START_ERROR_PREFIX
    hostname: str = ""
    domainname: str = ""
    tty: bool = False
    size: list[int] = field(default_factory=list)
    stdin: bool = False
    user: tuple[int, int] = (0, 0)
    can_change_user: bool = False
    groups: list[int] = field(default_factory=list)
    namespaces: dict[str, str] = field(default_factory=dict)
    cgroups: list[str] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    privileged: bool = False
    devices: list[dict[str, Any]] = field(default_factory=list)
    device_filter: bool = False  #: a control group decides which devices can be opened
    readonly: bool = False
    masked: list[str] = field(default_factory=list)
    readonly_paths: list[str] = field(default_factory=list)
    shm_size: int = 64 << 20
    sysctls: dict[str, str] = field(default_factory=dict)
    caps: list[int] | None = None
    no_new_privs: bool = False
    seccomp: str = ""  #: a seccomp filter, as a BPF program in base64
    rlimits: list[tuple[int, int, int]] = field(default_factory=list)
    oom_score_adj: int = 0
    init: bool = False
    container_pid: int = 0  #: of an exec: the main process of the container that it joins
    joined: dict[str, int] = field(
        default_factory=dict
    )  #: the processes whose namespaces it joins: pid and start ticks


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended."""

    code: int
    finished: str


@dataclass(slots=True)
class RunningProcess:
    """A running main process, and the shim that watches it. `isolated`: it has namespaces of its own."""

    directory: Path
    isolated: bool
    pid: int
    ticks: int
    shim: int
    shim_ticks: int
    started: str
    tracer: list[str] = field(default_factory=list)
    spawned: SpawnedShim | None = field(default=None, repr=False)

    async def wait(self) -> Exit:
        """Wait for the end of the process. If its shim was killed and left no exit code, the code is 137."""
        if is_same_process(self.shim, self.shim_ticks):
            await _process_end(self.shim)
        self.release()
        facts = json_files.read(self.directory / "exit.json")
        if facts is None:
            if is_same_process(self.pid, self.ticks):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signals.SIGKILL)
            return Exit(KILLED, now())
        return Exit(int(facts["code"]), str(facts["finished"]))

    def signal(self, number: int) -> None:
        """Send a signal to the main process, which ignores what it has no handler for, as in Docker."""
        if not is_same_process(self.pid, self.ticks):
            return
        if not self.isolated and number not in UNBLOCKABLE and not _has_handler(self.pid, number):
            return  # the first process of a pid namespace gets this from the kernel; other rungs imitate it here
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def pids(self) -> list[int]:
        """Return the pids of all the container's processes on the machine, without tracers and their shells."""
        descendants = self._descendants()
        if not self.tracer:
            return descendants
        tracers = {pid for pid in descendants if _runs(pid, self.tracer[0])}
        return [pid for pid in descendants if pid not in tracers and parent(pid) not in tracers]

    def _descendants(self) -> list[int]:
        execs = filter(None, map(json_files.read, self.directory.glob("execs/*/pid.json")))
        queue = [self.shim]
        queue += (facts["shim"] for facts in execs if is_same_process(facts["shim"], facts["shim_ticks"]))
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (parent_pid := parent(int(entry.name))) is not None:
                children.setdefault(parent_pid, []).append(int(entry.name))
        descendants = []
        while queue:
            for child in children.get(queue.pop(), []):
                descendants.append(child)
                queue.append(child)
        return sorted(descendants)

    def freeze(self, frozen: bool) -> None:
        """Pause or resume all the container's processes, by a signal to each."""
        pids = self._descendants()  # a tracer has the lowest pid: it must stop first and resume last
        for pid in pids if frozen else reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signals.SIGSTOP if frozen else signals.SIGCONT)

    def release(self) -> None:
        """Let the shim pass the output on: every client that attached before the start is connected now."""
        if self.spawned is not None:
            self.spawned.release()

    async def connect_and_release(self) -> ShimConnection:
        """Connect, and only then let the output flow, so that nothing is missed. Raise OSError if it has ended."""
        try:
            return await self.connect()
        finally:
            self.release()

    async def connect(self) -> ShimConnection:
        """Connect to the input and output. Raise OSError if the process has just ended."""
        return await ShimConnection.open(self.directory)


def require_sysctls(sysctls: Iterable[str], namespaces: Container[str]) -> None:
    """Raise StartFailed for a kernel setting that does not belong to the namespaces of a container."""
    for name in sysctls:
        if reason := refusal(name, namespaces):
            raise StartFailed(CREATE_ERROR_PREFIX + reason, NOT_STARTED)


async def start(spec: ProcessSpec, directory: Path) -> RunningProcess:
    """Start a process, whose output waits for `release`. Raise StartFailed."""
    for name in ("exit.json", "pid.json"):
        (directory / name).unlink(missing_ok=True)
    json_files.write(directory / "spec.json", asdict(spec))
    spawned, line = await _spawn(directory)
    if not line and SPAWNER.has_ended:  # it was killed before it had started a shim
        spawned.release()
        spawned, line = await _spawn(directory)
    try:
        report = _start_report(line)
    except StartFailed:
        spawned.release()
        raise
    facts = {name: report[name] for name in ("pid", "ticks", "shim", "shim_ticks", "started")}
    return RunningProcess(directory, bool(spec.namespaces), tracer=spec.tracer, spawned=spawned, **facts)


async def _spawn(directory: Path) -> tuple[SpawnedShim, bytes]:
    """Start a shim; return it with the line that it prints about the start, which is empty if it ends before that."""
    spawned = await SPAWNER.spawn(directory)
    try:
        return spawned, await asyncio.wait_for(spawned.output.readline(), START_SECONDS)
    except TimeoutError:
        return spawned, b"the shim did not answer"
    except BaseException:
        spawned.release()
        raise
    finally:
        spawned.close()


def _start_report(line: bytes) -> dict[str, Any]:
    """Read the shim's line about the start. Raise StartFailed if it says that the start failed, or says nothing."""
    try:
        report: dict[str, Any] = json.loads(line)
    except ValueError:
        reason = line.decode("utf-8", "replace").strip() or "the shim has ended"
        message = f"failed to create task for container: failed to create shim task: {reason}"
        raise StartFailed(message, NOT_RUNNABLE) from None
    if "error" in report:
        raise StartFailed(str(report["error"]), int(report["code"]))
    return report


def adopt(directory: Path) -> RunningProcess | Exit | None:
    """Find a process again after an engine restart: it runs, it has ended, or it never started (None).

    Raises an error of any kind if its files don't contain what they should.
    """
    exit_facts, start_facts = json_files.read(directory / "exit.json"), json_files.read(directory / "pid.json")
    if exit_facts is not None:
        nanoseconds(exit_facts["finished"])
        return Exit(int(exit_facts["code"]), str(exit_facts["finished"]))
    if start_facts is None:
        return None
    nanoseconds(start_facts["started"])
    if is_same_process(start_facts["shim"], start_facts["shim_ticks"]):
        spec = json_files.read(directory / "spec.json") or {}
        return RunningProcess(directory, bool(spec.get("namespaces")), tracer=spec.get("tracer") or [], **start_facts)
    if is_same_process(start_facts["pid"], start_facts["ticks"]):
        os.kill(start_facts["pid"], signals.SIGKILL)
    return Exit(KILLED, now())


async def _process_end(pid: int) -> None:
    """Wait for the end of a process, which need not be a child of this one."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _runs(pid: int, program: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/exe") == os.path.realpath(program)  # noqa: PTH115
    except OSError:
        return False


def _has_handler(pid: int, number: int) -> bool:
    """Tell whether a process has a handler of its own for a signal."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
