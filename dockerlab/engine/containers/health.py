"""Health checks: a command that is run in a container again and again, and what its exit codes say of it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from dockerlab.engine.common.timestamps import now
from dockerlab.engine.containers.execs import Exec
from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import process

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.processes.process import RunningProcess

__all__ = ["begin", "wanted"]

SECOND = 10**9
INTERVAL, TIMEOUT, RETRIES, START_INTERVAL = 30.0, 30.0, 3, 5.0
KEPT, MOST_OUTPUT = 5, 4096
SHELL = ("/bin/sh", "-c")
Record = dict[str, Any]


def wanted(container: Container) -> list[str]:
    """Give the command that checks a container; nothing if there is none."""
    config = container.record["Config"]
    test = (config.get("Healthcheck") or {}).get("Test") or []
    if not test or test[0] == "NONE":
        return []
    if test[0] == "CMD-SHELL":
        return [*(config.get("Shell") or SHELL), " ".join(test[1:])]
    return list(test[1:] if test[0] == "CMD" else test)


def begin(container: Container, running: RunningProcess) -> None:
    """Begin to check a container that has just been started, or was taken up again; nothing if it has no check."""
    command = wanted(container)
    if not command:
        return
    container.state["Health"] = {"Status": "starting", "FailingStreak": 0, "Log": []}
    container.tasks.begin(_watch(container, running, command))


async def _watch(container: Container, running: RunningProcess, command: list[str]) -> None:
    asked = container.record["Config"]["Healthcheck"]
    interval, period = _seconds(asked, "Interval", INTERVAL), _seconds(asked, "StartPeriod", 0.0)
    begun = time.monotonic()
    while True:
        starting = time.monotonic() - begun < period and container.state["Health"]["Status"] == "starting"
        await asyncio.sleep(_seconds(asked, "StartInterval", START_INTERVAL) if starting else interval)
        if container.running is not running:
            return
        if container.state["Paused"]:
            continue
        told = await _check(container, command, _seconds(asked, "Timeout", TIMEOUT))
        if container.running is not running:
            return
        _note(container, told, int(asked.get("Retries") or RETRIES), time.monotonic() - begun < period)


def _seconds(asked: Record, name: str, default: float) -> float:
    return (asked.get(name) or 0) / SECOND or default


async def _check(container: Container, command: list[str], seconds: float) -> Record:
    """Run the command once."""
    asked = {"Cmd": command, "AttachStdout": True, "AttachStderr": True}
    check, started, output = Exec(container, asked), now(), bytearray()
    try:
        running = await check.start([])
    except (process.StartFailed, Fault) as error:
        return {"Start": started, "End": now(), "ExitCode": -1, "Output": str(error)}
    try:
        await asyncio.wait_for(_gather(running, output), seconds)
        await asyncio.wait_for(check.ended.wait(), seconds)
    except TimeoutError:
        running.signal(9)
        text = f"Health check exceeded timeout ({seconds:g}s)"
        more = output.decode("utf-8", "replace")
        return {"Start": started, "End": now(), "ExitCode": -1, "Output": f"{text}: {more}" if more else text}
    text = output[:MOST_OUTPUT].decode("utf-8", "replace") + ("..." if len(output) > MOST_OUTPUT else "")
    return {"Start": started, "End": now(), "ExitCode": check.code, "Output": text}


async def _gather(running: RunningProcess, output: bytearray) -> None:
    try:
        link = await running.connect_and_release()
    except OSError:
        return  # it has ended already, and said nothing
    try:
        while frame := await link.read_frame():
            output += frame[1][: max(0, MOST_OUTPUT + 1 - len(output))]
    finally:
        link.close()


def _note(container: Container, told: Record, retries: int, in_start: bool) -> None:
    """Remember an answer; what follows from it may be told as an event."""
    health = container.state["Health"]
    before = health["Status"]
    health["Log"] = [*health["Log"], told][-KEPT:]
    if told["ExitCode"] == 0:
        health.update(Status="healthy", FailingStreak=0)
    elif not (in_start and before == "starting"):
        health["FailingStreak"] += 1
        if health["FailingStreak"] >= retries:
            health["Status"] = "unhealthy"
    container.save()
    if health["Status"] != before:
        container.events.tell(f"health_status: {health['Status']}", container)
