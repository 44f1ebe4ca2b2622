"""Published ports: the engine listens on ports of this machine, and forwards what arrives to a container's ports."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from dockerlab.engine.faults import Fault

__all__ = ["Connect", "PublishedPorts", "requested_bindings"]

BLOCK = 1 << 16
DATAGRAM_BYTES, UDP_IDLE_SECONDS = 1 << 16, 90
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
BACKLOG = 128
#: An image may expose all ports there are. If it got them all, the machine would have none left.
MOST_PORTS = 2000
PORT, HIGHEST_PORT = re.compile(r"([0-9]{1,9})(?:/[a-z]+)?"), 65535
#: Where a port is opened if no address is named. Docker opens it to the network; here only this machine can reach it.
DEFAULT_ADDRESS = "127.0.0.1"
Record = dict[str, Any]
#: Returns a socket that is connected to a port of the container, given its number and protocol.
Connect = Callable[[int, str], Awaitable[socket.socket]]


def requested_bindings(config: Record, host: Record) -> dict[str, list[Record]]:
    """Return what a container is to publish: container port -> bindings, an empty list if it is only exposed.

    The binding of a port that is not exposed publishes nothing, as on Docker, whose command line always exposes it too.
    """
    ports: dict[str, list[Record]] = {port: [] for port in config.get("ExposedPorts") or {} if _is_port(port)}
    for port, bindings in (host.get("PortBindings") or {}).items():
        name = port if "/" in port else f"{port}/tcp"
        if name in ports:
            ports[name] = [dict(binding or {}) for binding in bindings or [{}]]
    if host.get("PublishAllPorts"):
        ports = {port: bindings or [{}] for port, bindings in ports.items()}
    return ports


def _is_port(text: str) -> bool:
    """Return whether a text names a port, such as `80/tcp`. Docker, too, ignores what an image exposes otherwise."""
    match = PORT.fullmatch(text)
    return match is not None and int(match[1]) <= HIGHEST_PORT


class PublishedPorts:
    """The published ports of one running container."""

    def __init__(self, connect: Connect | None) -> None:
        """Forward connections through `connect`; None means that the container is on this machine's own network."""
        self.connect = connect
        self.bindings: dict[str, list[Record] | None] = {}  #: what inspect shows: container port -> addresses and ports
        self._listeners: list[socket.socket] = []
        self._accepting: set[asyncio.Task[None]] = set()
        self._forwarding: set[asyncio.Task[None]] = set()

    def open(self, ports: dict[str, list[Record]]) -> None:
        """Listen on all of them. Raises Fault, and then listens on none."""
        if sum(map(len, ports.values())) > MOST_PORTS:
            raise Fault(f"a container of the practice engine can publish {MOST_PORTS} ports at most")
        try:
            for port, bindings in sorted(ports.items()):
                number, _, protocol = port.partition("/")
                self.bindings[port] = [self._bind(int(number), protocol, binding) for binding in bindings] or None
        except BaseException:
            self.close()
            raise

    def _bind(self, number: int, protocol: str, binding: Record) -> Record:
        address, candidates = _address(binding.get("HostIp") or ""), _numbers(str(binding.get("HostPort") or ""))
        if self.connect is None and number in (candidates or [number]):
            return {"HostIp": address, "HostPort": str(number)}  # the container itself listens on this machine
        if protocol not in KINDS:
            return {"HostIp": address, "HostPort": str(candidates[0] if candidates else number)}
        listener = self._listen_on_one(address, candidates or [0], protocol)
        self._listeners.append(listener)
        accept = self._accept if protocol == "tcp" else self._forward_datagrams
        task = asyncio.get_running_loop().create_task(accept(listener, number))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        return {"HostIp": address, "HostPort": str(listener.getsockname()[1])}

    def _listen_on_one(self, address: str, candidates: Sequence[int], protocol: str) -> socket.socket:
        """Listen on the first port that is free. Raise Fault if there is none, or the address can't be used."""
        reason, in_use = "", True
        for candidate in candidates:
            try:
                return self._listen(address, candidate, KINDS[protocol])
            except OSError as error:
                reason, in_use = str(error.strerror or error).lower(), error.errno == errno.EADDRINUSE
        if in_use:
            raise Fault(f"Bind for {address}:{candidates[0]} failed: port is already allocated")
        raise Fault(f"failed to bind host port for {address}:{candidates[0]}/{protocol}: {reason}")

    @staticmethod
    def _listen(address: str, number: int, kind: socket.SocketKind) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        try:
            if kind == socket.SOCK_STREAM:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, number))
            if kind == socket.SOCK_STREAM:
                listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        return listener

    def close(self) -> None:
        """Stop listening; connections that are open continue until they end."""
        for task in list(self._accepting):
            task.cancel()
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            # The loop knows a socket by its file descriptor, which the next socket may reuse: it must forget it first.
            loop.remove_reader(listener)
            loop.remove_writer(listener)
            listener.close()
        self._listeners.clear()
        self.bindings = {}

    async def _accept(self, listener: socket.socket, number: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:
                return
            task = loop.create_task(self._forward_connection(client, number))
            self._forwarding.add(task)
            task.add_done_callback(self._forwarding.discard)

    async def _forward_connection(self, client: socket.socket, number: int) -> None:
        """Forward one connection both ways; each side may end its own direction first."""
        client.setblocking(False)
        with contextlib.suppress(OSError, Fault, ConnectionError), client, await self._dial(number, "tcp") as container:
            await asyncio.gather(_copy(client, container), _copy(container, client))

    async def _forward_datagrams(self, listener: socket.socket, number: int) -> None:
        """Forward datagrams. Each client gets a socket to the container, for replies, until it is idle for a while."""
        loop, containers = asyncio.get_running_loop(), dict[Any, socket.socket]()
        while True:
            data, client = await loop.sock_recvfrom(listener, DATAGRAM_BYTES)
            with contextlib.suppress(OSError, Fault):
                if client not in containers:
                    containers[client] = await self._dial(number, "udp")
                    task = loop.create_task(_forward_replies(listener, client, containers))
                    self._forwarding.add(task)
                    task.add_done_callback(self._forwarding.discard)
                containers[client].send(data)

    async def _dial(self, number: int, protocol: str) -> socket.socket:
        """Return a socket that is connected to the container's port."""
        if self.connect is not None:
            return await self.connect(number, protocol)
        connection = socket.socket(type=KINDS[protocol])
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (DEFAULT_ADDRESS, number))
        return connection


def _address(text: str) -> str:
    """Return the address to listen on. As on Docker, a text that is no address counts as none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return DEFAULT_ADDRESS


def _numbers(text: str) -> list[int]:
    """Read a port or a range of ports, such as `8000-8010`."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1)) if first else []


async def _forward_replies(listener: socket.socket, client: Any, containers: dict[Any, socket.socket]) -> None:
    """Forward the container's datagrams to one client."""
    loop = asyncio.get_running_loop()
    with containers[client] as container, contextlib.suppress(OSError):
        while True:
            try:
                data = await asyncio.wait_for(loop.sock_recv(container, DATAGRAM_BYTES), UDP_IDLE_SECONDS)
            except TimeoutError:
                break
            await loop.sock_sendto(listener, data, client)
    containers.pop(client, None)


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await loop.sock_recv(source, BLOCK):
            await loop.sock_sendall(target, data)
    except OSError:
        with contextlib.suppress(OSError):  # shut down and not closed: the other direction may wait on this socket
            source.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
