"""Starts a container through its shim, and finds it again after an engine restart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal as signals
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dockerlab.engine.common import json_files
from dockerlab.engine.common.proc import is_same_process, parent
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.processes.shim_connection import Link
from dockerlab.engine.processes.spawner_client import SPAWNING, Spawned

__all__ = ["Exit", "Running", "Spec", "StartFailed", "adopt", "start"]

START_SECONDS = 30
LOST, NOT_RUNNABLE = 137, 126
NEVER_IGNORED = {signals.SIGKILL, signals.SIGSTOP}


class StartFailed(Exception):
    """A container could not be started; `code` is 126 or 127."""

    def __init__(self, text: str, code: int) -> None:
        """Take the engine's words and the exit code."""
        super().__init__(text)
        self.code = code


#: The beginning of every refusal to start a container, in Docker's words.
WORDS = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)


@dataclass(slots=True)
class Spec:
    """What the shim is to start; `namespaces` says of each kind `new`, or the path of the one to enter."""

    argv: list[str]
    env: dict[str, str]
    rootfs: str
    cwd: str
    tracer: list[str] = field(default_factory=list)
    log_path: str = ""
    log_size: int = 0
    log_files: int = 1
    log_attrs: dict[str, str] = field(default_factory=dict)
    words: str = WORDS
    hostname: str = ""
    domainname: str = ""
    tty: bool = False
    size: list[int] = field(default_factory=list)
    stdin: bool = False
    user: tuple[int, int] = (0, 0)
    users: bool = False  #: can the program be another user's than the engine's?
    groups: list[int] = field(default_factory=list)
    namespaces: dict[str, str] = field(default_factory=dict)
    cgroups: list[str] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    privileged: bool = False
    devices: list[dict[str, str]] = field(default_factory=list)
    readonly: bool = False
    masked: list[str] = field(default_factory=list)
    readonly_paths: list[str] = field(default_factory=list)
    shm_size: int = 64 << 20
    sysctls: dict[str, str] = field(default_factory=dict)
    caps: list[int] | None = None
    no_new_privs: bool = False
    rlimits: list[tuple[int, int, int]] = field(default_factory=list)
    oom_score_adj: int = 0
    init: bool = False
    beside: int = 0


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended."""

    code: int
    finished: str


@dataclass(slots=True)
class Running:
    """A container that runs: its first process, and the shim that watches it. `apart`: in namespaces of its own."""

    directory: Path
    apart: bool
    pid: int
    ticks: int
    shim: int
    shim_ticks: int
    started: str
    tracer: list[str] = field(default_factory=list)
    spawned: Spawned | None = field(default=None, repr=False)

    async def wait(self) -> Exit:
        """Wait until it has ended. Without a word from the shim (it was killed) the code is 137."""
        if is_same_process(self.shim, self.shim_ticks):
            await _ended(self.shim)
        self.release()
        told = json_files.read(self.directory / "exit.json")
        if told is None:
            if is_same_process(self.pid, self.ticks):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signals.SIGKILL)
            return Exit(LOST, now())
        return Exit(int(told["code"]), str(told["finished"]))

    def signal(self, number: int) -> None:
        """Send a signal to the first process, which is protected as in a pid namespace, on every rung."""
        if not is_same_process(self.pid, self.ticks):
            return
        if not self.apart and number not in NEVER_IGNORED and not _handles(self.pid, number):
            return  # a kernel drops it for the first process of a namespace; here we do
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def pids(self) -> list[int]:
        """Give the pids of all of its processes, as this machine numbers them; a tracer and its shell aren't any."""
        family = self._family()
        if not self.tracer:
            return family
        tracers = {pid for pid in family if _is(pid, self.tracer[0])}
        return [pid for pid in family if pid not in tracers and parent(pid) not in tracers]

    def _family(self) -> list[int]:
        execs = filter(None, map(json_files.read, self.directory.glob("execs/*/pid.json")))
        found = []
        todo = [self.shim, *(told["shim"] for told in execs if is_same_process(told["shim"], told["shim_ticks"]))]
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (parent_pid := parent(int(entry.name))) is not None:
                children.setdefault(parent_pid, []).append(int(entry.name))
        while todo:
            for child in children.get(todo.pop(), []):
                found.append(child)
                todo.append(child)
        return sorted(found)

    def freeze(self, frozen: bool) -> None:
        """Stop all of its processes where they are, or let them go on, by a signal to each."""
        family = self._family()  # a tracer, which is the oldest, must stop first and go on last
        for pid in family if frozen else reversed(family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signals.SIGSTOP if frozen else signals.SIGCONT)

    def release(self) -> None:
        """Let the shim begin to pass the output on: whoever is to have all of it is connected."""
        if self.spawned is not None:
            self.spawned.release()

    async def first(self) -> Link:
        """Connect, and only then let the output begin: nothing of it is missed. Raises OSError if it has ended."""
        try:
            return await self.connect()
        finally:
            self.release()

    async def connect(self) -> Link:
        """Connect to its input and output. Raises OSError if it has just ended."""
        return await Link.to(self.directory)


async def start(spec: Spec, directory: Path) -> Running:
    """Start a container, whose output waits for `release`. Raises StartFailed."""
    for name in ("exit.json", "pid.json"):
        (directory / name).unlink(missing_ok=True)
    json_files.write(directory / "spec.json", asdict(spec))
    spawned = await SPAWNING.spawn(directory)
    try:
        told = await _first_word(spawned)
    except BaseException:
        spawned.release()
        raise
    finally:
        spawned.close()
    facts = {name: told[name] for name in ("pid", "ticks", "shim", "shim_ticks", "started")}
    return Running(directory, bool(spec.namespaces), tracer=spec.tracer, spawned=spawned, **facts)


async def _first_word(spawned: Spawned) -> dict[str, Any]:
    """Read what a shim says of the start. Raises StartFailed."""
    line = b""
    with contextlib.suppress(TimeoutError):
        line = await asyncio.wait_for(spawned.told.readline(), START_SECONDS)
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        reason = line.decode("utf-8", "replace").strip() or "the shim did not answer"
        words = f"failed to create task for container: failed to create shim task: {reason}"
        raise StartFailed(words, NOT_RUNNABLE) from None
    if "error" in told:
        raise StartFailed(str(told["error"]), int(told["code"]))
    return told


def adopt(directory: Path) -> Running | Exit | None:
    """Find a container after an engine restart: it runs, it has ended, or it never began (None)."""
    told, begun = json_files.read(directory / "exit.json"), json_files.read(directory / "pid.json")
    if told is not None:
        return Exit(int(told["code"]), str(told["finished"]))
    if begun is None:
        return None
    if is_same_process(begun["shim"], begun["shim_ticks"]):
        spec = json_files.read(directory / "spec.json") or {}
        return Running(directory, bool(spec.get("namespaces")), tracer=spec.get("tracer") or [], **begun)
    if is_same_process(begun["pid"], begun["ticks"]):
        os.kill(begun["pid"], signals.SIGKILL)
    return Exit(LOST, now())


async def _ended(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop.add_reader(handle, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _is(pid: int, program: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/exe") == os.path.realpath(program)  # noqa: PTH115
    except OSError:
        return False


def _handles(pid: int, number: int) -> bool:
    """Has the process a handler for the signal?"""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
