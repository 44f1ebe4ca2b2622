"""Joins a client's connection with a container's, or an exec's, input and output."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Protocol

from dockerlab.engine.faults import BadParameter
from dockerlab.engine.processes.shim.frames import EOF, HEADER, SIZE, STDIN
from dockerlab.engine.processes.shim_connection import ShimConnection

__all__ = ["DETACH_KEYS", "Client", "Wanted", "detach_keys", "join", "resize"]

DETACH_KEYS = "ctrl-p,ctrl-q"
CONTROL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}
KINDS = {1: "stdout", 2: "stderr"}
SIZE_SECONDS, EOF_SECONDS = 2, 10
#: What follows from the end of a client's input.
GOES_ON, OVER, DETACHED = "the output goes on", "all is over", "the client detached"


class Client(Protocol):
    """What a client is to `join`: a connection that was taken over, or the websocket on one."""

    async def read(self) -> bytes:
        """Give what it sent; none at its end."""

    async def write(self, data: bytes) -> None:
        """Send it something."""

    async def gone(self) -> None:
        """Return when nobody is there any more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client wants of the streams."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    frames: bool = True  #: does each piece of output begin with a header?
    tty: bool = False  #: is it a terminal, whose keys may detach?
    #: does the container's input end with the client's?
    once: bool = True
    detach: bytes = b""


def detach_keys(text: str) -> bytes:
    """Read `ctrl-p,ctrl-q` as the bytes that a terminal sends. Raises BadParameter."""
    found = bytearray()
    for key in (text or DETACH_KEYS).split(","):
        control = key.removeprefix("ctrl-")
        if len(control) == 1 and control != key and (control.isalpha() and control.isascii()):
            found.append(ord(control.lower()) - 96)
        elif control != key and control in CONTROL:
            found.append(CONTROL[control])
        elif len(key) == 1 and key.isascii():
            found += key.encode()
        else:
            raise BadParameter(f"Invalid detach keys ({text}) provided: Unknown character: '{key}'")
    return bytes(found)


async def join(link: ShimConnection, client: Client, wanted: Wanted) -> bool:
    """Pass bytes both ways until the container has ended or the client is gone; True if it asked to be detached."""
    output = asyncio.create_task(_output(link, client, wanted))
    typed = asyncio.create_task(_input(client, link, wanted))
    gone = asyncio.create_task(client.gone())
    try:
        waiting: set[asyncio.Task[Any]] = {output, typed, gone}
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if done != {typed} or typed.exception() or typed.result() != GOES_ON:
                break
        detached = typed.done() and not typed.exception() and typed.result() == DETACHED
        if wanted.stdin and wanted.once and not detached:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_sent(link, EOF), EOF_SECONDS)
        return detached
    finally:
        for task in (output, typed, gone):
            task.cancel()
        await asyncio.gather(output, typed, gone, return_exceptions=True)
        link.close()


async def _output(link: ShimConnection, client: Client, wanted: Wanted) -> None:
    with contextlib.suppress(ConnectionError):
        while frame := await link.read_frame():
            kind, data = frame
            if getattr(wanted, KINDS[kind]):
                await client.write(HEADER.pack(kind, len(data)) + data if wanted.frames else data)


async def _input(client: Client, link: ShimConnection, wanted: Wanted) -> str:
    """Pass on what the client types; what it sends without having asked for input is read and dropped.

    When the client's half ends, so does the container's input, if it is for this client alone; otherwise it is the
    output that ends, as on Docker.
    """
    seen = 0
    while data := await client.read():
        if not wanted.stdin:
            continue
        if wanted.tty and wanted.detach:
            data, seen, done = _until_detached(data, seen, wanted.detach)
            if done:
                return DETACHED
        if data and not await _sent(link, STDIN, data):
            return GOES_ON
    if not wanted.stdin:
        return GOES_ON
    if not wanted.once or wanted.tty:
        return OVER
    await _sent(link, EOF)
    return GOES_ON


async def _sent(link: ShimConnection, kind: int, data: bytes = b"") -> bool:
    """Send a frame; False if the container has ended, whose last words may still be on their way."""
    try:
        await link.send(kind, data)
    except ConnectionError:
        return False
    return True


def _until_detached(data: bytes, seen: int, keys: bytes) -> tuple[bytes, int, bool]:
    """Hold back the keys that detach; give what passes, how many of the keys were seen, and whether it was all."""
    out = bytearray()
    for byte in data:
        if byte == keys[seen]:
            seen += 1
            if seen == len(keys):
                return bytes(out), 0, True
            continue
        out += keys[:seen]
        seen = 1 if byte == keys[0] else 0
        if not seen:
            out.append(byte)
    return bytes(out), seen, False


async def resize(link: ShimConnection, height: int, width: int) -> None:
    """Tell a terminal its size, and wait until it has it: whoever asked may look at once."""
    try:
        with contextlib.suppress(OSError, TimeoutError):  # it has just ended
            await asyncio.wait_for(_resized(link, height.to_bytes(2, "big") + width.to_bytes(2, "big")), SIZE_SECONDS)
    finally:
        link.close()


async def _resized(link: ShimConnection, size: bytes) -> None:
    """Read until the shim has taken what was said, and closes."""
    await link.send(SIZE, size)
    link.end_sending()
    while await link.read_frame():
        pass
