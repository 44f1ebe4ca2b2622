"""Networks: containers that find each other, published ports, addresses, and what is refused."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from plain_http import ask, connection
from processes import wait_until

EXPOSED = {"80/tcp": {}, "81/tcp": {}}
SERVE = "echo found >/index.html; exec httpd -f -p 80 -h /"


@pytest.fixture
def network(practice_host: str) -> Iterator[str]:
    """Make a network, removed afterwards."""
    name = f"n-{uuid.uuid4().hex[:10]}"
    status, told = ask(practice_host, "POST", "/networks/create", {"Name": name, "Labels": {"a": "b"}})
    assert status == 201, told
    yield name
    for container in ask(practice_host, "GET", f"/networks/{name}")[1].get("Containers", {}):
        ask(practice_host, "DELETE", f"/containers/{container}?force=1")
    assert ask(practice_host, "DELETE", f"/networks/{name}")[0] == 204


@pytest.fixture
def make(practice_host: str, labels: dict[str, str]) -> Any:
    """Give a function that creates and starts a container."""

    def made(command: str, network: str = "bridge", **more: Any) -> str:
        body = {"Image": "busybox", "Cmd": ["sh", "-c", command], "Labels": labels, **more}
        body["HostConfig"] = {"NetworkMode": network, **more.get("HostConfig", {})}
        name = f"?name=c-{uuid.uuid4().hex[:10]}"
        status, told = ask(practice_host, "POST", f"/containers/create{name}", body)
        assert status == 201, told
        status, answer = ask(practice_host, "POST", f"/containers/{told['Id']}/start")
        assert status == 204, answer
        return str(told["Id"])

    return made


def inspected(host: str, container: str) -> dict[str, Any]:
    return dict(ask(host, "GET", f"/containers/{container}/json")[1])


def said(host: str, container: str) -> str:
    assert ask(host, "POST", f"/containers/{container}/wait")[0] == 200
    opened = connection(host)
    opened.request("GET", f"/containers/{container}/logs?stdout=1&stderr=1")
    data, text = opened.getresponse().read(), b""
    opened.close()
    while data:
        length = int.from_bytes(data[4:8], "big")
        text, data = text + data[8 : 8 + length], data[8 + length :]
    return text.decode()


def test_containers_find_each_other_by_name_and_alias(practice_host: str, make: Any, network: str) -> None:
    config = {"EndpointsConfig": {network: {"Aliases": ["other"]}}}
    server = make(SERVE, network, NetworkingConfig=config)
    name = inspected(practice_host, server)["Name"].strip("/")
    for word in (name, "other", server[:12]):
        fetch = f"for i in 1 2 3 4 5 6 7 8; do wget -q -O - http://{word}/ && exit; sleep 0.2; done"
        assert said(practice_host, make(fetch, network)).endswith("found\n")
    assert "NXDOMAIN" in said(practice_host, make("nslookup no.such.name", network))
    told = ask(practice_host, "GET", f"/networks/{network}")[1]["Containers"][server]
    assert told["Name"] == name
    assert told["IPv4Address"].endswith("/16")


def test_a_network_is_a_world_of_its_own(practice_host: str, make: Any, network: str) -> None:
    address = inspected(practice_host, make(SERVE, network))["NetworkSettings"]["Networks"][network]["IPAddress"]
    assert "found" not in said(practice_host, make(f"wget -T 1 -q -O - http://{address}/; echo over"))


def test_connected_and_disconnected_while_it_runs(practice_host: str, make: Any, network: str) -> None:
    container = make("sleep 600")
    body = {"Container": container, "EndpointConfig": {"Aliases": ["late"]}}
    assert ask(practice_host, "POST", f"/networks/{network}/connect", body)[0] == 200
    both = inspected(practice_host, container)["NetworkSettings"]["Networks"]
    assert set(both) == {"bridge", network}
    assert both[network]["IPAddress"]
    assert "late" in both[network]["DNSNames"]
    status, told = ask(practice_host, "POST", f"/networks/{network}/connect", body)
    assert status == 403
    assert "already exists in network" in told["message"]
    assert ask(practice_host, "POST", f"/networks/{network}/disconnect", {"Container": container})[0] == 200
    assert set(inspected(practice_host, container)["NetworkSettings"]["Networks"]) == {"bridge"}


def test_an_address_that_was_asked_for(practice_host: str, make: Any) -> None:
    name = f"n-{uuid.uuid4().hex[:10]}"
    body = {"Name": name, "IPAM": {"Config": [{"Subnet": "10.199.7.0/24", "Gateway": "10.199.7.9"}]}}
    assert ask(practice_host, "POST", "/networks/create", body)[0] == 201
    config = {"EndpointsConfig": {name: {"IPAMConfig": {"IPv4Address": "10.199.7.77"}}}}
    try:
        container = make("ip -4 addr show eth0; ip route", name, NetworkingConfig=config)
        text = said(practice_host, container)
        assert "inet 10.199.7.77/24" in text
        assert "default via 10.199.7.9" in text
        ask(practice_host, "DELETE", f"/containers/{container}?force=1")
    finally:
        assert ask(practice_host, "DELETE", f"/networks/{name}")[0] == 204


def test_a_network_in_use_stays(practice_host: str, make: Any, network: str) -> None:
    make("sleep 600", network)
    status, told = ask(practice_host, "DELETE", f"/networks/{network}")
    assert status == 403
    assert "has active endpoints" in told["message"]


def test_without_a_network_there_is_only_the_loopback(practice_host: str, make: Any) -> None:
    assert said(practice_host, make("cat /proc/net/dev | grep -c :", "none")) == "1\n"


def test_the_network_of_another(practice_host: str, make: Any, network: str) -> None:
    server = make(SERVE, network)
    fetch = "for i in 1 2 3 4 5 6 7 8; do wget -q -O - http://127.0.0.1/ && exit; sleep 0.2; done"
    assert said(practice_host, make(fetch, f"container:{server}")).endswith("found\n")


def test_a_network_that_is_not_there_stops_the_start(practice_host: str, labels: dict[str, str]) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "Labels": labels, "HostConfig": {"NetworkMode": "nosuch"}}
    made = ask(practice_host, "POST", "/containers/create", body)[1]["Id"]
    status, told = ask(practice_host, "POST", f"/containers/{made}/start")
    assert (status, told["message"]) == (404, "failed to set up container networking: network nosuch not found")
    assert inspected(practice_host, made)["State"]["Status"] == "created"


# -- published ports -----------------------------------------------------------------------------------------


def published(host: str, container: str) -> int:
    ports = inspected(host, container)["NetworkSettings"]["Ports"]
    assert ports["80/tcp"][0]["HostIp"] == "127.0.0.1"
    return int(ports["80/tcp"][0]["HostPort"])


def fetched(number: int) -> bytes:
    """Fetch the page; nothing if the server isn't there yet, but a port that nobody listens on is an error."""
    with suppress(ConnectionResetError), socket.create_connection(("127.0.0.1", number), timeout=10) as opened:
        opened.sendall(b"GET / HTTP/1.0\r\n\r\n")
        found = b""
        while data := opened.recv(65536):
            found += data
        return found
    return b""


def test_a_published_port_answers_on_this_machine(practice_host: str, make: Any) -> None:
    container = make(SERVE, HostConfig={"PortBindings": {"80/tcp": [{"HostPort": ""}]}}, ExposedPorts=EXPOSED)
    number = published(practice_host, container)
    wait_until(lambda: fetched(number).endswith(b"found\n"))
    every = ask(practice_host, "GET", "/containers/json")[1]
    listed = next(one["Ports"] for one in every if one["Id"] == container)
    assert {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": number, "Type": "tcp"} in listed
    assert {"PrivatePort": 81, "Type": "tcp"} in listed
    assert ask(practice_host, "POST", f"/containers/{container}/kill")[0] == 204
    assert inspected(practice_host, container)["NetworkSettings"]["Ports"] == {}
    with pytest.raises(ConnectionRefusedError):
        fetched(number)


def test_a_binding_of_a_port_that_is_not_exposed_publishes_nothing(practice_host: str, make: Any) -> None:
    container = make(SERVE, HostConfig={"PortBindings": {"80/tcp": [{"HostPort": ""}]}})
    assert inspected(practice_host, container)["NetworkSettings"]["Ports"] == {}


def test_a_port_that_is_taken_stops_the_start(practice_host: str, make: Any, labels: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = str(taken.getsockname()[1])
        host = {"PortBindings": {"80/tcp": [{"HostPort": number}]}}
        body = {"Image": "busybox", "Cmd": ["true"], "Labels": labels, "HostConfig": host, "ExposedPorts": EXPOSED}
        made = ask(practice_host, "POST", "/containers/create", body)[1]["Id"]
        status, told = ask(practice_host, "POST", f"/containers/{made}/start")
    assert status == 500
    assert told["message"].endswith(f"Bind for 127.0.0.1:{number} failed: port is already allocated")
    assert inspected(practice_host, made)["State"]["Status"] == "created"
    assert ask(practice_host, "POST", f"/containers/{made}/start")[0] == 204  # now it is free


def test_much_goes_through_a_published_port(practice_host: str, make: Any) -> None:
    script = "head -c 20000000 /dev/zero >/big; exec httpd -f -p 80 -h /"
    container = make(script, HostConfig={"PortBindings": {"80/tcp": [{}]}}, ExposedPorts=EXPOSED)
    number = published(practice_host, container)

    def size() -> int:
        total = 0
        with suppress(ConnectionResetError), socket.create_connection(("127.0.0.1", number), timeout=20) as opened:
            opened.sendall(b"GET /big HTTP/1.0\r\n\r\n")
            while data := opened.recv(1 << 20):
                total += len(data)
        return total

    wait_until(lambda: size() > 20_000_000)


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"Name": "host"}, 403, "operation is not permitted on predefined host network "),
        ({"Name": "x1", "Driver": "nope"}, 404, 'plugin "nope" not found'),
        ({"Name": "x2", "IPAM": {"Config": [{"Subnet": "172.17.0.0/24"}]}}, 403, "Pool overlaps with other one"),
        ({"Name": "x3", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.8.0.1"}]}}, 400, "parent subnet"),
    ],
)
def test_networks_that_cannot_be(practice_host: str, body: dict[str, Any], status: int, words: str) -> None:
    told = ask(practice_host, "POST", "/networks/create", body)
    assert told[0] == status, told
    assert words in told[1]["message"]


def test_names_are_not_taken_twice(practice_host: str, network: str) -> None:
    assert ask(practice_host, "POST", "/networks/create", {"Name": network}) == (
        409,
        {"message": f"network with name {network} already exists"},
    )
