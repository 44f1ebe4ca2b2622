"""The engine's side of the spawner: starts it when the first shim is needed, and has it start shims."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.engine.processes import sealed_program
from dockerlab.engine.processes.isolation import HELPER_ENVIRONMENT, helper_command

__all__ = ["SPAWNER", "SpawnedShim", "SpawnerClient"]

SEND_SECONDS = 10
ATTEMPTS = 2
log = logging.getLogger("dockerlab.engine")


@dataclass(slots=True)
class SpawnedShim:
    """A shim that has just been started."""

    output: asyncio.StreamReader
    output_pipe: asyncio.ReadTransport
    gate: int  #: a descriptor; while it is open, the shim passes no output of the container on

    def release(self) -> None:
        """Let the shim pass the container's output on."""
        if self.gate >= 0:
            os.close(self.gate)
            self.gate = -1

    def close(self) -> None:
        """Stop reading what the shim prints."""
        self.output_pipe.close()


class SpawnerClient:
    """A connection to the spawner, which is started when it is needed."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    async def spawn(self, directory: Path) -> SpawnedShim:
        """Start the shim of a container or an exec. Raise OSError if the spawner can't be reached."""
        shim_input, gate = os.pipe()
        output, shim_output = os.pipe()
        try:
            self._send(str(directory).encode(), [shim_input, shim_output])
        except BaseException:
            os.close(gate)
            os.close(output)
            raise
        finally:
            os.close(shim_input)
            os.close(shim_output)
        reader = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb", buffering=0)
        )
        return SpawnedShim(reader, pipe, gate)

    def _send(self, directory: bytes, descriptors: list[int]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            if self._socket is None:
                self._socket = self._start_spawner()
            try:
                socket.send_fds(self._socket, [directory], descriptors)
                return
            except OSError:  # the spawner may have been killed: a new one gets the second attempt
                self.close()
                if attempt == ATTEMPTS:
                    raise

    @property
    def has_ended(self) -> bool:
        """Tell whether the spawner has ended, or was killed, since it was last used."""
        if self._socket is None:
            return True
        events = select.poll()
        events.register(self._socket, 0)  # the end of the other side is always reported
        return bool(events.poll(0))

    @classmethod
    def _start_spawner(cls) -> socket.socket:
        """Start the spawner from a sealed copy of the interpreter. Raise OSError if it does not start."""
        try:
            program = sealed_program.open_interpreter()
            try:
                environment = {**HELPER_ENVIRONMENT, **sealed_program.environment()}
                return cls._spawner(environment, executable=f"/proc/self/fd/{program}", pass_fds=[program])
            finally:
                os.close(program)
        except OSError as error:
            log.warning("containers can reach the Python interpreter's own file, because it can't be copied: %s", error)
            return cls._spawner(HELPER_ENVIRONMENT)

    @staticmethod
    def _spawner(environment: dict[str, str], **options: Any) -> socket.socket:
        """Start the spawner, and wait until it is ready. Raise OSError if it ends instead."""
        ours, spawners = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(SEND_SECONDS)
        with contextlib.closing(spawners):
            subprocess.Popen(  # noqa: S603  (our own module, by this same interpreter)
                helper_command("processes.shim.spawner"),
                env=environment,
                stdin=spawners.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                **options,
            )
        try:
            if not ours.recv(1):
                raise ConnectionError("the spawner has ended")
        except OSError:
            ours.close()
            raise
        return ours

    def close(self) -> None:
        """End the spawner. The shims that it has started go on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


#: An engine is one process with one spawner.
SPAWNER = SpawnerClient()
