"""Advisories about running containers: what was once possible in other engines from inside, or through mounts."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import Member, directory, link
from attack_target import Target
from attacks import ISOLATED, attack
from engine_memory import memory_for

WATCH_SECONDS = 3


@pytest.mark.parametrize("capabilities", [[], ["SYS_PTRACE"]])
@attack(ISOLATED)
def test_processes_that_enter_the_container(target: Target, capabilities: list[str]) -> None:
    """A program looks into the processes of the engine that enter its container for an exec (CVE-2016-9962)."""
    file = f"{target.canary}/secret"
    arguments = ("look-into-processes", str(WATCH_SECONDS + 1), file)
    container = target.program_container(*arguments, HostConfig={"CapAdd": capabilities})
    end = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        target.execute(container, "true")
    target.ask("POST", f"/containers/{container}/wait")
    if "reached" in (output := target.output(container)):
        target.reached(output[:500])


@attack(ISOLATED, exception="Docker 20.10 and 28.5 lose it: the program reads a file of the host")
def test_processes_that_share_the_processes_of_a_container(target: Target) -> None:
    """A program looks into containers that are started in its namespace of processes."""
    arguments = ("look-into-processes", str(WATCH_SECONDS + 1), f"{target.canary}/secret")
    container = target.program_container(*arguments, HostConfig={"CapAdd": ["SYS_PTRACE"]})
    end = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        other = target.create("true", HostConfig={"PidMode": f"container:{container}"})
        assert target.start(other).status == 204
        target.ask("DELETE", f"/containers/{other}?force=1")
    target.ask("POST", f"/containers/{container}/wait")
    if "reached" in (output := target.output(container)):
        target.reached(output[:500])


def modules(text: bytes) -> Iterator[Member]:
    """Yield Python modules with this text under all names that Python has, and where the engine has its own."""
    names = [*sorted(sys.stdlib_module_names), "dockerlab/__init__", "encodings/__init__", "encodings/idna"]
    places = ["", sysconfig.get_paths()["stdlib"].strip("/"), str(Path(__file__).resolve().parents[3]).strip("/")]
    for place in places:
        for name in names:
            yield f"{place}/{name}.py".strip("/"), text


@attack(ISOLATED)
def test_modules_of_the_image(target: Target) -> None:
    """An image has Python modules where the engine's helpers have theirs (CVE-2019-14271 loaded a library so)."""
    text = b"open('/marker', 'w').write('by ' + __name__)\n"
    image = target.image_with(*modules(text))
    settings: list[dict[str, object]] = [
        {},
        {"Tty": False},
        {"User": "33", "WorkingDir": "/a/b", "Domainname": "example", "Hostname": "höst"},
        {"HostConfig": {"Init": True, "Ulimits": [{"Name": "nofile", "Soft": 99, "Hard": 99}], "OomScoreAdj": 10}},
        {"HostConfig": {"SecurityOpt": ["no-new-privileges"], "CapDrop": ["ALL"], "ReadonlyRootfs": True}},
        {"HostConfig": {"Sysctls": {"net.ipv4.ip_forward": "1"}, "Tmpfs": {"/t": ""}}},
    ]
    for config in settings:
        if "by" in (output := target.shell("cat /marker", image=image, **config)).split():
            target.reached(output)
    container = target.create("sleep", "30", image=image)
    target.start(container)
    for command in (["true"], ["/none"], ["/etc"]):
        target.execute(container, *command)
        target.execute(container, *command, Tty=False)
    if target.get(container, "/marker").status == 200:
        target.reached("a helper has loaded a module of the image")


@pytest.mark.parametrize("form", ["Binds", "Mounts"])
@attack(ISOLATED, exception="Docker 20.10 leaves what is below writable; 28.5 withstands it", since=28)
def test_mount_below_a_read_only_directory(target: Target, form: str) -> None:
    """The host's /dev is mounted read-only, and /dev/shm below it is another file system, where everybody may write."""
    name = f"attack-{uuid.uuid4().hex}"
    mount = {"Type": "bind", "Source": "/dev", "Target": "/data", "ReadOnly": True}
    host = {"Binds": ["/dev:/data:ro"]} if form == "Binds" else {"Mounts": [mount]}
    target.shell(f"touch /data/shm/{name} /data/{name}", HostConfig=host)
    for file in (Path("/dev/shm", name), Path("/dev", name)):
        if file.exists():
            file.unlink()
            target.reached(f"{file} was created")


@attack(exception="Docker 20.10 ignores the path and shows the whole volume; 28.5 withstands it", since=28)
def test_part_of_a_volume(target: Target) -> None:
    """A container gets a directory of a volume, and must see neither the rest of it nor the host through links."""
    volume = target.volume()
    owner = target.create("true", HostConfig={"Binds": [f"{volume}:/data"]})
    links = [link("part/up", "../.."), link("host", str(target.canary)), link("part/host", f"../..{target.canary}")]
    target.put(owner, "/data", directory("part"), ("rest", b"REST OF THE VOLUME"), *links)
    for path in ("part", "part/up", "host", "part/host", "..", "part/../..", "/part", f"../..{target.canary}"):
        mount = {"Type": "volume", "Source": volume, "Target": "/m", "VolumeOptions": {"Subpath": path}}
        output = target.shell("cat /m/* /m/*/*", HostConfig={"Mounts": [mount]})
        if "REST OF THE VOLUME" in output:
            target.reached(f"{path} shows the whole volume")


@attack()
def test_address_that_is_none(target: Target) -> None:
    """A container asks for a hardware address that is none, while others are connected."""
    neighbour = target.create("sleep", "60")
    assert target.start(neighbour).status == 204
    for address in ("zz", "02:42:ac:11:00", "02:42:ac:11:00:zz", "99:99:99:99:999999:1", "\0", "é" * 6):
        container = target.create("true", MacAddress=address)
        if container:
            target.start(container)
    state = target.ask("GET", f"/containers/{neighbour}/json").document["State"]
    after = target.create("true")
    if not state["Running"] or target.start(after).status != 204:
        target.reached("the network of the others is gone")


@attack()
def test_numbers_of_requests(target: Target) -> None:
    """Requests have numbers with thousands of digits, or digits that only look like some."""
    container = target.create("sleep", "60")
    target.start(container)
    numbers = ("%C2%B2", "9" * 5000, "1e400", "-1", "%00", "0x10", "%D9%A3")
    for number in numbers:
        for method, path in (
            ("GET", f"/containers/{container}/logs?stdout=1&tail={number}"),
            ("GET", f"/containers/{container}/logs?stdout=1&since={number}"),
            ("GET", f"/containers/json?limit={number}"),
            ("POST", f"/containers/{container}/resize?h={number}&w=1"),
            ("POST", f"/containers/{container}/kill?signal={number}"),
            ("GET", f"/events?until={number}&since={number}"),
        ):
            try:
                response = target.send(method, path, seconds=2)
            except TimeoutError:  # a stream without an end
                continue
            if "Error:" in response.error:
                target.reached(f"the text of an exception: {response.error[:200]}")


@attack()
def test_output_without_a_line_end(target: Target) -> None:
    """A program prints 100 MB without the end of a line, which the engine must not collect in memory."""

    def print_and_read() -> None:
        container = target.create("sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' x", Tty=False)
        target.start(container)
        target.ask("POST", f"/containers/{container}/wait", seconds=120)
        target.send("GET", f"/containers/{container}/logs?stdout=1&tail=1", seconds=60)

    if memory_for(target.host, print_and_read) > 50 << 20:
        target.reached("the engine has collected the output")


@attack()
def test_directory_of_a_stranger(target: Target) -> None:
    """The directory from which a user asks for a report has Python modules that the engine's programs would load."""
    if target.name == "docker":
        return
    with tempfile.TemporaryDirectory() as name:
        for module in ("json", "socket", "select", "stat", "struct", "dockerlab", "errno"):
            Path(name, f"{module}.py").write_text(f"open({name + '/marker'!r}, 'w')\nraise ImportError\n")
        command = [sys.executable, "-P", "-m", "dockerlab.engine", "rungs"]
        process = subprocess.run(command, cwd=name, capture_output=True, text=True, timeout=60, check=False)
        if Path(name, "marker").exists():
            target.reached("a module of the directory was loaded")
        elif not process.stdout.strip() or target.name not in [rung["name"] for rung in json.loads(process.stdout)]:
            target.reached(f"no rung works: {process.stdout}{process.stderr}")
