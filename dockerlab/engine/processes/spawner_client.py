"""The engine's side of the spawner: starts it when the first shim is needed, and asks it for shims."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dockerlab.engine.processes.isolation import SHIM, SHIM_ENVIRONMENT

__all__ = ["Spawned", "Spawning"]

SECONDS = 10


@dataclass(slots=True)
class Spawned:
    """A shim that was just started."""

    told: asyncio.StreamReader  #: what it says
    reading: asyncio.ReadTransport
    waits: int  #: a handle; as long as it is open, the shim passes nothing on

    def release(self) -> None:
        """Let it go on."""
        if self.waits >= 0:
            os.close(self.waits)
            self.waits = -1

    def close(self) -> None:
        """Listen no more."""
        self.reading.close()


class Spawning:
    """The spawner of this engine."""

    def __init__(self) -> None:
        """Nothing is started before it is needed."""
        self._link: socket.socket | None = None

    async def spawn(self, directory: Path) -> Spawned:
        """Start the shim of a container. Raises OSError."""
        theirs, waits = os.pipe()
        out, out_theirs = os.pipe()
        try:
            self._send(str(directory).encode(), [theirs, out_theirs])
        except BaseException:
            os.close(waits)
            os.close(out)
            raise
        finally:
            os.close(theirs)
            os.close(out_theirs)
        told = asyncio.StreamReader()
        reading, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(told), os.fdopen(out, "rb", buffering=0)
        )
        return Spawned(told, reading, waits)

    def _send(self, data: bytes, handles: list[int]) -> None:
        for attempt in (1, 2):
            if self._link is None:
                self._link = self._started()
            try:
                socket.send_fds(self._link, [data], handles)
                return
            except OSError:  # somebody has killed it
                self.close()
                if attempt == 2:  # noqa: PLR2004
                    raise

    @staticmethod
    def _started() -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(SECONDS)
        with contextlib.closing(theirs):
            subprocess.Popen(  # noqa: S603  (our own module, by this same interpreter)
                [*SHIM[:-1], "dockerlab.engine.processes.shim.spawner"],
                env=SHIM_ENVIRONMENT,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        return ours

    def close(self) -> None:
        """End the spawner; its shims go on."""
        if self._link is not None:
            self._link.close()
            self._link = None


#: An engine is one process, and so is its spawner.
SPAWNING = Spawning()
