"""The switch: one small process an engine, whose network namespace has all bridges, and which outlives the engine.

`python -S -m dockerlab.engine.networks.switch DIRECTORY RUNG` listens on `switch.sock` there. A request is a line of
JSON, and
so is its answer. It holds the network namespace of each container open until it is told that the container has ended.
This machine's own interfaces and firewall are not touched: the switch has no way out. A published port is served by
the engine, for which the switch makes sockets that are connected inside.
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

from dockerlab.engine.common import proc
from dockerlab.engine.networks import dns as names
from dockerlab.engine.networks import netlink
from dockerlab.engine.processes import linux
from dockerlab.engine.processes.shim.log import save

LONGEST = 1 << 16
LOOK_SECONDS, MOST = 30.0, 1 << 24
TAKEN = 17  # EEXIST
Record = dict[str, Any]


class Switch:
    """The bridges, and the namespaces of containers."""

    def __init__(self) -> None:
        """Begin without any. This process is in the switch's own namespace already."""
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.spaces: dict[str, int] = {}
        self.resolvers: dict[socket.socket, str] = {}  #: where containers ask for names
        self.tables: dict[str, dict[str, list[str]]] = {}
        linux.loopback_up()

    def answer(self, asked: Record) -> tuple[Record, list[int]]:
        """Do what is asked; give the answer, and sockets that go with it."""
        verbs = {
            "network": self.network,
            "forget": self.forget,
            "space": self.space,
            "plug": self.plug,
            "unplug": self.unplug,
            "end": self.end,
            "spaces": self.list,
            "names": self.names,
        }
        if asked["verb"] == "connect":
            handle = self.connect(asked)
            return {}, [handle]
        return verbs[asked["verb"]](asked) or {}, []

    def network(self, asked: Record) -> None:
        """Make a network's bridge, if it isn't there, with the gateway's address."""
        try:
            netlink.add_bridge(asked["bridge"])
        except OSError as error:
            if error.errno == TAKEN:
                return
            raise
        if asked["gateway"]:
            netlink.add_address(asked["bridge"], asked["gateway"], asked["prefix"])
        netlink.up(asked["bridge"])

    def forget(self, asked: Record) -> None:
        """Remove a network's bridge."""
        with contextlib.suppress(OSError):
            netlink.remove(asked["bridge"])

    def space(self, asked: Record) -> Record:
        """Make a container's namespace; give the number under which it is open here."""
        self.end(asked)
        linux.unshare(linux.CLONE_NEWNET)
        try:
            linux.loopback_up()
            handle = os.open("/proc/self/ns/net", os.O_RDONLY)
            resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            resolver.bind((names.ADDRESS, names.PORT))
            resolver.setblocking(False)
            self.resolvers[resolver] = asked["container"]
        finally:
            linux.setns(self.home, linux.CLONE_NEWNET)
        self.spaces[asked["container"]] = handle
        return {"handle": handle}

    def plug(self, asked: Record) -> None:
        """Give a container an interface on a network."""
        handle = self.spaces[asked["container"]]
        with contextlib.suppress(OSError):
            netlink.remove(asked["port"])
        netlink.add_veth(asked["port"], asked["port"], handle, asked["mac"])
        netlink.up(asked["port"], asked["bridge"])
        linux.setns(handle, linux.CLONE_NEWNET)
        try:
            name = next(f"eth{number}" for number in range(1000) if not _there(f"eth{number}"))
            netlink.rename(asked["port"], name)
            netlink.add_address(name, asked["address"], asked["prefix"])
            netlink.up(name)
            if asked["gateway"]:
                with contextlib.suppress(OSError):  # there is one already, through another network
                    netlink.add_default_route(asked["gateway"], name)
        finally:
            linux.setns(self.home, linux.CLONE_NEWNET)

    def unplug(self, asked: Record) -> None:
        """Take an interface away."""
        with contextlib.suppress(OSError):
            netlink.remove(asked["port"])

    def end(self, asked: Record) -> None:
        """Let go of a container's namespace; with it go its interfaces."""
        handle = self.spaces.pop(asked["container"], -1)
        self.tables.pop(asked["container"], None)
        for resolver in [one for one, owner in self.resolvers.items() if owner == asked["container"]]:
            del self.resolvers[resolver]
            resolver.close()
        if handle >= 0:
            os.close(handle)

    def names(self, asked: Record) -> None:
        """Take the names that a container knows, with their addresses."""
        self.tables[asked["container"]] = asked["table"]

    def resolve(self, resolver: socket.socket) -> None:
        """Answer one question for a name."""
        with contextlib.suppress(OSError, ValueError, IndexError, struct.error):
            question, client = resolver.recvfrom(4096)
            resolver.sendto(names.answer(question, self.tables.get(self.resolvers[resolver], {})), client)

    def list(self, asked: Record) -> Record:
        """Name the containers whose namespaces are held."""
        return {"containers": list(self.spaces)}

    def connect(self, asked: Record) -> int:
        """Begin a connection to a container; give the socket."""
        kind = socket.SOCK_DGRAM if asked.get("protocol") == "udp" else socket.SOCK_STREAM
        made = socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        made.connect_ex((asked["address"], asked["number"]))
        return made.detach()


def _there(name: str) -> bool:
    try:
        netlink.index(name)
    except OSError:
        return False
    return True


def serve(directory: str, listening: socket.socket) -> None:
    """Answer engines until the directory is gone, or one of them says that it is over."""
    switch = Switch()
    clients: dict[socket.socket, bytes] = {}
    while True:
        ready = _ready([listening, *clients, *switch.resolvers])
        if not ready and not os.path.exists(f"{directory}/switch.json"):  # noqa: PTH110
            return
        for one in ready:
            if one is listening:
                clients[listening.accept()[0]] = b""
                continue
            if one in switch.resolvers:
                switch.resolve(one)
                continue
            if one not in clients:
                continue
            try:
                data = one.recv(LONGEST)
            except OSError:
                data = b""
            if not data or len(clients[one]) > MOST:
                del clients[one]
                one.close()
                continue
            *lines, clients[one] = (clients[one] + data).split(b"\n")
            for line in lines:
                asked = json.loads(line)
                if asked["verb"] == "quit":
                    return
                _reply(switch, one, asked)


def _ready(files: list[socket.socket]) -> list[socket.socket]:
    """Wait until some have something to say: each container has one, and there may be more than `select` takes."""
    poller, known = select.poll(), {one.fileno(): one for one in files}
    for number in known:
        poller.register(number, select.POLLIN)
    return [known[number] for number, _ in poller.poll(LOOK_SECONDS * 1000)]


def _reply(switch: Switch, client: socket.socket, asked: Record) -> None:
    try:
        told, handles = switch.answer(asked)
    except (OSError, KeyError, StopIteration) as error:
        told, handles = {"error": str(error)}, []
    with contextlib.suppress(OSError):
        socket.send_fds(client, [json.dumps(told).encode() + b"\n"], handles)
    for handle in handles:
        os.close(handle)


def main(directory: str) -> None:
    """Make the namespace, and serve."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    linux.many_files()
    linux.unshare(linux.CLONE_NEWNET)
    os.chdir(directory)
    with contextlib.suppress(FileNotFoundError):
        os.unlink("switch.sock")  # noqa: PTH108
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("switch.sock")
    listening.listen(16)
    save("switch.json", {"pid": os.getpid(), "ticks": proc.start_ticks(os.getpid())})
    print("ready", flush=True)  # noqa: T201
    silence = os.open("/dev/null", os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(silence, handle)
    try:
        serve(directory, listening)
    finally:
        for name in ("switch.sock", "switch.json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)  # noqa: PTH108


if __name__ == "__main__":
    main(sys.argv[1])
