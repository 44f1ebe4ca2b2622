"""Strain: requests, archives and images that make the engine slow, large or unable to answer."""

from __future__ import annotations

import contextlib
import gzip
import json
import tarfile
import time
from urllib.parse import quote, urlencode

import pytest
from archives import Member, directory, link, tar_of
from attack_target import Target
from attacks import ISOLATED, attack
from engine_memory import memory_for
from plain_http import connection

#: More than a function can call itself, and less than a path can name.
DEPTH = 1500
SLOW = "Docker may need more than half a minute for it"


def nested_tar(depth: int) -> bytes:
    """Return a tar of one file that is in so many directories inside each other."""
    return tar_of((f"{'d/' * depth}file", b"x"))


def use(target: Target, container: str) -> None:
    """Read a container's files in every way, commit it and remove it."""
    target.read_everywhere(container, "/d", "/")
    image = target.name_image()
    assert target.ask("POST", f"/commit?container={container}&repo={image}", {}).status == 201
    target.send("GET", f"/images/{image}/get")
    assert target.ask("DELETE", f"/containers/{container}?force=1&v=1").status == 204
    assert target.ask("DELETE", f"/images/{image}?force=1").status == 200


@attack(exception=SLOW)
def test_deep_directories_of_an_archive(target: Target) -> None:
    """An archive has 1,500 directories inside each other."""
    container = target.create("true")
    assert target.send("PUT", f"/containers/{container}/archive?path=/", nested_tar(DEPTH)).status == 200
    use(target, container)


@attack(exception=SLOW)
def test_deep_directories_of_an_image(target: Target) -> None:
    """An image has 1,500 directories inside each other."""
    image = target.import_image(archive=nested_tar(DEPTH))
    use(target, target.create("true", image=image))


@attack(ISOLATED, exception=SLOW)
def test_deep_directories_of_a_program(target: Target) -> None:
    """A program makes 2,000 directories inside each other, more than any path can name."""
    container = target.program_container("nest", "2000")
    target.ask("POST", f"/containers/{container}/wait")
    assert target.output(container) == ""
    use(target, container)


@attack(ISOLATED)
def test_deep_directories_of_a_volume(target: Target) -> None:
    """A program makes 2,000 directories inside each other in a volume."""
    volume = target.volume()
    container = target.program_container("nest", "2000", WorkingDir="/data", HostConfig={"Binds": [f"{volume}:/data"]})
    target.ask("POST", f"/containers/{container}/wait")
    target.read_everywhere(container, "/data")
    assert target.ask("DELETE", f"/containers/{container}?force=1").status == 204
    assert target.ask("DELETE", f"/volumes/{volume}").status == 204


@attack()
def test_circles_of_links(target: Target) -> None:
    """Links lead to each other, to themselves and to what is above them, and the container uses them."""
    links = [link("a", "b"), link("b", "a"), link("self", "self"), link("up", "up/.."), link("tmp/x", "x/y")]
    container = target.create("true")
    assert target.put(container, "/", *links, link("etc/hosts", "hosts")).status == 200
    target.read_everywhere(container, "/a", "/a/.", "/self", "/up/..", "/tmp/x")
    for path in ("/a", "/self", "/up"):
        target.put(container, path, ("new", b"x"))
        target.create("true", WorkingDir=path, HostConfig={"VolumesFrom": [container]})
    target.start(container)
    image = target.image_with(*links[:4], link("etc", "etc"))
    for path in ("/a", "/self/new", "/up/new"):
        other = target.create("true", image=image, WorkingDir=path, Volumes={f"{path}/v": {}}, User="nobody")
        if other:
            target.start(other)
    target.build(f"FROM {image}\nCOPY Dockerfile /a/\nCOPY Dockerfile /self\nWORKDIR /up\nRUN true")


@attack()
def test_many_members(target: Target) -> None:
    """An archive has 3,000 empty files."""
    container = target.create("true")
    assert target.put(container, "/tmp", *((f"many/{number}", b"") for number in range(3000))).status == 200
    use(target, container)


@attack()
def test_large_headers_of_a_tar(target: Target) -> None:
    """An archive has an extended header of 8 MB, and one whose numbers are nonsense."""
    container = target.create("true")
    member = tarfile.TarInfo("file")
    member.pax_headers = {"path": "a/" * (4 << 20)}
    target.put(container, "/", member)
    member.pax_headers = {f"key{number}": "x" * 100 for number in range(10000)}
    target.put(container, "/", member)
    for headers in (
        {"size": "-1"},
        {"size": "9" * 30},
        {"mtime": "nan"},
        {"mtime": "9" * 400},
        {"uid": "-7"},
        {"uid": "9" * 30},
    ):
        member.pax_headers = headers
        target.put(container, "/", member)
        target.import_image(member, may_fail=True)


@attack()
def test_damaged_tars(target: Target) -> None:
    """An archive is cut off, or a byte of a header is wrong, at each door."""
    container = target.create("true")
    tar = tar_of(("file", b"x" * 5000), link("link", "file"), directory("folder"))
    damaged = [
        tar[:700],
        tar[:512],
        tar[:1],
        b"",
        tar[:100] + b"\xff" * 60 + tar[160:],
        b"\0" * 512 + tar,
        gzip.compress(tar)[:60],
    ]
    damaged += [
        tar[:124] + text + tar[136:]
        for text in (b"-0000000001\0", b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * 12)
    ]
    for data in damaged:
        target.send("PUT", f"/containers/{container}/archive?path=/", data)
        target.import_image(archive=data, may_fail=True)
        target.send("POST", "/images/load", data)
        target.send("POST", f"/build?t={target.label}", data)


@attack()
def test_small_archive_of_a_large_file(target: Target) -> None:
    """A compressed archive of 200 KB has 200 MB of zeros: each door takes it, and what it made is removed."""
    tar = gzip.compress(tar_of(("zeros", bytes(200 << 20))), 1)
    container = target.create("true")
    target.send("PUT", f"/containers/{container}/archive?path=/", tar, seconds=60)
    assert target.head(container, "/zeros").status == 200
    assert target.ask("DELETE", f"/containers/{container}?force=1").status == 204


@attack()
def test_deep_documents(target: Target) -> None:
    """JSON documents have 100,000 lists inside each other, in bodies, filters, headers and archives."""
    deep = b"[" * 100_000 + b"]" * 100_000
    nested = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    for body in (deep, nested, b'{"Image": "busybox", "Labels": ' + nested + b"}"):
        for path in ("/containers/create", "/volumes/create", "/networks/create", "/auth", "/commit?container=x"):
            response = target.send("POST", path, body, {"Content-Type": "application/json"})
            if response.status >= 500 and b"recursion" in response.data.lower():
                target.reached(f"POST {path} is answered by {response.data[:200]!r}")
    target.send("GET", f"/containers/json?filters={quote('[' * 5000)}")
    for name in ("manifest.json", "index.json", "repositories"):
        target.load((name, deep))


@attack()
def test_patterns_that_take_long(target: Target) -> None:
    """Patterns of .dockerignore, of COPY and of a filter take exponential time with simple methods."""
    name = "a" * 60
    for pattern in ("*a" * 25 + "b", "**/" * 25 + "b", "[a-" * 30, "?" * 500, "(a+)+$"):
        ignore: Member = (".dockerignore", f"{pattern}\n!{pattern}\n".encode())
        target.build(f"FROM busybox\nCOPY {pattern} /", ignore, (f"{name}/{name}", b"x"), (name + "b", b"x"))
        target.send("GET", f"/images/json?filters={quote(json.dumps({'reference': [pattern]}))}")
    target.create("true", name=f"{target.label}-{name}b", HostConfig={"LogConfig": {"Config": {"env-regex": "(a+)+$"}}})
    for kind in ("containers/json?all=1", "networks?a=b", "volumes?a=b"):
        for pattern in ("(a+)+$", "(a|a)*$", "(.*)*$x", "(a?){60}a{60}c"):
            target.send("GET", f"/{kind}&filters={quote(json.dumps({'name': [pattern]}))}")


@attack()
def test_dockerfiles_that_take_long(target: Target) -> None:
    """Dockerfiles have nested substitutions, variables that double each time, and triggers of triggers."""
    doubling = ["FROM busybox", "ENV A0=xxxxxxxxxx"]
    doubling += [f"ENV A{number}=$A{number - 1}$A{number - 1}" for number in range(1, 24)]
    dockerfiles = [
        "FROM busybox\nENV X=" + "${a:-" * 2000 + "}" * 2000,
        "FROM busybox\nONBUILD ONBUILD RUN true",
        "FROM busybox AS a\nFROM a AS b\nFROM b AS a\nCOPY --from=b /etc /x",
        "FROM " + "a" * 100_000, "FROM busybox\nLABEL " + "a=b " * 5000, "FROM busybox\n" + "#\n" * 100_000,
        "# escape=\\\n" + "\\\n" * 5000, "FROM busybox\nRUN [" + '"a",' * 1000,
    ]  # fmt: skip
    for dockerfile in dockerfiles:
        target.build(dockerfile)
    count = 12 if target.name == "docker" else 16  # Docker needs half a minute for 16
    target.build("\n".join(doubling[:count]))


@attack()
def test_requests_that_are_not_http(target: Target) -> None:
    """Requests have huge headers, wrong lengths and chunks, and bodies that never come."""
    requests = [
        b"GET /_ping HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (2 << 20) + b"\r\n\r\n",
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{",
        b"POST /images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        b"POST /images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n",
        b"GET /../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET " + b"/a" * 50_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 5000, b"GET /_ping HTTP/9.9\r\n\r\n", b"\r\n" * 5000,
    ]  # fmt: skip
    for request in requests:
        client = connection(target.host, 5)
        client.connect()
        try:
            client.sock.sendall(request)
            client.sock.shutdown(1)
            data = client.sock.recv(65536)
            assert b"Traceback" not in data
        except OSError:
            continue  # the engine has closed the connection, or waits for the rest
        finally:
            client.close()
        assert target.send("GET", "/_ping").status == 200


WRONG_VALUES: list[dict[str, object]] = [
    *({"ExposedPorts": {port: {}}} for port in ("a", "1-99999/tcp")),
    *({name: 7} for name in ("Env", "Healthcheck", "HostConfig", "Image", "User")),
    *({"HostConfig": {name: 7}} for name in ("LogConfig", "RestartPolicy", "PortBindings")),
    *({"HostConfig": {name: [7]}} for name in ("Binds", "Mounts", "Devices")),
    {"Env": [7]}, {"Labels": {"a": 7}}, {"Cmd": {"a": 1}}, {"Volumes": {"a": {}, "": {}}}, {"StopTimeout": "x"},
    {"HostConfig": {"PortBindings": {"a": [{}]}}},
    {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "99999"}]}}},
    {"NetworkingConfig": {"EndpointsConfig": {"bridge": 7}}}, {"HostConfig": {"Tmpfs": {"": "", "a": 7}}},
    {"HostConfig": {"Memory": 1e400}}, {"HostConfig": {"NanoCpus": -(2**63)}}, {"Hostname": ["x"]},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG_VALUES, ids=lambda change: "-".join(json.dumps(change).split('"')[1::2]))
@attack()
def test_values_of_wrong_types(target: Target, change: dict[str, object]) -> None:
    """A container is created with a value of a wrong type: no list may fail because of it."""
    body = {"Image": "busybox", "Cmd": ["true"], "Labels": {"attack": target.label}, **change}
    response = target.ask("POST", f"/containers/create?{urlencode({'name': target.label})}", body)
    if response.status == 201:
        target.start(response.document["Id"])
    elif response.status >= 500 and "Error" in str(response.document):
        target.reached(f"an exception's text: {response.document}")
    try:
        target.check()
    finally:
        target.ask("DELETE", f"/containers/{target.label}?force=1")


@attack(ISOLATED)
def test_all_files_of_the_machine_as_devices(target: Target) -> None:
    """A container asks for the devices in the machine's root directory, so that the engine looks at all files."""
    container = target.create("true", HostConfig={"Devices": [{"PathOnHost": "/", "PathInContainer": "/all"}]})
    assert container
    with contextlib.suppress(TimeoutError):
        target.ask("POST", f"/containers/{container}/start", seconds=3)
    try:
        target.send("GET", "/_ping", seconds=10)
    except TimeoutError:
        target.reached("the engine answers nobody else meanwhile")


@attack()
def test_groups_of_a_container(target: Target) -> None:
    """A container asks for 60,000 groups, and each of them could be looked for in the image's files."""
    container = target.create("true", HostConfig={"GroupAdd": [str(number) for number in range(60_000)]})
    begin = time.monotonic()
    target.start(container)
    if time.monotonic() - begin > 15:
        target.reached("the engine reads the file of groups again and again")


@attack(exception="Docker reads such a document, too")
def test_document_of_much_memory(target: Target) -> None:
    """A request has a document of 30 MB with ten million empty lists, which need a hundred times as much memory."""
    body = b'{"Image":"busybox","Unknown":[' + b"[]," * (10 << 20) + b"[]]}"

    def create() -> None:
        target.send("POST", "/containers/create", body, {"Content-Type": "application/json"})

    if memory_for(target.host, create) > 200 << 20:
        target.reached("the engine holds the document in memory")


@attack(ISOLATED, exception="Docker starts a program for each of the ports, as long as there are any")
def test_all_ports_of_the_machine(target: Target) -> None:
    """An image exposes 65,000 ports, and a container asks for a port of the machine for each of them."""
    ports: dict[str, dict[str, str]] = {f"{number}/tcp": {} for number in range(1, 65_001)}
    container = target.create("sleep", "30", ExposedPorts=ports, HostConfig={"PublishAllPorts": True})
    try:
        target.start(container)
        target.ask("GET", "/containers/json", seconds=10)
    except TimeoutError:
        target.reached("the engine answers nobody else meanwhile")


@attack(exception="Docker writes its list of names again for each of them")
def test_archive_with_many_names(target: Target) -> None:
    """An image archive has an image with 20,000 names, and one that is listed 20,000 times."""
    root = {"type": "layers", "diff_ids": []}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": root}).encode()
    entry = {"Config": "config.json", "RepoTags": [], "Layers": []}
    names = {**entry, "RepoTags": [f"{target.label}:{number}" for number in range(20_000)]}
    for manifest in ([names], [entry] * 20_000):
        try:
            target.load(("config.json", config), ("manifest.json", json.dumps(manifest).encode()))
            target.ask("GET", "/system/df", seconds=10)
        except TimeoutError:
            target.reached("the engine is busy with the names")
