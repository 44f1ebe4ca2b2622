"""Published ports without a container: traffic to one port of this machine is forwarded to another."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from dockerlab.engine.faults import Fault
from dockerlab.engine.networks.published_ports import PublishedPorts


def free_udp_port() -> int:
    """Return the number of a free UDP port."""
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        return int(client.getsockname()[1])


async def send_datagrams(number: int, datagrams: list[bytes]) -> list[bytes]:
    """Send datagrams from one socket, and return the responses."""
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(("127.0.0.1", number))
        for datagram in datagrams:
            client.send(datagram)
        return [await asyncio.wait_for(loop.sock_recv(client, 100), 10) for _ in datagrams]


async def echo(server: socket.socket) -> None:
    """Answer each datagram with its text and the sender's port."""
    loop = asyncio.get_running_loop()
    while True:
        data, client = await loop.sock_recvfrom(server, 100)
        await loop.sock_sendto(server, data + b" " + str(client[1]).encode(), client)


def test_datagrams_are_forwarded_in_both_directions_for_each_client() -> None:
    asyncio.run(check_datagrams())


async def check_datagrams() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as inside:
        inside.bind(("127.0.0.1", 0))
        inside.setblocking(False)
        echoing = asyncio.get_running_loop().create_task(echo(inside))
        outside, port = free_udp_port(), PublishedPorts(None)
        port.open({f"{inside.getsockname()[1]}/udp": [{"HostPort": str(outside)}]})
        assert [*port.bindings.values()] == [[{"HostIp": "127.0.0.1", "HostPort": str(outside)}]]
        first, second = await send_datagrams(outside, [b"a", b"b"]), await send_datagrams(outside, [b"c"])
        assert [response.split()[0] for response in first + second] == [b"a", b"b", b"c"]
        senders = [response.split()[1] for response in first + second]
        assert senders[0] == senders[1] != senders[2], "each client has its own socket on the inside"
        with pytest.raises(Fault, match="port is already allocated"):
            PublishedPorts(None).open({f"{inside.getsockname()[1]}/udp": [{"HostPort": str(outside)}]})
        port.close()
        echoing.cancel()
    with socket.socket(type=socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", outside))  # the port is free again


def test_a_file_that_reuses_the_number_of_a_closed_port_is_still_watched() -> None:
    """The event loop identifies files by their numbers, and the system reuses a number immediately."""
    asyncio.run(check_reused_number())


async def check_reused_number() -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    port = PublishedPorts(None)
    port.open({"1/tcp": [{"HostPort": "20000-29999"}]})  # the first free one, because other tests run at the same time
    number = port._listeners[0].fileno()
    await asyncio.sleep(0.01)  # now it waits for clients
    port.close()
    ours, theirs = os.pipe()
    assert ours == number, "the system assigns the lowest free number"
    loop.add_reader(ours, readable.set)
    await asyncio.sleep(0.01)  # the port finishes its pending work
    os.write(theirs, b".")
    await asyncio.wait_for(readable.wait(), 5)
    loop.remove_reader(ours)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("host_port", ["", "8099"])
def test_an_address_of_another_machine_is_refused_with_the_reason(host_port: str) -> None:
    async def connect(number: int, protocol: str) -> socket.socket:
        raise AssertionError("nobody has connected")

    async def publish() -> None:
        PublishedPorts(connect).open({"80/tcp": [{"HostIp": "192.0.2.1", "HostPort": host_port}]})

    reason = r"failed to bind host port for 192\.0\.2\.1:\d+/tcp: cannot assign requested address"
    with pytest.raises(Fault, match=reason):
        asyncio.run(publish())


def test_a_container_can_not_have_all_ports_of_the_machine() -> None:
    ports = {f"{number}/tcp": [{"HostPort": ""}] for number in range(1, 2002)}
    with pytest.raises(Fault, match="2000 ports at most"):
        PublishedPorts(None).open(ports)
