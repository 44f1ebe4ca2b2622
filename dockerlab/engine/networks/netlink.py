"""Creates and changes network interfaces over an rtnetlink socket, see rtnetlink(7): no `ip` program is needed.

The switch imports this module, so it imports little.
"""

from __future__ import annotations

import os
import socket
import struct

NEWLINK, DELLINK, NEWADDR, NEWROUTE = 16, 17, 20, 24
REQUEST, ACK, EXCL, CREATE = 1, 4, 0x200, 0x400
ERROR = 2
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 10, 18, 28
INFO_KIND, INFO_DATA, VETH_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
RTA_GATEWAY, RTA_OIF = 5, 4
MAIN_TABLE, STATIC, UNIVERSE, UNICAST = 254, 4, 0, 1
TIMEOUT_SECONDS = 5


def _attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("HH", length, kind) + data + b"\0" * (-length % 4)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("I", number))


def _link(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _request(kind: int, flags: int, body: bytes) -> None:
    """Send one request, and wait for its acknowledgement. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as connection:
        connection.settimeout(TIMEOUT_SECONDS)
        connection.bind((0, 0))
        connection.send(struct.pack("IHHII", 16 + len(body), kind, flags | REQUEST | ACK, 1, 0) + body)
        response = connection.recv(65536)
    _, response_kind, _, _, _ = struct.unpack_from("IHHII", response)
    if response_kind == ERROR:  # an acknowledgement is an error with the number 0
        number = -struct.unpack_from("i", response, 16)[0]
        if number:
            raise OSError(number, f"network: {os.strerror(number)}")


def index(name: str) -> int:
    """Return the index of an interface. Raises OSError if there is no such interface."""
    return socket.if_nametoindex(name)


def add_bridge(name: str) -> None:
    info = _attribute(IFLA_LINKINFO, _text(INFO_KIND, "bridge"))
    _request(NEWLINK, CREATE | EXCL, _link() + _text(IFLA_IFNAME, name) + info)


def add_veth(name: str, peer: str, namespace: int, mac: str) -> None:
    """Create a pair of connected interfaces; the second one begins in another namespace, with this MAC address."""
    second = _link() + _text(IFLA_IFNAME, peer) + _number(IFLA_NET_NS_FD, namespace)
    second += _attribute(IFLA_ADDRESS, _mac(mac))
    info = _text(INFO_KIND, "veth") + _attribute(INFO_DATA, _attribute(VETH_PEER, second))
    _request(NEWLINK, CREATE | EXCL, _link() + _text(IFLA_IFNAME, name) + _attribute(IFLA_LINKINFO, info))


def _mac(text: str) -> bytes:
    return bytes(int(part, 16) for part in text.split(":"))


def up(name: str, master: str = "") -> None:
    """Bring an interface up; with `master`, make it a port of that bridge."""
    _request(NEWLINK, 0, _link(index(name), IFF_UP, IFF_UP) + (_number(IFLA_MASTER, index(master)) if master else b""))


def rename(name: str, new_name: str) -> None:
    """Rename an interface, which must be down."""
    _request(NEWLINK, 0, _link(index(name)) + _text(IFLA_IFNAME, new_name))


def remove(name: str) -> None:
    """Remove an interface, and with it the other end of its pair."""
    _request(DELLINK, 0, _link(index(name)))


def add_address(name: str, address: str, prefix: int) -> None:
    packed = socket.inet_aton(address)
    host_bits = (1 << (32 - prefix)) - 1
    broadcast = struct.pack(">I", struct.unpack(">I", packed)[0] | host_bits)
    body = struct.pack("BBBBi", socket.AF_INET, prefix, 0, UNIVERSE, index(name))
    body += _attribute(IFA_LOCAL, packed) + _attribute(IFA_ADDRESS, packed) + _attribute(IFA_BROADCAST, broadcast)
    _request(NEWADDR, CREATE | EXCL, body)


def add_default_route(gateway: str, name: str) -> None:
    body = struct.pack("BBBBBBBBI", socket.AF_INET, 0, 0, 0, MAIN_TABLE, STATIC, UNIVERSE, UNICAST, 0)
    _request(
        NEWROUTE, CREATE, body + _attribute(RTA_GATEWAY, socket.inet_aton(gateway)) + _number(RTA_OIF, index(name))
    )
