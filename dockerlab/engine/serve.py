"""Runs the engine in this process until it is told to stop, or has had nothing to do for a long time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import time
from pathlib import Path

from dockerlab.engine.api import HANDLERS, left_out
from dockerlab.engine.common import json_files
from dockerlab.engine.common.proc import start_ticks
from dockerlab.engine.common.timestamps import now
from dockerlab.engine.control import EngineTrouble, Place
from dockerlab.engine.engine import Engine
from dockerlab.engine.http.server import Server
from dockerlab.engine.processes import linux, user_namespace
from dockerlab.engine.processes.isolation import Rung, choose

__all__ = ["serve"]

BACKLOG = 512
LOOK_SECONDS = 30.0
log = logging.getLogger("dockerlab.engine")


def serve(where: Place, rung: str | None, idle: float) -> None:
    """Serve on the socket. Raises EngineTrouble if the state is in use, or the rung does not work here."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o022)  # files in containers are as usual; the state directory itself is 0700
    linux.share_malloc_arena()
    linux.raise_open_file_limit()
    try:
        engine = Engine(where.state, _rung(where.state, rung))
    except BlockingIOError:
        raise EngineTrouble(f"Another engine uses {where.state}: stop it, or choose another --state.") from None
    except (ValueError, RuntimeError) as error:
        raise EngineTrouble(str(error)) from None
    asyncio.run(_run(engine, where, idle))


def _rung(state: Path, name: str | None) -> Rung:
    """Choose the rung, and go to where it is to be had. Raises ValueError."""
    rung = choose(name or os.environ.get("DOCKERLAB_ISOLATION"))
    if rung.name != "userns":
        return rung
    try:
        user_namespace.enter(state)
    except OSError as error:
        raise ValueError(f"The isolation 'userns' does not work here: {error.strerror or error}.") from None
    return rung if user_namespace.can_change_owner() else rung.without("users")


async def _run(engine: Engine, where: Place, idle: float) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    engine.images.loop = loop
    engine.containers.load()
    handlers = {operation: functools.partial(handler, engine) for operation, handler in HANDLERS.items()}
    server = Server(handlers, left_out, engine.state)
    where.socket.unlink(missing_ok=True)
    listening = await asyncio.start_unix_server(server.accept, str(where.socket), backlog=BACKLOG)
    where.socket.chmod(0o600)
    facts = {
        "pid": os.getpid(),
        "ticks": start_ticks(os.getpid()),
        "isolation": engine.rung.name,
        "started": now(),
        "host": where.host,
    }
    json_files.write(where.state / "engine.json", facts)
    log.info("serving on %s with the isolation %s", where.host, engine.rung.name)
    try:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), min(LOOK_SECONDS, idle))
            if _idle(engine, server, idle) or not _ours(where.socket):
                break
    finally:
        listening.close()
        for task in list(server.connections):
            task.cancel()
        if _ours(where.socket):
            where.socket.unlink(missing_ok=True)
        (where.state / "engine.json").unlink(missing_ok=True)
        log.info("stopped; %d containers stay", len(engine.containers))


def _idle(engine: Engine, server: Server, seconds: float) -> bool:
    """Has nobody asked for so long, and does no container run?"""
    busy = server.connections or any(container.state["Running"] for container in engine.containers)
    return not busy and time.monotonic() - server.last_active > seconds


def _ours(path: Path) -> bool:
    """Is the socket still there? Without it nobody can reach this engine any more."""
    return path.is_socket()
