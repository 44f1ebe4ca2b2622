"""The engine's end of a connection to a shim: frames both ways, as `shim_watch` has them.

A program that has ended takes no input, and what it said before is still read to its end. asyncio's own streams
forget what has come when a write fails, or when the other side closes on what it has not read: these don't.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from dockerlab.engine.processes.shim.watch import HEADER

__all__ = ["Link"]

CHUNK = 65536


class Link:
    """One connection. One task may read while another one writes."""

    def __init__(self, held: socket.socket) -> None:
        """Take a socket that is connected."""
        self._socket = held
        self._heard = bytearray()
        self._unsent = bytearray()  # what a task that was cancelled left of its frame goes first

    @classmethod
    async def to(cls, directory: Path) -> Link:
        """Connect to a directory's shim; the path may be longer than a socket's may. Raises OSError if it has ended."""
        place = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        held = socket.socket(socket.AF_UNIX)
        try:
            held.setblocking(False)
            await asyncio.get_running_loop().sock_connect(held, f"/proc/self/fd/{place}/attach.sock")
        except BaseException:
            held.close()
            raise
        finally:
            os.close(place)
        return cls(held)

    async def frame(self) -> tuple[int, bytes] | None:
        """Give the next frame's kind and its data; None at the end."""
        try:
            kind, length = HEADER.unpack(await self._exactly(HEADER.size))
            return kind, await self._exactly(length)
        except (EOFError, ConnectionError):
            return None

    async def send(self, kind: int, data: bytes = b"") -> None:
        """Send a frame, and wait while the shim is behind. Raises ConnectionError if it has ended."""
        self._unsent += HEADER.pack(kind, len(data)) + data
        while self._unsent:
            try:
                del self._unsent[: self._socket.send(self._unsent)]
            except BlockingIOError:
                await self._room()

    def end(self) -> None:
        """Say that nothing more will be sent. Raises OSError if the shim has ended."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()

    async def _exactly(self, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        while len(self._heard) < count:
            data = await loop.sock_recv(self._socket, CHUNK)
            if not data:
                raise EOFError
            self._heard += data
        data = bytes(self._heard[:count])
        del self._heard[:count]
        return data

    async def _room(self) -> None:
        """Wait until something can be sent."""
        loop, room = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._socket, room.set)
        try:
            await room.wait()
        finally:
            loop.remove_writer(self._socket)
