"""The switch: one small process per engine. Its network namespace holds all bridges, and it outlives the engine.

`python -S -m dockerlab.engine.networks.switch DIRECTORY` listens on `switch.sock` in that directory. A request is a
line of JSON, and so is its response. The switch keeps the network namespace of each container open until the engine
says that the container has ended. It does not touch this machine's own interfaces and firewall, so nothing in its
namespace can reach the outside. The engine serves published ports itself, on sockets that the switch connects inside.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
from typing import Any

from dockerlab.engine.common import json_files, proc
from dockerlab.engine.networks import dns, netlink
from dockerlab.engine.processes import syscalls

BLOCK = 1 << 16
REQUEST_BYTES = 1 << 24  #: a client that sends this much without an end of line is dropped
POLL_SECONDS = 30.0
EEXIST = 17
Record = dict[str, Any]


class Switch:
    """The bridges of the networks, and the network namespaces of the containers."""

    def __init__(self) -> None:
        self.own_namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.namespaces: dict[str, int] = {}  #: container id -> file descriptor
        self.resolvers: dict[socket.socket, str] = {}  #: the DNS socket in each namespace -> container id
        self.names: dict[str, dns.Names] = {}  #: container id -> the names that it can resolve
        syscalls.loopback_up()

    def handle(self, request: Record) -> tuple[Record, list[int]]:
        """Carry out a request. Return the response, and file descriptors that are sent with it."""
        verbs = {
            "network": self.create_bridge,
            "forget": self.remove_bridge,
            "interfaces": self.list_interfaces,
            "space": self.create_namespace,
            "plug": self.add_interface,
            "unplug": self.remove_interface,
            "end": self.close_namespace,
            "spaces": self.list_namespaces,
            "names": self.set_names,
        }
        if request["verb"] == "connect":
            return {}, [self.connect(request)]
        return verbs[request["verb"]](request) or {}, []

    def create_bridge(self, request: Record) -> None:
        """Create a network's bridge with the gateway's address, unless it exists."""
        try:
            netlink.add_bridge(request["bridge"])
        except OSError as error:
            if error.errno == EEXIST:
                return
            raise
        if request["gateway"]:
            netlink.add_address(request["bridge"], request["gateway"], request["prefix"])
        netlink.up(request["bridge"])

    def remove_bridge(self, request: Record) -> None:
        with contextlib.suppress(OSError):
            netlink.remove(request["bridge"])

    def list_interfaces(self, request: Record) -> Record:
        """Return the names of all bridges, and of the interfaces on them."""
        return {"interfaces": [name for _, name in socket.if_nameindex()]}

    def create_namespace(self, request: Record) -> Record:
        """Create a container's namespace. Return the number of the file descriptor that keeps it open here.

        With a `pid`, open the namespace of that container's process instead. It comes from a switch that has ended,
        and the interfaces in it lead nowhere any more.
        """
        self.close_namespace(request)
        pid = request.get("pid")
        if not pid:
            syscalls.unshare(syscalls.CLONE_NEWNET)
        namespace = os.open(f"/proc/{pid or 'self'}/ns/net", os.O_RDONLY)
        try:
            if pid:
                syscalls.setns(namespace, syscalls.CLONE_NEWNET)
                for _, name in socket.if_nameindex():
                    if name.startswith("eth"):
                        with contextlib.suppress(OSError):  # the kernel may just be removing it
                            netlink.remove(name)
            syscalls.loopback_up()
            resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            resolver.bind((dns.ADDRESS, dns.PORT))
            resolver.setblocking(False)
            self.resolvers[resolver] = request["container"]
        except BaseException:
            os.close(namespace)
            raise
        finally:
            syscalls.setns(self.own_namespace, syscalls.CLONE_NEWNET)
        self.namespaces[request["container"]] = namespace
        return {"handle": namespace}

    def add_interface(self, request: Record) -> None:
        """Connect a container to a network: a pair of interfaces, one end in its namespace, one on the bridge."""
        namespace = self.namespaces[request["container"]]
        with contextlib.suppress(OSError):
            netlink.remove(request["port"])
        netlink.add_veth(request["port"], request["port"], namespace, request["mac"])
        netlink.up(request["port"], request["bridge"])
        syscalls.setns(namespace, syscalls.CLONE_NEWNET)
        try:
            name = next(f"eth{number}" for number in range(1000) if not _interface_exists(f"eth{number}"))
            netlink.rename(request["port"], name)
            netlink.add_address(name, request["address"], request["prefix"])
            netlink.up(name)
            if request["gateway"]:
                with contextlib.suppress(OSError):  # another network of the container already has the default route
                    netlink.add_default_route(request["gateway"], name)
        finally:
            syscalls.setns(self.own_namespace, syscalls.CLONE_NEWNET)

    def remove_interface(self, request: Record) -> None:
        with contextlib.suppress(OSError):
            netlink.remove(request["port"])

    def close_namespace(self, request: Record) -> None:
        """Close a container's namespace. The kernel removes its interfaces when no process is left in it."""
        namespace = self.namespaces.pop(request["container"], -1)
        self.names.pop(request["container"], None)
        for resolver in [each for each, container in self.resolvers.items() if container == request["container"]]:
            del self.resolvers[resolver]
            resolver.close()
        if namespace >= 0:
            os.close(namespace)

    def list_namespaces(self, request: Record) -> Record:
        """Return the ids of the containers whose namespaces are open."""
        return {"containers": list(self.namespaces)}

    def set_names(self, request: Record) -> None:
        """Replace the names that a container can resolve."""
        self.names[request["container"]] = request["table"]

    def resolve(self, resolver: socket.socket) -> None:
        """Answer one DNS query from a container."""
        with contextlib.suppress(OSError, ValueError, IndexError, struct.error):
            query, client = resolver.recvfrom(4096)
            resolver.sendto(dns.answer(query, self.names.get(self.resolvers[resolver], {})), client)

    def connect(self, request: Record) -> int:
        """Begin to connect a socket to a container's port. Return its file descriptor."""
        kind = socket.SOCK_DGRAM if request.get("protocol") == "udp" else socket.SOCK_STREAM
        connecting = socket.socket(socket.AF_INET, kind)
        connecting.setblocking(False)
        connecting.connect_ex((request["address"], request["number"]))
        return connecting.detach()


def _interface_exists(name: str) -> bool:
    try:
        netlink.index(name)
    except OSError:
        return False
    return True


def serve(directory: str, listener: socket.socket) -> None:
    """Serve engines until one of them sends `quit`, or the engine's directory is gone."""
    switch = Switch()
    clients: dict[socket.socket, bytes] = {}  #: the beginning of a request that is not complete yet
    while True:
        ready = _wait_until_readable([listener, *clients, *switch.resolvers])
        if not ready and not os.path.exists(f"{directory}/switch.json"):  # noqa: PTH110
            return
        for readable in ready:
            if readable is listener:
                clients[listener.accept()[0]] = b""
                continue
            if readable in switch.resolvers:
                switch.resolve(readable)
                continue
            if readable not in clients:
                continue  # an earlier request of this round has closed this resolver
            try:
                data = readable.recv(BLOCK)
            except OSError:
                data = b""
            if not data or len(clients[readable]) > REQUEST_BYTES:
                del clients[readable]
                readable.close()
                continue
            *lines, clients[readable] = (clients[readable] + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                if request["verb"] == "quit":
                    return
                _respond(switch, readable, request)


def _wait_until_readable(sockets: list[socket.socket]) -> list[socket.socket]:
    """Return the sockets that have data. There may be more of them than `select` can take, so this uses `poll`."""
    poller, by_number = select.poll(), {each.fileno(): each for each in sockets}
    for number in by_number:
        poller.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poller.poll(POLL_SECONDS * 1000)]


def _respond(switch: Switch, client: socket.socket, request: Record) -> None:
    try:
        response, handles = switch.handle(request)
    except (OSError, KeyError, StopIteration) as error:
        response, handles = {"error": str(error)}, []
    with contextlib.suppress(OSError):
        socket.send_fds(client, [json.dumps(response).encode() + b"\n"], handles)
    for handle in handles:
        os.close(handle)


def main(directory: str) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    syscalls.raise_open_file_limit()
    syscalls.unshare(syscalls.CLONE_NEWNET)
    os.chdir(directory)  # a socket's path is short, and the directory's may be long
    with contextlib.suppress(FileNotFoundError):
        os.unlink("switch.sock")  # noqa: PTH108
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("switch.sock")
    listener.listen(16)
    json_files.write("switch.json", {"pid": os.getpid(), "ticks": proc.start_ticks(os.getpid())}, sync=False)
    print("ready", flush=True)  # noqa: T201  (the engine waits for this line)
    null = os.open("/dev/null", os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(null, handle)
    try:
        serve(directory, listener)
    finally:
        for name in ("switch.sock", "switch.json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)  # noqa: PTH108


if __name__ == "__main__":
    main(sys.argv[1])
