"""What each rung of isolation gives is what the table in docs/isolation.md says: each ability is tried on each rung."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import temporary_engine
from plain_http import ask, connection

from dockerlab.engine.processes.isolation import ABILITIES, RUNGS, Rung, choose, probe

WORKING = probe()


@pytest.fixture(scope="module", params=WORKING, ids=[rung.name for rung in WORKING])
def rung(request: pytest.FixtureRequest) -> Rung:
    """Give each rung that works here."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def host(rung: Rung) -> Iterator[str]:
    """Start an engine with that rung."""
    with temporary_engine(rung.name) as address:
        yield address


def said(host: str, command: str, config: dict[str, Any] | None = None, **settings: Any) -> str:
    """Run a shell's line in a container; give what it said on both streams, and nothing if it could not start."""
    body = {"Image": "busybox", "Cmd": ["sh", "-c", command], "Tty": True, **(config or {}), "HostConfig": settings}
    status, made = ask(host, "POST", "/containers/create", body)
    assert status == 201, made
    path = f"/containers/{made['Id']}"
    try:
        if ask(host, "POST", f"{path}/start")[0] != 204:
            return ""
        ask(host, "POST", f"{path}/wait")
        opened = connection(host)
        opened.request("GET", f"{path}/logs?stdout=1&stderr=1")
        text = opened.getresponse().read().decode("utf-8", "replace").replace("\r", "")
        opened.close()
        return text
    finally:
        ask(host, "DELETE", f"{path}?force=1&v=1")


def root(host: str, place: Path) -> bool:
    place.joinpath("mine").write_text("of this machine")
    return said(host, f"cat {place}/mine") != "of this machine" and "busybox" in said(host, "ls /bin")


def mounts(host: str, place: Path) -> bool:
    place.joinpath("given").write_text("through a bind")
    return said(host, "cat /data/given", Binds=[f"{place}:/data"]) == "through a bind"


def mount_options(host: str, place: Path) -> bool:
    refused = [
        "Read-only file system" in said(host, "touch /data/x", Binds=[f"{place}:/data:ro"]),
        "Read-only file system" in said(host, f"mkdir -p {place}/x", ReadonlyRootfs=True),
        "Read-only file system" in said(host, "cd /proc/sys/vm; known=$(cat swappiness); echo $known >swappiness"),
        "Read-only file system" in said(host, "touch /sys/x"),
    ]
    return all(refused) and " /t tmpfs " in said(host, "cat /proc/mounts", Tmpfs={"/t": ""})


def namespaces(host: str, place: Path) -> bool:
    return said(host, "hostname; echo $$", {"Hostname": "mine"}).split() == ["mine", "1"]


def network(host: str, place: Path) -> bool:
    told = said(host, "ip -o address show dev eth0")
    status, bridge = ask(host, "GET", "/networks/bridge")
    assert status == 200
    return [one["Subnet"].split(".")[0] in told for one in bridge["IPAM"]["Config"]] == [True]


def capabilities(host: str, place: Path) -> bool:
    bounds = "grep CapBnd /proc/self/status | cut -f 2"
    privileges = said(host, "grep NoNewPrivs /proc/self/status | cut -f 2", SecurityOpt=["no-new-privileges"])
    sets = said(host, bounds), said(host, bounds, CapDrop=["ALL"]), said(host, bounds, CapAdd=["SYS_TIME"])
    return [int(one or "-1", 16) for one in sets] == [0xA80425FB, 0, 0xA80425FB | 1 << 25] and privileges.strip() == "1"


def devices(host: str, place: Path) -> bool:
    line = "ls -l /dev/mine && head -c 4 /dev/mine | wc -c"
    asked = [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/mine", "CgroupPermissions": "rwm"}]
    return said(host, line, Devices=asked).endswith("4\n")


def users(host: str, place: Path) -> bool:
    line = "id -u; id -g; made=$(mktemp); ls -ln $made | cut -c 1-35; rm $made"
    return said(host, line, {"User": "33:34"}).split() == ["33", "34", "-rw-------", "1", "33", "34"]


#: On the plain rung they run on this machine, so none of them changes anything but its own directory.
TRIALS: dict[str, Callable[[str, Path], bool]] = {
    "root": root,
    "mounts": mounts,
    "mount options": mount_options,
    "namespaces": namespaces,
    "network": network,
    "capabilities": capabilities,
    "devices": devices,
    "users": users,
}


def given(rung: Rung) -> set[str]:
    """Name what a rung gives on this machine, whose user may have no ids but the own one."""
    name = pwd.getpwuid(os.getuid()).pw_name
    lines = Path("/etc/subuid").read_text().splitlines() if Path("/etc/subuid").exists() else []
    alone = not shutil.which("newuidmap") or not any(line.split(":")[0] == name for line in lines)
    return {*rung.gives} - ({"users"} if rung.name == "userns" and os.geteuid() and alone else set())


def test_every_ability_has_its_trial() -> None:
    assert {*TRIALS} == {*ABILITIES}
    assert all({*rung.gives} <= {*ABILITIES} for rung in RUNGS)


@pytest.mark.parametrize("ability", TRIALS)
def test_a_rung_gives_what_it_says_and_nothing_else(rung: Rung, host: str, ability: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert TRIALS[ability](host, tmp_path) == (ability in given(rung)), f"{rung.name}: {ability}"


def test_what_a_rung_lacks_is_kept_and_warned_about(rung: Rung, host: str, tmp_path: Path) -> None:
    asked = {
        "mounts": {"Binds": [f"{tmp_path}:/data"]},
        "mount options": {"ReadonlyRootfs": True},
        "namespaces": {"Sysctls": {"net.ipv4.ip_forward": "0"}},
        "network": {"PublishAllPorts": True},
        "capabilities": {"CapAdd": ["SYS_TIME"]},
        "devices": {"Devices": [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/z", "CgroupPermissions": "r"}]},
    }
    settings = {key: value for fields in asked.values() for key, value in fields.items()}
    body = {"Image": "busybox", "User": "33", "Cmd": ["true"], "HostConfig": settings}
    status, made = ask(host, "POST", "/containers/create", body)
    assert status == 201
    lacking = {name for name in asked if name not in given(rung)}
    fields = {f"HostConfig.{field}" for name in lacking for field in asked[name]}
    fields |= {"Config.User"} if "users" not in given(rung) else set()
    assert {warning.partition(" is stored")[0] for warning in made["Warnings"]} == fields
    kept = ask(host, "GET", f"/containers/{made['Id']}/json")[1]
    assert kept["Config"]["User"] == "33"
    assert {key: kept["HostConfig"][key] for key in settings} == settings
    ask(host, "DELETE", f"/containers/{made['Id']}")


def test_what_a_program_leaves_ends_with_it_and_the_code_is_its_own(rung: Rung, host: str) -> None:
    before = {*Path("/tmp").glob("proot-*")}
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "sleep 987 & (sleep 987 &) ; exit 7"]}
    made = ask(host, "POST", "/containers/create", body)[1]["Id"]
    assert ask(host, "POST", f"/containers/{made}/start")[0] == 204
    assert ask(host, "POST", f"/containers/{made}/wait")[1]["StatusCode"] == 7
    assert b"sleep\x00987\x00" not in commands()
    ask(host, "DELETE", f"/containers/{made}")
    assert {*Path("/tmp").glob("proot-*")} <= before


def commands() -> set[bytes]:
    """Give the command lines of all processes of this machine."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            found.add(path.read_bytes())
    return found


def test_an_exec_is_in_the_process_list(rung: Rung, host: str) -> None:
    made = ask(host, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "100"]})[1]["Id"]
    assert ask(host, "POST", f"/containers/{made}/start")[0] == 204
    job = ask(host, "POST", f"/containers/{made}/exec", {"Cmd": ["sleep", "99"]})[1]["Id"]
    assert ask(host, "POST", f"/exec/{job}/start", {"Detach": True})[0] == 200
    table = ask(host, "GET", f"/containers/{made}/top")[1]
    assert sorted(row[-1] for row in table["Processes"]) == ["sleep 100", "sleep 99"]
    ask(host, "DELETE", f"/containers/{made}?force=1")


def test_a_container_sees_its_own_control_groups_and_cannot_change_them(rung: Rung, host: str) -> None:
    limited = ask(host, "GET", "/info")[1]["MemoryLimit"] and "namespaces" in rung.gives
    line = "cd /sys/fs/cgroup; for file in memory/memory.limit_in_bytes memory.max; do cat $file; echo 0 >$file; done"
    told = said(host, line, Memory=64 << 20)
    assert told.startswith(f"{64 << 20}\n") == limited
    assert not limited or "Read-only file system" in told


def test_a_terminal_has_a_name_inside_and_the_code_comes_through(rung: Rung, host: str) -> None:
    own = "namespaces" in rung.gives
    told = said(host, "tty; stty size", ConsoleSize=[33, 77]).split()
    assert told[1:] == ["33", "77"]
    assert told[0] == "/dev/pts/0" if own else told[0].startswith("/dev/pts/")
    made = ask(host, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "100"]})[1]["Id"]
    assert ask(host, "POST", f"/containers/{made}/start")[0] == 204
    asked = {"Cmd": ["sh", "-c", "sleep 0.2; tty; exit 7"], "Tty": True, "AttachStdout": True}
    job = ask(host, "POST", f"/containers/{made}/exec", asked)[1]["Id"]
    opened = connection(host)
    opened.request("POST", f"/exec/{job}/start", body='{"Tty":true}', headers={"Content-Type": "application/json"})
    text = opened.getresponse().read().decode()
    opened.close()
    assert text == "/dev/pts/0\r\n" if own else text.startswith("/dev/pts/")
    assert ask(host, "GET", f"/exec/{job}/json")[1]["ExitCode"] == 7
    ask(host, "DELETE", f"/containers/{made}?force=1")


def test_a_device_that_a_container_makes_is_of_no_use_to_it(rung: Rung, host: str) -> None:
    """/dev/kmsg would tell what this machine's kernel says; in a volume, too, and in /dev."""
    if "mount options" not in rung.gives:
        pytest.skip("what a plain process makes, it makes on this machine")
    for place in ("/", "/dev/", "/volume/"):
        line = f"mknod {place}made c 1 11 && head -c 1 {place}made | wc -c"
        told = said(host, line, {"Volumes": {"/volume": {}}})
        assert "ermission denied" in told or "not permitted" in told, told


def test_info_names_the_rung(rung: Rung, host: str) -> None:
    info = ask(host, "GET", "/info")[1]
    assert dict(info["DriverStatus"])["Isolation"] == rung.name
    assert info["SecurityOptions"] == [f"name=dockerlab,isolation={rung.name}"]
    assert info["Warnings"][-1] == f"WARNING: {rung.sentence}"


def test_the_best_that_works_is_chosen() -> None:
    assert choose() == WORKING[0]
    with pytest.raises(
        ValueError, match=r"There is no isolation 'magic'. Choose one of namespaces, userns, proot, plain\."
    ):
        choose("magic")
