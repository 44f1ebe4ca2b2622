"""Joins a client's connection with the input and output of a container or an exec."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Protocol

from dockerlab.engine.faults import BadParameter
from dockerlab.engine.processes.shim.frames import EOF, HEADER, SIZE, STDIN
from dockerlab.engine.processes.shim_connection import ShimConnection

__all__ = ["DETACH_KEYS", "Client", "Options", "join", "parse_detach_keys", "resize"]

DETACH_KEYS = "ctrl-p,ctrl-q"
CONTROL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}
STREAMS = {1: "stdout", 2: "stderr"}
SIZE_SECONDS, EOF_SECONDS = 2, 10
#: What follows from the end of a client's input.
KEEP_OUTPUT, CLOSE, DETACH = "the output goes on", "the connection is closed", "the client detached"


class Client(Protocol):
    """The client's side of `join`: a hijacked connection, or the websocket on one."""

    async def read(self) -> bytes:
        """Return what the client sent; b"" at its end."""

    async def write(self, data: bytes) -> None:
        """Send data to the client."""

    async def gone(self) -> None:
        """Return when the client has closed the connection."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a client attaches to the streams."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    frames: bool = True  #: whether each piece of output begins with a header
    tty: bool = False  #: whether it is a terminal, whose keys may detach
    once: bool = True  #: whether the container's input ends with the client's
    detach_keys: bytes = b""


def parse_detach_keys(text: str) -> bytes:
    """Return the bytes that a terminal sends for keys such as `ctrl-p,ctrl-q`. Raises BadParameter."""
    keys = bytearray()
    for key in (text or DETACH_KEYS).split(","):
        control = key.removeprefix("ctrl-")
        if len(control) == 1 and control != key and (control.isalpha() and control.isascii()):
            keys.append(ord(control.lower()) - 96)
        elif control != key and control in CONTROL:
            keys.append(CONTROL[control])
        elif len(key) == 1 and key.isascii():
            keys += key.encode()
        else:
            raise BadParameter(f"Invalid detach keys ({text}) provided: Unknown character: '{key}'")
    return bytes(keys)


async def join(link: ShimConnection, client: Client, options: Options) -> bool:
    """Pass bytes both ways until the process has ended or the client is gone. Return whether the client detached."""
    output = asyncio.create_task(_pass_output(link, client, options))
    typing = asyncio.create_task(_pass_input(client, link, options))
    gone = asyncio.create_task(client.gone())
    try:
        waiting: set[asyncio.Task[Any]] = {output, typing, gone}
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if done != {typing} or typing.exception() or typing.result() != KEEP_OUTPUT:
                break
        detached = typing.done() and not typing.exception() and typing.result() == DETACH
        if options.stdin and options.once and not detached:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_send(link, EOF), EOF_SECONDS)
        return detached
    finally:
        for task in (output, typing, gone):
            task.cancel()
        await asyncio.gather(output, typing, gone, return_exceptions=True)
        link.close()


async def _pass_output(link: ShimConnection, client: Client, options: Options) -> None:
    with contextlib.suppress(ConnectionError):
        while frame := await link.read_frame():
            kind, data = frame
            if getattr(options, STREAMS[kind]):
                await client.write(HEADER.pack(kind, len(data)) + data if options.frames else data)


async def _pass_input(client: Client, link: ShimConnection, options: Options) -> str:
    """Pass on what the client types. Without `stdin`, what it sends is read and dropped.

    When the client closes its half of the connection, the container's input is closed too if it belongs to this client
    alone. Otherwise the output ends, as in Docker.
    """
    matched = 0
    while data := await client.read():
        if not options.stdin:
            continue
        if options.tty and options.detach_keys:
            data, matched, detached = _until_detached(data, matched, options.detach_keys)
            if detached:
                return DETACH
        if data and not await _send(link, STDIN, data):
            return KEEP_OUTPUT
    if not options.stdin:
        return KEEP_OUTPUT
    if not options.once or options.tty:
        return CLOSE
    await _send(link, EOF)
    return KEEP_OUTPUT


async def _send(link: ShimConnection, kind: int, data: bytes = b"") -> bool:
    """Send a frame. Return False if the process has ended; the rest of its output may still be on the way."""
    try:
        await link.send(kind, data)
    except ConnectionError:
        return False
    return True


def _until_detached(data: bytes, matched: int, keys: bytes) -> tuple[bytes, int, bool]:
    """Hold back the keys that detach.

    Return the bytes to pass on, how many of the keys were typed so far, and whether all of them were.
    """
    out = bytearray()
    for byte in data:
        if byte == keys[matched]:
            matched += 1
            if matched == len(keys):
                return bytes(out), 0, True
            continue
        out += keys[:matched]
        matched = 1 if byte == keys[0] else 0
        if not matched:
            out.append(byte)
    return bytes(out), matched, False


async def resize(link: ShimConnection, height: int, width: int) -> None:
    """Set a terminal's size, and wait until it has it, because the client may read the size at once."""
    try:
        with contextlib.suppress(OSError, TimeoutError):  # the process may have ended
            await asyncio.wait_for(_send_size(link, height.to_bytes(2, "big") + width.to_bytes(2, "big")), SIZE_SECONDS)
    finally:
        link.close()


async def _send_size(link: ShimConnection, size: bytes) -> None:
    """Send the size, then read until the shim has set it and closes the connection."""
    await link.send(SIZE, size)
    link.end_sending()
    while await link.read_frame():
        pass
