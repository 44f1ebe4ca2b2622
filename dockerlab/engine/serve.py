"""Runs the engine in this process until a signal stops it, or until it has been idle for long enough."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from dockerlab.engine.api import HANDLERS, left_out
from dockerlab.engine.common import engine_log, json_files
from dockerlab.engine.common.private_directory import PrivateDirectoryError
from dockerlab.engine.common.proc import start_ticks
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.control import ControlError, EnginePaths, prepare_directories
from dockerlab.engine.engine import Engine
from dockerlab.engine.http.listener import Listener
from dockerlab.engine.http.server import Server
from dockerlab.engine.processes import syscalls, user_namespace
from dockerlab.engine.processes.isolation import Rung, choose

__all__ = ["serve"]

CHECK_SECONDS = 30.0
#: A few registries that never answer must not keep others waiting: asyncio itself has as many threads as processors,
#: and four more.
MOST_THREADS = 256
log = logging.getLogger("dockerlab.engine")


def serve(paths: EnginePaths, rung: str | None, idle: float) -> None:
    """Serve on the socket. Raises ControlError if the state is in use, or if the rung does not work here."""
    engine_log.configure()
    os.umask(0o022)  # the usual one, for files in containers; the state directory itself has mode 0700
    syscalls.share_malloc_arena()
    syscalls.raise_open_file_limit()
    prepare_directories(paths)
    try:
        engine = Engine(paths.state, _enter_rung(paths.state, rung))
    except BlockingIOError:
        raise ControlError(
            f"Another engine is using {paths.state}. Stop it, or choose another directory with --state."
        ) from None
    except (ValueError, RuntimeError, PrivateDirectoryError) as error:
        raise ControlError(str(error)) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ControlError(
            f"The engine can't use {error.filename or paths.state} ({reason}). Mend that, or choose another directory: "
            "export DOCKERLAB_STATE=DIR"
        ) from None
    asyncio.run(_run(engine, paths, idle))


def _enter_rung(state: Path, name: str | None) -> Rung:
    """Choose the rung, and enter the user namespace if it needs one. Raises ValueError."""
    rung = choose(name or os.environ.get("DOCKERLAB_ISOLATION"))
    if rung.name != "userns":
        return rung
    try:
        user_namespace.enter(state)
    except OSError as error:
        raise ValueError(f"The isolation 'userns' does not work here: {error.strerror or error}.") from None
    return rung if user_namespace.can_change_owner() else rung.without("users")


async def _run(engine: Engine, paths: EnginePaths, idle: float) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(MOST_THREADS))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.set_exception_handler(engine_log.log_loop_error)
    engine.images.loop = loop
    engine.containers.load()
    handlers = {operation: partial(handler, engine) for operation, handler in HANDLERS.items()}
    server = Server(handlers, left_out, engine.state)
    listener = Listener(paths.socket, server.accept, server.connections)
    facts = {
        "pid": os.getpid(),
        "ticks": start_ticks(os.getpid()),
        "isolation": engine.rung.name,
        "started": now(),
        "host": paths.host,
    }
    json_files.write(paths.state / "engine.json", facts)
    log.info("serving on %s with the isolation %s", paths.host, engine.rung.name)
    try:
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), min(CHECK_SECONDS, idle))
            if engine.rung.name == "userns":
                with contextlib.suppress(OSError):
                    user_namespace.keep(paths.state)
            # without its socket nobody can reach this engine any more
            if _is_idle(engine, server, idle) or not paths.socket.is_socket():
                break
    finally:
        listener.close()
        for task in list(server.connections):
            task.cancel()
        if paths.socket.is_socket():
            paths.socket.unlink(missing_ok=True)
        (paths.state / "engine.json").unlink(missing_ok=True)
        log.info("stopped; %d containers stay", len(engine.containers))


def _is_idle(engine: Engine, server: Server, seconds: float) -> bool:
    """Return whether there was no request for so long, and no container is running."""
    is_busy = server.connections or any(container.state["Running"] for container in engine.containers)
    return not is_busy and time.monotonic() - server.last_active > seconds
