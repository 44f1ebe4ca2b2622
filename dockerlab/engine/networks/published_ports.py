"""Published ports: this machine's ports, whose connections are passed on to a container's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from dockerlab.engine.faults import Fault

__all__ = ["Connect", "PublishedPorts", "wanted"]

BLOCK = 1 << 16
LONGEST, QUIET_SECONDS = 1 << 16, 90
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
BACKLOG = 128
#: Where a port is opened for which no address was named: nobody outside of this machine can reach it.
USUAL = "127.0.0.1"
EPHEMERAL = range(32768, 61000)
Record = dict[str, Any]
#: Gives a socket that is connected to a port of the container, for a protocol.
Connect = Callable[[int, str], Awaitable[socket.socket]]


def _numbers(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1)) if first else []


def wanted(config: Record, host: Record) -> dict[str, list[Record]]:
    """Give what is to be published: container port -> bindings; those that are only exposed have none.

    A binding of a port that isn't exposed publishes nothing, as on Docker, whose command always exposes it, too.
    """
    found: dict[str, list[Record]] = {port: [] for port in config.get("ExposedPorts") or {}}
    for port, bindings in (host.get("PortBindings") or {}).items():
        name = port if "/" in port else f"{port}/tcp"
        if name in found:
            found[name] = [dict(binding or {}) for binding in bindings or [{}]]
    if host.get("PublishAllPorts"):
        found = {port: bindings or [{}] for port, bindings in found.items()}
    return found


class PublishedPorts:
    """The published ports of one container that runs."""

    def __init__(self, connect: Connect | None) -> None:
        """Pass connections on through `connect`, which gives a socket to a port of the container."""
        self.connect = connect
        self.shown: dict[str, list[Record] | None] = {}
        self._heard: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._passing: set[asyncio.Task[None]] = set()

    def open(self, ports: dict[str, list[Record]]) -> None:
        """Listen on all of them. Raises Fault, and then listens on none."""
        try:
            for port, bindings in sorted(ports.items()):
                number, _, protocol = port.partition("/")
                self.shown[port] = [self._one(int(number), protocol, binding) for binding in bindings] or None
        except BaseException:
            self.close()
            raise

    def _one(self, number: int, protocol: str, binding: Record) -> Record:
        address, asked = binding.get("HostIp") or USUAL, _numbers(str(binding.get("HostPort") or ""))
        if self.connect is None and number in (asked or [number]):
            return {"HostIp": address, "HostPort": str(number)}  # the container is on this machine's network
        if protocol not in KINDS:
            return {"HostIp": address, "HostPort": str(asked[0] if asked else number)}
        for candidate in asked or [0]:
            with contextlib.suppress(OSError):
                heard = self._listen(address, candidate, KINDS[protocol])
                self._heard.append(heard)
                serve = self._serve if protocol == "tcp" else self._answer
                task = asyncio.get_running_loop().create_task(serve(heard, number))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return {"HostIp": address, "HostPort": str(heard.getsockname()[1])}
        raise Fault(f"Bind for {address}:{asked[0]} failed: port is already allocated")

    @staticmethod
    def _listen(address: str, number: int, kind: socket.SocketKind) -> socket.socket:
        heard = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        try:
            if kind == socket.SOCK_STREAM:
                heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            heard.bind((address, number))
            if kind == socket.SOCK_STREAM:
                heard.listen(BACKLOG)
            heard.setblocking(False)
        except OSError:
            heard.close()
            raise
        return heard

    def close(self) -> None:
        """Listen no more; connections that are open go on until their ends."""
        for task in list(self._tasks):
            task.cancel()
        loop = asyncio.get_running_loop()
        for heard in self._heard:
            # the loop knows a socket by its number, which is soon another's: it must forget it first
            loop.remove_reader(heard)
            loop.remove_writer(heard)
            heard.close()
        self._heard.clear()
        self.shown = {}

    async def _serve(self, heard: socket.socket, number: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(heard)
            except OSError:
                return
            task = loop.create_task(self._pass(client, number))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, client: socket.socket, number: int) -> None:
        """Pass one connection on, both ways; each side may end its own half first."""
        client.setblocking(False)
        with contextlib.suppress(OSError, Fault, ConnectionError), client, await self._inner(number, "tcp") as inner:
            await asyncio.gather(_copy(client, inner), _copy(inner, client))

    async def _answer(self, heard: socket.socket, number: int) -> None:
        """Pass datagrams on; each client has a socket inside, for the answers, until it says nothing for a while."""
        loop, inner = asyncio.get_running_loop(), dict[Any, socket.socket]()
        while True:
            data, client = await loop.sock_recvfrom(heard, LONGEST)
            with contextlib.suppress(OSError, Fault):
                if client not in inner:
                    inner[client] = await self._inner(number, "udp")
                    task = loop.create_task(_answers(heard, client, inner))
                    self._passing.add(task)
                    task.add_done_callback(self._passing.discard)
                inner[client].send(data)

    async def _inner(self, number: int, protocol: str) -> socket.socket:
        if self.connect is not None:
            return await self.connect(number, protocol)
        made = socket.socket(type=KINDS[protocol])
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (USUAL, number))
        return made


async def _answers(heard: socket.socket, client: Any, inner: dict[Any, socket.socket]) -> None:
    """Pass on what the container answers to one client."""
    loop = asyncio.get_running_loop()
    with inner[client] as source, contextlib.suppress(OSError):
        while True:
            try:
                data = await asyncio.wait_for(loop.sock_recv(source, LONGEST), QUIET_SECONDS)
            except TimeoutError:
                break
            await loop.sock_sendto(heard, data, client)
    inner.pop(client, None)


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await loop.sock_recv(source, BLOCK):
            await loop.sock_sendall(target, data)
    except OSError:
        with contextlib.suppress(OSError):  # not closed: the other direction may be waiting for it
            source.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
