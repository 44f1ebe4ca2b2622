"""Networks: containers reach each other by name, published ports, addresses, and refused requests."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from plain_http import ask, container_output
from processes import wait_until

EXPOSED = {"80/tcp": {}, "81/tcp": {}}
SERVE = "echo page >/index.html; exec httpd -f -p 80 -h /"


@pytest.fixture
def network(practice_host: str) -> Iterator[str]:
    """Give the name of a network, which is removed afterwards."""
    name = f"n-{uuid.uuid4().hex[:10]}"
    status, response = ask(practice_host, "POST", "/networks/create", {"Name": name, "Labels": {"a": "b"}})
    assert status == 201, response
    yield name
    for container in ask(practice_host, "GET", f"/networks/{name}")[1].get("Containers", {}):
        ask(practice_host, "DELETE", f"/containers/{container}?force=1")
    assert ask(practice_host, "DELETE", f"/networks/{name}")[0] == 204


@pytest.fixture
def make(practice_host: str, labels: dict[str, str]) -> Any:
    """Give a function that creates and starts a container."""

    def run_container(command: str, network: str = "bridge", **more: Any) -> str:
        body = {"Image": "busybox", "Cmd": ["sh", "-c", command], "Labels": labels, **more}
        body["HostConfig"] = {"NetworkMode": network, **more.get("HostConfig", {})}
        name = f"?name=c-{uuid.uuid4().hex[:10]}"
        status, container = ask(practice_host, "POST", f"/containers/create{name}", body)
        assert status == 201, container
        status, response = ask(practice_host, "POST", f"/containers/{container['Id']}/start")
        assert status == 204, response
        return str(container["Id"])

    return run_container


def inspect(host: str, container: str) -> dict[str, Any]:
    return dict(ask(host, "GET", f"/containers/{container}/json")[1])


def output(host: str, container: str) -> str:
    assert ask(host, "POST", f"/containers/{container}/wait")[0] == 200
    return container_output(host, container)


def test_containers_reach_each_other_by_name_and_alias(practice_host: str, make: Any, network: str) -> None:
    config = {"EndpointsConfig": {network: {"Aliases": ["other"]}}}
    server = make(SERVE, network, NetworkingConfig=config)
    name = inspect(practice_host, server)["Name"].strip("/")
    for word in (name, "other", server[:12]):
        fetch = f"for i in 1 2 3 4 5 6 7 8; do wget -q -O - http://{word}/ && exit; sleep 0.2; done"
        assert output(practice_host, make(fetch, network)).endswith("page\n")
    assert "NXDOMAIN" in output(practice_host, make("nslookup no.such.name", network))
    endpoint = ask(practice_host, "GET", f"/networks/{network}")[1]["Containers"][server]
    assert endpoint["Name"] == name
    assert endpoint["IPv4Address"].endswith("/16")


def test_networks_are_isolated_from_each_other(practice_host: str, make: Any, network: str) -> None:
    address = inspect(practice_host, make(SERVE, network))["NetworkSettings"]["Networks"][network]["IPAddress"]
    assert "page" not in output(practice_host, make(f"wget -T 1 -q -O - http://{address}/; echo over"))


def test_a_running_container_is_connected_and_disconnected(practice_host: str, make: Any, network: str) -> None:
    container = make("sleep 600")
    body = {"Container": container, "EndpointConfig": {"Aliases": ["late"]}}
    assert ask(practice_host, "POST", f"/networks/{network}/connect", body)[0] == 200
    networks = inspect(practice_host, container)["NetworkSettings"]["Networks"]
    assert set(networks) == {"bridge", network}
    assert networks[network]["IPAddress"]
    assert "late" in networks[network]["DNSNames"]
    status, response = ask(practice_host, "POST", f"/networks/{network}/connect", body)
    assert status == 403
    assert "already exists in network" in response["message"]
    assert ask(practice_host, "POST", f"/networks/{network}/disconnect", {"Container": container})[0] == 200
    assert set(inspect(practice_host, container)["NetworkSettings"]["Networks"]) == {"bridge"}


def test_a_requested_address(practice_host: str, make: Any) -> None:
    name = f"n-{uuid.uuid4().hex[:10]}"
    body = {"Name": name, "IPAM": {"Config": [{"Subnet": "10.199.7.0/24", "Gateway": "10.199.7.9"}]}}
    assert ask(practice_host, "POST", "/networks/create", body)[0] == 201
    config = {"EndpointsConfig": {name: {"IPAMConfig": {"IPv4Address": "10.199.7.77"}}}}
    try:
        container = make("ip -4 addr show eth0; ip route", name, NetworkingConfig=config)
        text = output(practice_host, container)
        assert "inet 10.199.7.77/24" in text
        assert "default via 10.199.7.9" in text
        ask(practice_host, "DELETE", f"/containers/{container}?force=1")
    finally:
        assert ask(practice_host, "DELETE", f"/networks/{name}")[0] == 204


def test_a_network_in_use_is_not_removed(practice_host: str, make: Any, network: str) -> None:
    make("sleep 600", network)
    status, response = ask(practice_host, "DELETE", f"/networks/{network}")
    assert status == 403
    assert "has active endpoints" in response["message"]


def test_without_a_network_there_is_only_the_loopback(practice_host: str, make: Any) -> None:
    assert output(practice_host, make("cat /proc/net/dev | grep -c :", "none")) == "1\n"


def test_a_container_can_share_the_network_of_another(practice_host: str, make: Any, network: str) -> None:
    server = make(SERVE, network)
    fetch = "for i in 1 2 3 4 5 6 7 8; do wget -q -O - http://127.0.0.1/ && exit; sleep 0.2; done"
    assert output(practice_host, make(fetch, f"container:{server}")).endswith("page\n")


def test_a_missing_network_prevents_the_start(practice_host: str, labels: dict[str, str]) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "Labels": labels, "HostConfig": {"NetworkMode": "nosuch"}}
    container = ask(practice_host, "POST", "/containers/create", body)[1]["Id"]
    status, response = ask(practice_host, "POST", f"/containers/{container}/start")
    assert (status, response["message"]) == (404, "failed to set up container networking: network nosuch not found")
    assert inspect(practice_host, container)["State"]["Status"] == "created"


# -- published ports -----------------------------------------------------------------------------------------


def published_port(host: str, container: str) -> int:
    ports = inspect(host, container)["NetworkSettings"]["Ports"]
    assert ports["80/tcp"][0]["HostIp"] == "127.0.0.1"
    return int(ports["80/tcp"][0]["HostPort"])


def fetch(number: int) -> bytes:
    """Return the page, or nothing if the server is not ready. A port without a listener is an error."""
    with suppress(ConnectionResetError), socket.create_connection(("127.0.0.1", number), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        page = b""
        while data := client.recv(65536):
            page += data
        return page
    return b""


def test_a_published_port_can_be_reached_on_this_machine(practice_host: str, make: Any) -> None:
    container = make(SERVE, HostConfig={"PortBindings": {"80/tcp": [{"HostPort": ""}]}}, ExposedPorts=EXPOSED)
    number = published_port(practice_host, container)
    wait_until(lambda: fetch(number).endswith(b"page\n"))
    containers = ask(practice_host, "GET", "/containers/json")[1]
    listed = next(one["Ports"] for one in containers if one["Id"] == container)
    assert {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": number, "Type": "tcp"} in listed
    assert {"PrivatePort": 81, "Type": "tcp"} in listed
    assert ask(practice_host, "POST", f"/containers/{container}/kill")[0] == 204
    assert inspect(practice_host, container)["NetworkSettings"]["Ports"] == {}
    with pytest.raises(ConnectionRefusedError):
        fetch(number)


def test_a_binding_of_a_port_that_is_not_exposed_publishes_nothing(practice_host: str, make: Any) -> None:
    container = make(SERVE, HostConfig={"PortBindings": {"80/tcp": [{"HostPort": ""}]}})
    assert inspect(practice_host, container)["NetworkSettings"]["Ports"] == {}


def test_an_allocated_port_prevents_the_start(practice_host: str, make: Any, labels: dict[str, str]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        number = str(listener.getsockname()[1])
        host = {"PortBindings": {"80/tcp": [{"HostPort": number}]}}
        body = {"Image": "busybox", "Cmd": ["true"], "Labels": labels, "HostConfig": host, "ExposedPorts": EXPOSED}
        container = ask(practice_host, "POST", "/containers/create", body)[1]["Id"]
        status, response = ask(practice_host, "POST", f"/containers/{container}/start")
    assert status == 500
    assert response["message"].endswith(f"Bind for 127.0.0.1:{number} failed: port is already allocated")
    assert inspect(practice_host, container)["State"]["Status"] == "created"
    assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204  # now the port is free


def test_a_published_port_forwards_much_data(practice_host: str, make: Any) -> None:
    script = "head -c 20000000 /dev/zero >/big; exec httpd -f -p 80 -h /"
    container = make(script, HostConfig={"PortBindings": {"80/tcp": [{}]}}, ExposedPorts=EXPOSED)
    number = published_port(practice_host, container)

    def size() -> int:
        total = 0
        with suppress(ConnectionResetError), socket.create_connection(("127.0.0.1", number), timeout=20) as client:
            client.sendall(b"GET /big HTTP/1.0\r\n\r\n")
            while data := client.recv(1 << 20):
                total += len(data)
        return total

    wait_until(lambda: size() > 20_000_000)


# -- refused requests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"Name": "host"}, 403, "operation is not permitted on predefined host network "),
        ({"Name": "x1", "Driver": "nope"}, 404, 'plugin "nope" not found'),
        ({"Name": "x2", "IPAM": {"Config": [{"Subnet": "172.17.0.0/24"}]}}, 403, "Pool overlaps with other one"),
        ({"Name": "x3", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.8.0.1"}]}}, 400, "parent subnet"),
    ],
)
def test_networks_that_cannot_be_created(practice_host: str, body: dict[str, Any], status: int, words: str) -> None:
    response = ask(practice_host, "POST", "/networks/create", body)
    assert response[0] == status, response
    assert words in response[1]["message"]


def test_names_of_networks_are_unique(practice_host: str, network: str) -> None:
    assert ask(practice_host, "POST", "/networks/create", {"Name": network}) == (
        409,
        {"message": f"network with name {network} already exists"},
    )
