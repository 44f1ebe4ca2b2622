"""The output of the classic builder: the lines that a client shows while a build runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from dockerlab.engine.containers import logs
from dockerlab.engine.processes.shim.frames import HEADER

if TYPE_CHECKING:
    from dockerlab.engine.containers.container import Container

__all__ = ["container_output", "stream_line"]

STDOUT = 1
RED, RESET = "\x1b[91m", "\x1b[0m"
Record = dict[str, Any]


def stream_line(text: str) -> Record:
    """Return a text as one JSON line of the response."""
    return {"stream": text}


async def container_output(container: Container) -> AsyncIterator[str]:
    """Yield what a container prints until it stops, with its standard error in red."""
    container.record.log_path.touch()
    query = logs.LogQuery(stdout=True, stderr=True, follow=True, frames=True)
    buffer = b""
    async for data in logs.read(container.record.log_path, query, lambda: not container.state["Running"]):
        buffer += data
        while len(buffer) >= HEADER.size:
            stream, length = HEADER.unpack_from(buffer)
            if len(buffer) < HEADER.size + length:
                break
            text = buffer[HEADER.size : HEADER.size + length].decode("utf-8", "replace")
            buffer = buffer[HEADER.size + length :]
            yield text if stream == STDOUT else f"{RED}{text}{RESET}"
