"""Health checks: a command that runs in the container at intervals, and whose exit code says whether it is healthy."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from dockerlab.engine.common.timestamps import SECOND, now
from dockerlab.engine.containers.execs import Exec, ExecContainer
from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import process

if TYPE_CHECKING:
    from dockerlab.engine.common.tasks import Tasks
    from dockerlab.engine.containers.record_saver import RecordSaver
    from dockerlab.engine.processes.process import RunningProcess

__all__ = ["begin", "check_command"]

INTERVAL, TIMEOUT, RETRIES, START_INTERVAL = 30.0, 30.0, 3, 5.0
SHORTEST = 10**6  #: nanoseconds
LOG_ENTRIES, MOST_OUTPUT = 5, 4096
SHELL = ("/bin/sh", "-c")
Document = dict[str, Any]


class _CheckedContainer(ExecContainer, Protocol):
    """What a health check needs of its container."""

    main_process: RunningProcess | None
    tasks: Tasks
    saver: RecordSaver


def check_command(config: Document) -> list[str]:
    """Return the command of a container's health check, or an empty list if it has none."""
    test = (config.get("Healthcheck") or {}).get("Test") or []
    if not test or test[0] == "NONE":
        return []
    if test[0] == "CMD-SHELL":
        return [*(config.get("Shell") or SHELL), " ".join(test[1:])]
    return list(test[1:] if test[0] == "CMD" else test)


def begin(container: _CheckedContainer, running: RunningProcess) -> None:
    """Check a container from now on, if it has a health check. Its main process `running` has just been started."""
    command = check_command(container.record.config)
    if not command:
        return
    container.record.state["Health"] = {"Status": "starting", "FailingStreak": 0, "Log": []}
    container.tasks.begin(_watch(container, running, command))


async def _watch(container: _CheckedContainer, running: RunningProcess, command: list[str]) -> None:
    settings, state = container.record.config["Healthcheck"], container.record.state
    interval, period = _seconds(settings, "Interval", INTERVAL), _seconds(settings, "StartPeriod", 0.0)
    begin_time = time.monotonic()
    while True:
        is_starting = time.monotonic() - begin_time < period and state["Health"]["Status"] == "starting"
        await asyncio.sleep(_seconds(settings, "StartInterval", START_INTERVAL) if is_starting else interval)
        if container.main_process is not running:
            return
        if state["Paused"]:
            continue
        result = await _check(container, command, _seconds(settings, "Timeout", TIMEOUT))
        if container.main_process is not running:
            return
        in_start_period = time.monotonic() - begin_time < period
        _add_result(container, result, max(0, int(settings.get("Retries") or 0)) or RETRIES, in_start_period)


def _seconds(settings: Document, name: str, default: float) -> float:
    """Return a time in seconds. One that is too short counts as none, because an image may contain any number."""
    nanoseconds = settings.get(name) or 0
    return nanoseconds / SECOND if nanoseconds >= SHORTEST else default


async def _check(container: _CheckedContainer, command: list[str], seconds: float) -> Document:
    """Run the command once, and return the result as inspect shows it."""
    arguments = {"Cmd": command, "AttachStdout": True, "AttachStderr": True}
    check, started, output = Exec(container, arguments), now(), bytearray()
    try:
        running = await check.start([])
    except (process.StartFailed, Fault) as error:
        return {"Start": started, "End": now(), "ExitCode": -1, "Output": str(error)}
    try:
        await asyncio.wait_for(_read_output(running, output), seconds)
        await asyncio.wait_for(check.ended.wait(), seconds)
    except TimeoutError:
        running.signal(9)
        text = f"Health check exceeded timeout ({seconds:g}s)"
        more = output.decode("utf-8", "replace")
        return {"Start": started, "End": now(), "ExitCode": -1, "Output": f"{text}: {more}" if more else text}
    text = output[:MOST_OUTPUT].decode("utf-8", "replace") + ("..." if len(output) > MOST_OUTPUT else "")
    return {"Start": started, "End": now(), "ExitCode": check.code, "Output": text}


async def _read_output(running: RunningProcess, output: bytearray) -> None:
    """Read the output to its end, but keep no more than one byte above the limit."""
    try:
        link = await running.connect_and_release()
    except OSError:
        return  # the command ended before anybody could connect
    try:
        while frame := await link.read_frame():
            output += frame[1][: max(0, MOST_OUTPUT + 1 - len(output))]
    finally:
        link.close()


def _add_result(container: _CheckedContainer, result: Document, retries: int, in_start_period: bool) -> None:
    """Add a result to the health log, and publish an event if the status changes."""
    record = container.record
    health = record.state["Health"]
    before = health["Status"]
    health["Log"] = [*health["Log"], result][-LOG_ENTRIES:]
    if result["ExitCode"] == 0:
        health.update(Status="healthy", FailingStreak=0)
    elif not (in_start_period and before == "starting"):
        health["FailingStreak"] += 1
        if health["FailingStreak"] >= retries:
            health["Status"] = "unhealthy"
    container.saver.save()
    if health["Status"] != before:
        container.events.publish_container(f"health_status: {health['Status']}", record)
