"""What confines the program of a container: filters of system calls and of devices, with the answers of Docker 28.5.

calls.c tries what must not work. ANSWERS has what it prints in a container of Docker.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from c_programs import compile_static
from engines import KillableEngine, temporary_engine
from plain_http import ask, send_raw

from dockerlab.engine.processes import syscalls
from dockerlab.engine.processes.capabilities import NUMBERS
from dockerlab.engine.processes.isolation import NAMESPACES, Rung, probe

FILTERING = [rung for rung in probe() if "seccomp" in rung.gives]
#: In a user namespace the kernel itself lets nobody make device nodes.
WITH_DEVICE_FILTER = [rung.name for rung in FILTERING if rung.name == NAMESPACES and "device filter" in rung.gives]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has no capabilities")
PR_CAPBSET_DROP = 24
YEAR_2002 = 1_009_843_200
#: The errors in Docker 28.5 on x86_64. Everything else that calls.c tries is allowed, or fails for another reason.
ANSWERS = {
    **dict.fromkeys(
        (
            *("unshare-user", "unshare-fs", "clone-newuser", "setns", "mount", "umount2", "open_tree", "fsopen"),
            *("mount_setattr", "pivot_root", "keyctl", "add_key", "request_key", "kcmp", "pidfd_getfd", "bpf"),
            *("perf_event_open", "userfaultfd", "io_uring_setup", "open_by_handle_at", "init_module", "kexec_load"),
            *("reboot", "acct", "sethostname", "syslog", "personality", "socket-vsock", "move_pages"),
            *("fanotify_init", "kmsg", "kmsg-in-dev", "kmsg-in-volume", "memory", "fuse", "disk"),
        ),
        errno.EPERM,
    ),
    "clone3": errno.ENOSYS,
    "newer-than-the-profile": errno.ENOSYS,
    **dict.fromkeys(("personality-query", "socket-inet", "ptrace-me", "null"), 0),
}


@pytest.fixture(scope="module", params=FILTERING, ids=[rung.name for rung in FILTERING])
def rung(request: pytest.FixtureRequest) -> Rung:
    """Give each rung that filters system calls."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile calls.c; return the directory of the program."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "calls").write_bytes(compile_static(Path(__file__).with_name("calls.c")))
    (folder / "calls").chmod(0o755)
    return folder


def run(host: str, command: list[str], config: dict[str, Any] | None = None, **settings: Any) -> str:
    """Run a container to its end, and return its output, or the message of a start that failed."""
    body = {"Image": "busybox", "Cmd": command, "Tty": True, **(config or {}), "HostConfig": settings}
    status, container = ask(host, "POST", "/containers/create", body)
    assert status == 201, container
    path = f"/containers/{container['Id']}"
    try:
        status, answer = ask(host, "POST", f"{path}/start")
        if status != 204:
            return str(answer["message"])
        ask(host, "POST", f"{path}/wait")
        return send_raw(host, "GET", f"{path}/logs?stdout=1&stderr=1")[1].decode().replace("\r", "")
    finally:
        ask(host, "DELETE", f"{path}?force=1&v=1")


def answers(host: str, programs: Path, **settings: Any) -> dict[str, int]:
    """Run calls.c in a container, and return the error of each call."""
    binds = [f"{programs}:/programs:ro"]
    text = run(host, ["/programs/calls"], {"Volumes": {"/volume": {}}}, Binds=binds, **settings)
    return {name: int(number) for name, _, number in (line.partition(" ") for line in text.splitlines())}


def expected(rung: Rung) -> dict[str, int]:
    """Return Docker's answers; in a user namespace the kernel allows no device nodes at all."""
    return ANSWERS if rung.name == NAMESPACES else {**ANSWERS, "null": errno.EPERM}


def seccomp(profile: object) -> list[str]:
    return [f"seccomp={profile if isinstance(profile, str) else json.dumps(profile)}"]


# -- system calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["no-new-privileges"], ["seccomp=builtin"]])
def test_forbidden_calls_fail_as_in_docker(rung: Rung, host: str, programs: Path, options: list[str]) -> None:
    assert answers(host, programs, SecurityOpt=options) == expected(rung)


def test_a_capability_allows_its_calls(host: str, programs: Path) -> None:
    actual = answers(host, programs, CapAdd=["SYS_ADMIN"])
    assert [actual[name] for name in ("unshare-fs", "mount", "sethostname")] == [0, 0, 0]
    assert actual["clone3"] != errno.ENOSYS
    others = ("keyctl", "userfaultfd", "io_uring_setup", "reboot", "kcmp", "socket-vsock", "newer-than-the-profile")
    assert [actual[name] for name in others] == [ANSWERS[name] for name in others]


def test_a_container_can_be_without_a_filter(host: str) -> None:
    own = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Seccomp")]
    for settings in ({"SecurityOpt": ["seccomp=unconfined"]}, {"Privileged": True}):
        lines = run(host, ["grep", "Seccomp", "/proc/self/status"], **settings)
        assert lines.split() == "\n".join(own).split()


def test_a_profile_of_the_request_replaces_the_default(host: str) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EIO}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    for settings in ({}, {"Privileged": True}, {"CapDrop": ["ALL"]}):
        text = run(host, ["sh", "-c", "mkdir /x; rmdir /proc/x"], SecurityOpt=seccomp(profile), **settings)
        assert text.splitlines()[0] == "mkdir: can't create directory '/x': Input/output error", text


def test_a_profile_may_forbid_what_a_start_needs_if_there_are_no_new_privileges(host: str) -> None:
    names = ["setuid", "setgid", "setgroups", "capset", "mount"]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": names, "action": "SCMP_ACT_KILL_PROCESS"}]}
    options = [*seccomp(profile), "no-new-privileges"]
    assert run(host, ["echo", "started"], SecurityOpt=options) == "started\n"


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ERRNO", "SCMP_ACT_TRAP"])
def test_a_profile_that_forbids_everything_ends_the_container(host: str, action: str) -> None:
    profile = {"defaultAction": action, "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ALLOW"}]}
    assert "started" not in run(host, ["echo", "started"], SecurityOpt=seccomp(profile))


def test_an_exec_has_the_filter_of_its_container_even_a_privileged_one(host: str) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    options = seccomp({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    body = {"Image": "busybox", "Cmd": ["sleep", "100"], "HostConfig": {"SecurityOpt": options}}
    container = ask(host, "POST", "/containers/create", body)[1]["Id"]
    assert ask(host, "POST", f"/containers/{container}/start")[0] == 204
    for is_privileged in (False, True):
        config = {"Cmd": ["mkdir", "/x"], "Tty": True, "AttachStdout": True, "Privileged": is_privileged}
        job = ask(host, "POST", f"/containers/{container}/exec", config)[1]["Id"]
        headers = {"Content-Type": "application/json"}
        text = send_raw(host, "POST", f"/exec/{job}/start", b'{"Tty":true}', headers)[1].decode()
        assert "Operation not permitted" in text
    ask(host, "DELETE", f"/containers/{container}?force=1")


def test_a_broken_profile_fails_at_the_start(host: str) -> None:
    text = run(host, ["true"], SecurityOpt=seccomp("/etc/profile.json"))
    assert text == "Decoding seccomp profile failed: invalid character '/' looking for beginning of value"


@pytest.mark.parametrize(
    ("option", "number"),
    [("bogus", 1), ("", 1), ("bogus=1", 2), ("bogus:1", 2), ("no-new-privileges=maybe", 2), ("Seccomp=unconfined", 2)],
)
def test_an_unknown_security_option_is_refused(host: str, option: str, number: int) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"SecurityOpt": [option]}}
    status, answer = ask(host, "POST", "/containers/create", body)
    assert (status, answer) == (500, {"message": f'invalid --security-opt {number}: "{option}"'})


# -- devices -------------------------------------------------------------------------------------------------


def test_the_nodes_of_the_machine_do_not_change(host: str) -> None:
    paths = [Path("/dev", name) for name in ("null", "zero", "full", "random", "urandom", "tty")]
    mapping = {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/mine", "CgroupPermissions": "rwm"}
    masked = "/proc/keys /proc/timer_list"  # the null device is mounted over them
    line = f"touch -d 2001-01-01 {' '.join(map(str, paths))} /dev/mine {masked}; echo x >/dev/null && echo done"
    assert run(host, ["sh", "-c", line], Devices=[mapping]).splitlines()[-1] == "done"
    assert [path for path in paths if path.stat().st_mtime < YEAR_2002] == []


@pytest.fixture(scope="module", params=WITH_DEVICE_FILTER)
def filtering_host(request: pytest.FixtureRequest) -> Iterator[str]:
    """Start an engine with a control group for devices."""
    with temporary_engine(request.param) as address:
        yield address


def test_rules_allow_further_devices(filtering_host: str) -> None:
    line = "mknod /kmsg c 1 11; head -c 0 /kmsg && echo read; : 2>&1 >/kmsg && echo written"
    text = run(filtering_host, ["sh", "-c", line], DeviceCgroupRules=["c 1:11 r"], CapAdd=["SYSLOG"])
    assert "read" in text
    assert "written" not in text
    assert run(filtering_host, ["true"], DeviceCgroupRules=["c 1:11"]) == "invalid device cgroup rule format: 'c 1:11'"


def test_a_requested_device_has_its_permissions_and_a_node_of_its_own(filtering_host: str) -> None:
    mapping = {"PathOnHost": "/dev/kmsg", "PathInContainer": "/some/where/log", "CgroupPermissions": "r"}
    line = "head -c 0 /some/where/log && echo read; echo x >/some/where/log && echo written; chmod 0 /some/where/log"
    mode = Path("/dev/kmsg").stat().st_mode
    text = run(filtering_host, ["sh", "-c", line], Devices=[mapping], CapAdd=["SYSLOG"])
    assert "read" in text
    assert "written" not in text
    assert Path("/dev/kmsg").stat().st_mode == mode


def test_a_running_container_keeps_its_filter_when_the_engine_restarts(
    filtering_host: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine = KillableEngine(tmp_path_factory.mktemp("e"), NAMESPACES)
    engine.start()
    try:
        body = {"Image": "busybox", "Cmd": ["sleep", "100"], "HostConfig": {"CapAdd": ["SYSLOG"]}}
        container = ask(engine.host, "POST", "/containers/create", body)[1]["Id"]
        assert ask(engine.host, "POST", f"/containers/{container}/start")[0] == 204
        engine.kill()
        engine.start()
        config = {"Cmd": ["sh", "-c", "mknod /kmsg c 1 11; head -c 0 /kmsg"], "Tty": True, "AttachStdout": True}
        job = ask(engine.host, "POST", f"/containers/{container}/exec", config)[1]["Id"]
        headers = {"Content-Type": "application/json"}
        text = send_raw(engine.host, "POST", f"/exec/{job}/start", b'{"Tty":true}', headers)[1].decode()
        assert "/kmsg: Operation not permitted" in text
    finally:
        engine.reset()


# -- machines that lack something, or that are different -----------------------------------------------------


def without_capability(name: str) -> Callable[[], None]:
    """Return what a new process has to do to be without a capability."""
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_CAPBSET_DROP, NUMBERS[name], 0, 0, 0)


def see_control_groups_of_version_2() -> None:
    """Mount them where they are on most machines, in a mount namespace of this process."""
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("none", "/sys/fs/cgroup", "cgroup2")


@contextlib.contextmanager
def engine_in(base: Path, prepare: Callable[[], None]) -> Iterator[str]:
    """Give the address of an engine whose process has called `prepare` first."""
    command = [sys.executable, "-m", "dockerlab.engine", "--host", f"unix://{base}/e.sock", "--state", f"{base}/state"]
    subprocess.run([*command, "start"], check=True, timeout=60, preexec_fn=prepare)
    try:
        yield f"unix://{base}/e.sock"
    finally:
        subprocess.run([*command, "reset"], check=True, timeout=60, preexec_fn=prepare)


@AS_ROOT
@pytest.mark.parametrize(
    "name", ["SETUID", "SETGID", "CHOWN", "FOWNER", "DAC_OVERRIDE", "KILL", "SETPCAP", "SYS_ADMIN"]
)
def test_root_without_a_capability_that_a_start_needs_has_another_rung(name: str) -> None:
    command = [sys.executable, "-m", "dockerlab.engine", "rungs"]
    prepare = without_capability(name)
    output = subprocess.run(command, capture_output=True, check=True, timeout=60, preexec_fn=prepare).stdout
    names = [rung["name"] for rung in json.loads(output)]
    assert NAMESPACES not in names
    assert names[-1] == "plain"


@AS_ROOT
def test_without_a_device_filter_no_device_node_works_and_info_says_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with engine_in(tmp_path_factory.mktemp("e"), without_capability("MKNOD")) as host:
        info = ask(host, "GET", "/info")[1]
        assert dict(info["DriverStatus"])["Isolation"] == NAMESPACES
        assert "Device nodes do not work in containers" in info["Warnings"][1]
        line = (
            "mknod /kmsg c 1 11; grep CapBnd /proc/self/status; grep -E ' (/|/dev|/t) ' /proc/mounts; echo x >/dev/null"
        )
        text = run(host, ["sh", "-c", line], Tmpfs={"/t": "dev"})
        assert "mknod: /kmsg: Operation not permitted" in text
        assert "00000000a00425fb" in text
        assert [",nodev" in mount for mount in text.splitlines()[-3:]] == [True] * 3
        mapping = {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/mine", "CgroupPermissions": "rwm"}
        assert run(host, ["sh", "-c", "head -c 4 /dev/mine | wc -c; chmod 0 /dev/mine"], Devices=[mapping]) == (
            "4\nchmod: /dev/mine: Read-only file system\n"
        )


@AS_ROOT
def test_control_groups_of_version_2_filter_devices(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with engine_in(tmp_path_factory.mktemp("e"), see_control_groups_of_version_2) as host:
        assert ask(host, "GET", "/info")[1]["CgroupVersion"] == "2"
        assert answers(host, programs) == ANSWERS
        line = "mknod /kmsg c 1 11; head -c 0 /kmsg && echo read; : >/kmsg && echo written"
        text = run(host, ["sh", "-c", line], DeviceCgroupRules=["c 1:11 r"], CapAdd=["SYSLOG"])
        assert "read" in text
        assert "written" not in text
