"""Each rung of isolation has the abilities in the table of docs/isolation.md: each one is checked on each rung."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plain_http import ask, send_raw

from dockerlab.engine.processes.isolation import ABILITIES, RUNGS, Rung, choose, probe

WORKING = probe()


@pytest.fixture(scope="module", params=WORKING, ids=[rung.name for rung in WORKING])
def rung(request: pytest.FixtureRequest) -> Rung:
    """Give each rung that works on this machine."""
    return request.param  # type: ignore[no-any-return]


def output_of(host: str, command: str, config: dict[str, Any] | None = None, **settings: Any) -> str:
    """Run a shell command in a container. Return its output, which is empty if the container could not start."""
    body = {"Image": "busybox", "Cmd": ["sh", "-c", command], "Tty": True, **(config or {}), "HostConfig": settings}
    status, container = ask(host, "POST", "/containers/create", body)
    assert status == 201, container
    path = f"/containers/{container['Id']}"
    try:
        if ask(host, "POST", f"{path}/start")[0] != 204:
            return ""
        ask(host, "POST", f"{path}/wait")
        _, data, _ = send_raw(host, "GET", f"{path}/logs?stdout=1&stderr=1")
        return data.decode("utf-8", "replace").replace("\r", "")
    finally:
        ask(host, "DELETE", f"{path}?force=1&v=1")


def root(host: str, folder: Path) -> bool:
    folder.joinpath("mine").write_text("of this machine")
    return output_of(host, f"cat {folder}/mine") != "of this machine" and "busybox" in output_of(host, "ls /bin")


def mounts(host: str, folder: Path) -> bool:
    folder.joinpath("file").write_text("through a bind")
    return output_of(host, "cat /data/file", Binds=[f"{folder}:/data"]) == "through a bind"


def mount_options(host: str, folder: Path) -> bool:
    outcomes = [
        "Read-only file system" in output_of(host, "touch /data/x", Binds=[f"{folder}:/data:ro"]),
        "Read-only file system" in output_of(host, f"mkdir -p {folder}/x", ReadonlyRootfs=True),
        "Read-only file system" in output_of(host, "cd /proc/sys/vm; value=$(cat swappiness); echo $value >swappiness"),
        "Read-only file system" in output_of(host, "touch /sys/x"),
    ]
    return all(outcomes) and " /t tmpfs " in output_of(host, "cat /proc/mounts", Tmpfs={"/t": ""})


def namespaces(host: str, folder: Path) -> bool:
    return output_of(host, "hostname; echo $$", {"Hostname": "mine"}).split() == ["mine", "1"]


def network(host: str, folder: Path) -> bool:
    text = output_of(host, "ip -o address show dev eth0")
    status, bridge = ask(host, "GET", "/networks/bridge")
    assert status == 200
    return [config["Subnet"].split(".")[0] in text for config in bridge["IPAM"]["Config"]] == [True]


def capabilities(host: str, folder: Path) -> bool:
    bounds = "grep CapBnd /proc/self/status | cut -f 2"
    privileges = output_of(host, "grep NoNewPrivs /proc/self/status | cut -f 2", SecurityOpt=["no-new-privileges"])
    sets = (
        output_of(host, bounds),
        output_of(host, bounds, CapDrop=["ALL"]),
        output_of(host, bounds, CapAdd=["SYS_TIME"]),
    )
    return [int(mask or "-1", 16) for mask in sets] == [
        0xA80425FB,
        0,
        0xA80425FB | 1 << 25,
    ] and privileges.strip() == "1"


def interpreter(host: str, folder: Path) -> bool:
    own = Path(sys.executable).resolve().stat()
    text = output_of(host, "stat -L -c %d:%i /proc/[0-9]*/exe; cat /proc/[0-9]*/cmdline", Init=True)
    return f"{own.st_dev}:{own.st_ino}" not in text.split() and "dockerlab.engine" not in text


def seccomp(host: str, folder: Path) -> bool:
    lines = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Seccomp")]
    has_filter = output_of(host, "grep Seccomp /proc/self/status").split() != "\n".join(lines).split()
    # without a filter, everybody may create a user namespace
    return has_filter and "not permitted" in output_of(host, "unshare -U true")


def device_filter(host: str, folder: Path) -> bool:
    """/dev/kmsg would show this machine's kernel messages."""
    line = "mknod made c 1 11 && head -c 1 made | wc -c; rm -f made"
    text = output_of(host, line, CapAdd=["SYSLOG"])  # which the kernel demands, too
    # The kernel refuses to give away a part of a message. proot only pretends that it has made the node.
    is_open = text.split()[-1:] == ["1"] or "nvalid argument" in text
    return not is_open


def devices(host: str, folder: Path) -> bool:
    line = "ls -l /dev/mine && head -c 4 /dev/mine | wc -c"
    mappings = [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/mine", "CgroupPermissions": "rwm"}]
    return output_of(host, line, Devices=mappings).endswith("4\n")


def users(host: str, folder: Path) -> bool:
    line = "id -u; id -g; made=$(mktemp); ls -ln $made | cut -c 1-35; rm $made"
    return output_of(host, line, {"User": "33:34"}).split() == ["33", "34", "-rw-------", "1", "33", "34"]


#: On the plain rung they run on this machine itself, so none of them changes anything outside its own directory.
CHECKS: dict[str, Callable[[str, Path], bool]] = {
    "root": root,
    "mounts": mounts,
    "mount options": mount_options,
    "namespaces": namespaces,
    "network": network,
    "capabilities": capabilities,
    "interpreter": interpreter,
    "seccomp": seccomp,
    "devices": devices,
    "device filter": device_filter,
    "users": users,
}


def abilities(rung: Rung) -> set[str]:
    """Return the abilities of a rung on this machine, where a user may have no subordinate ids.

    The kernel lets no ordinary user make device nodes, so that they have a device filter everywhere.
    """
    name = pwd.getpwuid(os.getuid()).pw_name
    lines = Path("/etc/subuid").read_text().splitlines() if Path("/etc/subuid").exists() else []
    has_one_id = not shutil.which("newuidmap") or not any(line.split(":")[0] == name for line in lines)
    names = {*rung.gives} | ({"device filter"} if os.geteuid() else set())
    return names - ({"users"} if rung.name == "userns" and os.geteuid() and has_one_id else set())


def test_every_ability_has_a_check() -> None:
    assert {*CHECKS} == {*ABILITIES}
    assert all({*rung.gives} <= {*ABILITIES} for rung in RUNGS)


@pytest.mark.parametrize("ability", CHECKS)
def test_a_rung_has_exactly_its_abilities(rung: Rung, host: str, ability: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert CHECKS[ability](host, tmp_path) == (ability in abilities(rung)), f"{rung.name}: {ability}"


def test_options_that_a_rung_cannot_apply_are_stored_with_a_warning(rung: Rung, host: str, tmp_path: Path) -> None:
    options = {
        "mounts": {"Binds": [f"{tmp_path}:/data"]},
        "mount options": {"ReadonlyRootfs": True},
        "namespaces": {"Sysctls": {"net.ipv4.ip_forward": "0"}},
        "network": {"PublishAllPorts": True},
        "capabilities": {"CapAdd": ["SYS_TIME"]},
        "devices": {"Devices": [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/z", "CgroupPermissions": "r"}]},
    }
    settings = {key: value for fields in options.values() for key, value in fields.items()}
    body = {"Image": "busybox", "User": "33", "Cmd": ["true"], "HostConfig": settings}
    status, container = ask(host, "POST", "/containers/create", body)
    assert status == 201
    lacking = {name for name in options if name not in abilities(rung)}
    fields = {f"HostConfig.{field}" for name in lacking for field in options[name]}
    fields |= {"Config.User"} if "users" not in abilities(rung) else set()
    assert {warning.partition(" is stored")[0] for warning in container["Warnings"]} == fields
    details = ask(host, "GET", f"/containers/{container['Id']}/json")[1]
    assert details["Config"]["User"] == "33"
    assert {key: details["HostConfig"][key] for key in settings} == settings
    ask(host, "DELETE", f"/containers/{container['Id']}")


def test_remaining_processes_end_with_the_main_process_whose_exit_code_counts(rung: Rung, host: str) -> None:
    before = {*Path("/tmp").glob("proot-*")}
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "sleep 987 & (sleep 987 &) ; exit 7"]}
    container = ask(host, "POST", "/containers/create", body)[1]["Id"]
    assert ask(host, "POST", f"/containers/{container}/start")[0] == 204
    assert ask(host, "POST", f"/containers/{container}/wait")[1]["StatusCode"] == 7
    assert b"sleep\x00987\x00" not in commands()
    ask(host, "DELETE", f"/containers/{container}")
    assert {*Path("/tmp").glob("proot-*")} <= before


def commands() -> set[bytes]:
    """Return the command lines of all processes of this machine."""
    lines = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # the process has just ended
            lines.add(path.read_bytes())
    return lines


def test_an_exec_is_in_the_process_list(rung: Rung, host: str) -> None:
    container = ask(host, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "100"]})[1]["Id"]
    assert ask(host, "POST", f"/containers/{container}/start")[0] == 204
    job = ask(host, "POST", f"/containers/{container}/exec", {"Cmd": ["sleep", "99"]})[1]["Id"]
    assert ask(host, "POST", f"/exec/{job}/start", {"Detach": True})[0] == 200
    table = ask(host, "GET", f"/containers/{container}/top")[1]
    assert sorted(row[-1] for row in table["Processes"]) == ["sleep 100", "sleep 99"]
    ask(host, "DELETE", f"/containers/{container}?force=1")


def test_a_container_can_read_but_not_change_its_control_groups(rung: Rung, host: str) -> None:
    is_limited = ask(host, "GET", "/info")[1]["MemoryLimit"] and "namespaces" in rung.gives
    line = "cd /sys/fs/cgroup; for file in memory/memory.limit_in_bytes memory.max; do cat $file; echo 0 >$file; done"
    text = output_of(host, line, Memory=64 << 20)
    assert text.startswith(f"{64 << 20}\n") == is_limited
    assert not is_limited or "Read-only file system" in text


def test_a_terminal_has_a_name_inside_and_the_exit_code_is_returned(rung: Rung, host: str) -> None:
    is_isolated = "namespaces" in rung.gives
    words = output_of(host, "tty; stty size", ConsoleSize=[33, 77]).split()
    assert words[1:] == ["33", "77"]
    assert words[0] == "/dev/pts/0" if is_isolated else words[0].startswith("/dev/pts/")
    container = ask(host, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "100"]})[1]["Id"]
    assert ask(host, "POST", f"/containers/{container}/start")[0] == 204
    config = {"Cmd": ["sh", "-c", "sleep 0.2; tty; exit 7"], "Tty": True, "AttachStdout": True}
    job = ask(host, "POST", f"/containers/{container}/exec", config)[1]["Id"]
    headers = {"Content-Type": "application/json"}
    text = send_raw(host, "POST", f"/exec/{job}/start", b'{"Tty":true}', headers)[1].decode()
    assert text == "/dev/pts/0\r\n" if is_isolated else text.startswith("/dev/pts/")
    assert ask(host, "GET", f"/exec/{job}/json")[1]["ExitCode"] == 7
    ask(host, "DELETE", f"/containers/{container}?force=1")


def test_a_device_node_that_a_container_makes_cannot_be_used(rung: Rung, host: str) -> None:
    """/dev/kmsg would show this machine's kernel messages. It must not work in a volume or in /dev either."""
    if "mount options" not in rung.gives:
        pytest.skip("on the plain rung it would be made on this machine")
    for folder in ("/", "/dev/", "/volume/"):
        line = f"mknod {folder}made c 1 11 && head -c 1 {folder}made | wc -c"
        text = output_of(host, line, {"Volumes": {"/volume": {}}})
        assert "ermission denied" in text or "not permitted" in text, text


def test_info_names_the_rung(rung: Rung, host: str) -> None:
    info = ask(host, "GET", "/info")[1]
    assert dict(info["DriverStatus"])["Isolation"] == rung.name
    seccomp = ["name=seccomp,profile=builtin"] if "seccomp" in rung.gives else []
    assert info["SecurityOptions"] == [*seccomp, f"name=dockerlab,isolation={rung.name}"]
    assert info["Warnings"][-1] == f"WARNING: {rung.sentence}"


def test_the_best_working_rung_is_chosen() -> None:
    assert choose() == WORKING[0]
    with pytest.raises(
        ValueError, match=r"There is no isolation 'magic'. Choose one of namespaces, userns, proot, plain\."
    ):
        choose("magic")
