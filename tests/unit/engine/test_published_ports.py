"""Published ports without a container: what comes to one port of this machine is passed on to another."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from dockerlab.engine.faults import Fault
from dockerlab.engine.networks.published_ports import PublishedPorts


def free() -> int:
    """Give the number of a port for datagrams that nobody has."""
    with socket.socket(type=socket.SOCK_DGRAM) as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


async def asked(number: int, words: list[bytes]) -> list[bytes]:
    """Send datagrams from one socket, and give the answers."""
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(("127.0.0.1", number))
        for word in words:
            client.send(word)
        return [await asyncio.wait_for(loop.sock_recv(client, 100), 10) for _ in words]


async def echo(heard: socket.socket) -> None:
    """Answer each datagram with its text and the sender's port."""
    loop = asyncio.get_running_loop()
    while True:
        data, client = await loop.sock_recvfrom(heard, 100)
        await loop.sock_sendto(heard, data + b" " + str(client[1]).encode(), client)


def test_datagrams_go_there_and_back_for_each_client() -> None:
    asyncio.run(there_and_back())


async def there_and_back() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as inside:
        inside.bind(("127.0.0.1", 0))
        inside.setblocking(False)
        answering = asyncio.get_running_loop().create_task(echo(inside))
        outside, port = free(), PublishedPorts(None)
        port.open({f"{inside.getsockname()[1]}/udp": [{"HostPort": str(outside)}]})
        assert [*port.bindings.values()] == [[{"HostIp": "127.0.0.1", "HostPort": str(outside)}]]
        first, second = await asked(outside, [b"a", b"b"]), await asked(outside, [b"c"])
        assert [answer.split()[0] for answer in first + second] == [b"a", b"b", b"c"]
        senders = [answer.split()[1] for answer in first + second]
        assert senders[0] == senders[1] != senders[2], "one socket inside for each client"
        with pytest.raises(Fault, match="port is already allocated"):
            PublishedPorts(None).open({f"{inside.getsockname()[1]}/udp": [{"HostPort": str(outside)}]})
        port.close()
        answering.cancel()
    with socket.socket(type=socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", outside))  # it is free again


def test_whoever_gets_a_closed_ports_number_is_not_forgotten() -> None:
    """The event loop knows files by their numbers, and a number is given away again at once."""
    asyncio.run(number_again())


async def number_again() -> None:
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    port = PublishedPorts(None)
    port.open({"1/tcp": [{"HostPort": "20000-29999"}]})  # the first that is free, also while other tests run
    number = port._listeners[0].fileno()
    await asyncio.sleep(0.01)  # it waits for clients now
    port.close()
    ours, theirs = os.pipe()
    assert ours == number, "the lowest number that is free"
    loop.add_reader(ours, heard.set)
    await asyncio.sleep(0.01)  # whatever the port still had to do is done
    os.write(theirs, b".")
    await asyncio.wait_for(heard.wait(), 5)
    loop.remove_reader(ours)
    os.close(ours)
    os.close(theirs)
