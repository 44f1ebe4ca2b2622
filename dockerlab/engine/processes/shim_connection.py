"""The engine's connection to a shim: frames in both directions, see shim/frames.py.

asyncio's own streams discard received data when a write fails, or when the other side closes before it has read
everything. A program that has ended takes no more input, but its output still has to be read to the end, so this module
uses the socket directly.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from dockerlab.engine.processes.shim.frames import HEADER

__all__ = ["ShimConnection"]

CHUNK = 65536


class ShimConnection:
    """One connection. One task may read while another one writes."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._received = bytearray()
        self._unsent = bytearray()  # a cancelled task may leave the rest of its frame, which must go first

    @classmethod
    async def open(cls, directory: Path) -> ShimConnection:
        """Connect to the shim that serves a directory. Raise OSError if it has ended."""
        # through /proc/self/fd, since the path itself may be longer than the 107 bytes of a socket's address
        descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, f"/proc/self/fd/{descriptor}/attach.sock")
        except BaseException:
            connection.close()
            raise
        finally:
            os.close(descriptor)
        return cls(connection)

    async def read_frame(self) -> tuple[int, bytes] | None:
        """Return the kind and the data of the next frame; None at the end."""
        try:
            kind, length = HEADER.unpack(await self._read_exactly(HEADER.size))
            return kind, await self._read_exactly(length)
        except (EOFError, ConnectionError):
            return None

    async def send(self, kind: int, data: bytes = b"") -> None:
        """Send a frame, and wait while the shim can't take it. Raise ConnectionError if the shim has ended."""
        self._unsent += HEADER.pack(kind, len(data)) + data
        while self._unsent:
            try:
                del self._unsent[: self._socket.send(self._unsent)]
            except BlockingIOError:
                await self._wait_until_writable()

    def end_sending(self) -> None:
        """Tell the shim that nothing more will be sent. Raise OSError if it has ended."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    async def _read_exactly(self, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        while len(self._received) < count:
            data = await loop.sock_recv(self._socket, CHUNK)
            if not data:
                raise EOFError
            self._received += data
        data = bytes(self._received[:count])
        del self._received[:count]
        return data

    async def _wait_until_writable(self) -> None:
        loop, writable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._socket, writable.set)
        try:
            await writable.wait()
        finally:
            loop.remove_writer(self._socket)
