"""The start of a container or an exec gives nothing away: no descriptor, no capability, no program of the machine."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archives import link, tar_of
from engines import temporary_engine
from plain_http import HijackedConnection, ask, container_output, json_lines, send_raw

from dockerlab.engine.processes.isolation import probe
from dockerlab.engine.processes.sealed_program import SEALS

RUNGS = [rung.name for rung in probe() if "namespaces" in rung.gives]
PREFIX = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
)
INIT = f"{PREFIX}unable to start container process: error during container init: "
#: Docker's default capabilities, all that the kernel has, and those of this process.
DEFAULT, ALL = 0xA80425FB, (1 << int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1) - 1
OWN = int(Path("/proc/self/status").read_text().partition("CapBnd:")[2].split()[0], 16)


@pytest.fixture(scope="module", params=RUNGS)
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give an engine on each rung with namespaces that works here."""
    with temporary_engine(request.param) as address:
        yield address


def create(host: str, command: list[str], config: dict[str, Any] | None = None, **settings: Any) -> str:
    body = {"Image": "busybox", "Cmd": command, **(config or {}), "HostConfig": settings}
    status, container = ask(host, "POST", "/containers/create", body)
    assert status == 201, container
    return f"/containers/{container['Id']}"


def run(host: str, command: str, config: dict[str, Any] | None = None, **settings: Any) -> str:
    """Run a shell command in a container, and return its output."""
    path = create(host, ["sh", "-c", command], config, **settings)
    status, response = ask(host, "POST", f"{path}/start")
    assert status == 204, response
    ask(host, "POST", f"{path}/wait")
    output = container_output(host, path.rpartition("/")[2])
    ask(host, "DELETE", path)
    return output


def start_refusal(host: str, config: dict[str, Any] | None = None, **settings: Any) -> tuple[int, str, int]:
    """Return status and message of a start that is refused, and the exit code of the container."""
    path = create(host, ["true"], config, **settings)
    status, response = ask(host, "POST", f"{path}/start")
    code = ask(host, "GET", f"{path}/json")[1]["State"]["ExitCode"]
    ask(host, "DELETE", path)
    return status, response["message"], code


@pytest.fixture
def running(host: str) -> Iterator[Any]:
    """Give a function that starts a container, and returns one that runs a command in it."""
    paths = []

    def start(**settings: Any) -> Any:
        paths.append(path := create(host, ["sleep", "100"], settings.pop("config", None), **settings))
        assert ask(host, "POST", f"{path}/start")[0] == 204

        def execute(command: list[str], **arguments: Any) -> str:
            body = {"Cmd": command, "AttachStdout": True, "AttachStderr": True, **arguments}
            job = ask(host, "POST", f"{path}/exec", body)[1]["Id"]
            with HijackedConnection(host, f"/exec/{job}/start", {"Tty": True}) as connection:
                return str(connection.read_all().decode())

        return execute

    yield start
    for path in paths:
        ask(host, "DELETE", f"{path}?force=1&v=1")


# -- descriptors and the working directory -------------------------------------------------------------------


def test_no_working_directory_leads_out_of_a_container(host: str, running: Any) -> None:
    execute = running()
    top = execute(["ls", "/"])
    for number in range(20):
        # a link of the kernel is read like any other, so that it leads to a path in the container, if anywhere
        output = execute(["sh", "-c", "cd ../../../../../../../..; ls"], WorkingDir=f"/proc/self/fd/{number}")
        assert output == top or f'chdir to cwd ("/proc/self/fd/{number}") set in config.json failed' in output
    # the process that changes the directory is not in the container's namespace of processes yet
    assert "failed: no such file or directory" in execute(["pwd"], WorkingDir="/proc/self/cwd")
    assert execute(["pwd"], WorkingDir="/proc/1/root/etc").endswith("/etc\n")
    _, message, code = start_refusal(host, {"WorkingDir": "/proc/self/fd/0"})
    assert message.startswith(f"{INIT}mkdir /proc/self/fd/0: "), message
    assert code == 127
    for number in (3, 4, 5):
        config = {"WorkingDir": f"/proc/self/fd/{number}"}
        path = create(host, ["sh", "-c", "cd ../../../../../../../..; ls"], config)
        ask(host, "POST", f"{path}/start")
        ask(host, "POST", f"{path}/wait")
        assert container_output(host, path.rpartition("/")[2]) in ("", top.replace("\r", ""))
        ask(host, "DELETE", path)


def test_a_program_has_three_descriptors(host: str, running: Any) -> None:
    assert run(host, "ls /proc/self/fd").split() == ["0", "1", "2", "3"]  # the last is that of ls
    assert run(host, "ls /proc/1/fd; readlink /proc/1/exe || cat /proc/1/environ 2>&1", Init=True) == (
        "0\n1\n2\ncat: can't open '/proc/1/environ': Permission denied\n"
    )
    assert running()(["ls", "/proc/self/fd"]).split() == ["0", "1", "2", "3"]


def test_the_working_directory_is_created_inside(host: str, tmp_path: Path) -> None:
    volumes = {"Binds": ["work:/volume"]}
    run(host, f"ln -s {tmp_path} /volume/link; ln -s ../../../../../../../..{tmp_path} /volume/up", **volumes)
    for name in ("link", "up"):
        output = run(host, "pwd; touch here", {"WorkingDir": f"/volume/{name}/{name}"}, **volumes)
        assert output == f"{tmp_path}/{name}\n"
    assert [*tmp_path.iterdir()] == []


# -- the interpreter -----------------------------------------------------------------------------------------


def test_the_interpreter_of_the_machine_is_not_reachable(host: str) -> None:
    before = Path(sys.executable).stat()
    path = create(host, ["/proc/self/exe", "-c", "import os; os.chmod('/proc/self/exe', 0o777)"])
    assert ask(host, "POST", f"{path}/start")[0] in (204, 400)
    ask(host, "POST", f"{path}/wait")
    ask(host, "DELETE", path)
    for settings in ({}, {"CapAdd": ["SYS_PTRACE"]}):
        run(host, "chmod 777 /proc/1/exe; echo x >>/proc/1/exe; cat /proc/1/exe | head -c 4", Init=True, **settings)
    after = Path(sys.executable).stat()
    assert (before.st_mode, before.st_mtime_ns, before.st_size) == (after.st_mode, after.st_mtime_ns, after.st_size)


def test_init_is_a_sealed_program_with_no_more_rights_than_the_container(host: str, running: Any) -> None:
    execute = running(Init=True, CapDrop=["CHOWN"], config={"User": "33:34"})
    status = execute(["cat", "/proc/1/status"], User="0")
    lines = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert [int(lines[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [0, 0, 0, DEFAULT - 1, 0]
    assert (lines["Uid"], lines["Name"]) == ("33\t33\t33\t33", "docker-init")
    container = ask(host, "GET", "/containers/json")[1][0]["Id"]
    processes = ask(host, "GET", f"/containers/{container}/top?ps_args=-o+pid,args")[1]["Processes"]
    assert [command for _, command in processes] == ["/sbin/docker-init -- sleep 100", "sleep 100"]
    program = Path(f"/proc/{processes[0][0]}/exe")
    assert str(program.readlink()) == "/memfd:python (deleted)"
    with program.open("rb") as file:
        assert fcntl.fcntl(file, fcntl.F_GET_SEALS) == SEALS


# -- capabilities and no-new-privileges ----------------------------------------------------------------------

STATUS = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status"


def rights(text: str) -> list[int]:
    """Return the sets inheritable, permitted, effective, bounding, ambient, and whether there are no new privileges."""
    return [int(line.split()[1], 16) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("settings", "user", "expected"),
    [
        ({}, "", [0, DEFAULT, DEFAULT, DEFAULT, 0, 0]),
        ({}, "33", [0, 0, 0, DEFAULT, 0, 0]),
        ({"CapDrop": ["ALL"]}, "", [0, 0, 0, 0, 0, 0]),
        ({"Privileged": True}, "", [0, ALL, ALL, ALL, 0, 0]),
        ({"Privileged": True}, "33", [0, 0, 0, ALL, 0, 0]),
        ({"SecurityOpt": ["no-new-privileges"]}, "", [0, DEFAULT, DEFAULT, DEFAULT, 0, 1]),
        ({"SecurityOpt": ["no-new-privileges=true"]}, "33", [0, 0, 0, DEFAULT, 0, 1]),
        ({"SecurityOpt": ["no-new-privileges:false"]}, "", [0, DEFAULT, DEFAULT, DEFAULT, 0, 0]),
    ],
)
def test_capability_sets_are_dockers(
    host: str, running: Any, settings: dict[str, Any], user: str, expected: list[int]
) -> None:
    # in a user namespace of its own, root has all capabilities
    most = OWN if dict(ask(host, "GET", "/info")[1]["DriverStatus"])["Isolation"] == "namespaces" else ALL
    expected = [number & most for number in expected]
    assert rights(run(host, STATUS, {"User": user}, **settings)) == expected
    assert rights(run(host, STATUS, {"User": user}, Init=True, **settings)) == expected
    execute = running(**settings)
    assert rights(execute(["sh", "-c", STATUS], User=user)) == expected
    everything = [0, *([0 if user else most] * 2), most, 0, expected[-1]]
    assert rights(execute(["sh", "-c", STATUS], User=user, Privileged=True)) == everything


# -- mounts --------------------------------------------------------------------------------------------------


def test_nothing_is_mounted_inside_proc(host: str, tmp_path: Path) -> None:
    for source, target, end, expected in (
        (f"{tmp_path}", "/proc", "not of type proc", (500, 128)),
        (f"{tmp_path}", "/proc/sys", "inside /proc", (500, 128)),
        (f"{tmp_path}", "/proc/self/cwd/proc/fs", "inside /proc", (500, 128)),
        (f"{tmp_path}", "/proc/new", "no such file or directory", (400, 127)),
    ):
        status, message, code = start_refusal(host, Binds=[f"{source}:{target}"])
        assert message.startswith(f'{INIT}error mounting "{source}" to rootfs at "{target}": create mountpoint for ')
        assert message.endswith(end), message
        assert (status, code) == expected
    (tmp_path / "cpuinfo").write_text("one")
    assert run(host, "cat /proc/cpuinfo", Binds=[f"{tmp_path}/cpuinfo:/proc/cpuinfo:ro"]) == "one"


def test_a_link_of_a_volume_does_not_lead_a_mount_elsewhere(host: str, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("mounted")
    (tmp_path / "outside").mkdir()
    run(host, f"ln -s {tmp_path}/outside /v/out; ln -s /proc/sys /v/proc; ln -s /etc /v/etc", Binds=["links:/v"])
    mount = {"Type": "bind", "Source": f"{tmp_path}/source"}
    for name in ("out", "out/new"):
        mounts = [{"Type": "volume", "Source": "links", "Target": "/v"}, {**mount, "Target": f"/v/{name}"}]
        assert run(host, f"cat /v/{name}/file {tmp_path}/{name.replace('out', 'outside', 1)}/file", Mounts=mounts) == (
            "mountedmounted"
        )
        assert [*(tmp_path / "outside").iterdir()] == []
    mounts = [{"Type": "volume", "Source": "links", "Target": "/v"}, {**mount, "Target": "/v/proc/kernel"}]
    assert "cannot be mounted because it is inside /proc" in start_refusal(host, Mounts=mounts)[1]


def test_files_are_masked_with_the_null_device_and_directories_are_empty(host: str) -> None:
    masked = ["/proc/uptime", "/sys/kernel", "/etc/passwd", "no/such"]
    assert run(host, "stat -c '%F %t:%T' /proc/uptime /etc/passwd; ls -A /sys/kernel", MaskedPaths=masked) == (
        "character special file 1:3\n" * 2
    )
    mode = Path("/dev/null").stat().st_mode
    assert "Read-only file system" in run(host, "echo x >/proc/uptime; chmod 0 /proc/uptime 2>&1", MaskedPaths=masked)
    assert Path("/dev/null").stat().st_mode == mode
    assert "Read-only" in run(host, "echo 1 >/proc/sys/kernel/panic")


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
def test_an_image_that_has_a_link_there_gets_a_directory(host: str, name: str, tmp_path: Path) -> None:
    members = tar_of(link(name, f"{tmp_path}"), link("etc", f"{tmp_path}"))
    _, data, _ = send_raw(host, "POST", f"/images/create?fromSrc=-&repo=link-{name}", members)
    assert json_lines(data)[-1]["status"].startswith("sha256:")
    path = create(host, ["/x"], {"Image": f"link-{name}"})
    status, response = ask(host, "POST", f"{path}/start")
    assert (status, response["message"]) == (400, f'{INIT}exec: "/x": stat /x: no such file or directory')
    ask(host, "DELETE", path)
    assert [*tmp_path.iterdir()] == []


# -- kernel settings -----------------------------------------------------------------------------------------


def test_kernel_settings_of_the_machine_are_refused(host: str) -> None:
    assert start_refusal(host, Sysctls={"kernel.core_pattern": "|/x"}) == (
        500, f'{PREFIX}sysctl "kernel.core_pattern" is not in a separate kernel namespace', 128
    )  # fmt: skip
    assert start_refusal(host, Sysctls={"net.ipv4.ip_forward": "1"}, NetworkMode="host") == (
        500, f'{PREFIX}sysctl "net.ipv4.ip_forward" not allowed in host network namespace', 128
    )  # fmt: skip
    assert start_refusal(host, Sysctls={"net.ipv4.no_such": "1"}) == (
        400, f"{INIT}open sysctl net.ipv4.no_such file: no such file or directory", 127
    )  # fmt: skip
    assert start_refusal(host, Sysctls={"net.ipv4.ip_forward": "x"}) == (
        500, f'{INIT}failed to write sysctl net.ipv4.ip_forward = "x": invalid argument', 128
    )  # fmt: skip
    settings = {"net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/forwarding": "1"}
    assert run(host, "cd /proc/sys/net/ipv4; cat ip_forward conf/lo/forwarding", Sysctls=settings) == "1\n1\n"


# -- terminals -----------------------------------------------------------------------------------------------


def test_a_terminal_is_the_containers_own_whatever_is_in_dev(host: str, running: Any, tmp_path: Path) -> None:
    path = create(host, ["sh", "-c", "tty; stat -c %F /dev/console; readlink /proc/self/fd/0"], {"Tty": True})
    assert ask(host, "POST", f"{path}/start")[0] == 204
    ask(host, "POST", f"{path}/wait")
    assert send_raw(host, "GET", f"{path}/logs?stdout=1")[1] == (
        b"/dev/pts/0\r\ncharacter special file\r\n/dev/pts/0\r\n"
    )
    ask(host, "DELETE", path)
    execute = running(Privileged=True)
    execute(["sh", "-c", "umount /dev/pts; ln -s /etc/passwd /dev/pts/ptmx; touch /dev/pts/0"])
    assert "/dev/pts/ptmx does not open terminals" in execute(["tty"], Tty=True)
