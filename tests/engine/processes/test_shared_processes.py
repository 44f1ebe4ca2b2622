"""`PidMode: container:…`: one container sees the processes of another, but keeps a file tree of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engines import temporary_engine
from plain_http import HijackedConnection, ask, container_output, send_raw

from dockerlab.engine.processes.isolation import probe

RUNGS = [rung.name for rung in probe() if "namespaces" in rung.gives]
#: What a program sees of the masked and the read-only paths, of the mount of /proc, and of what is mounted over it.
LOOK = """exec 2>&1; cat /proc/keys | wc -c; echo x >/proc/sys/vm/swappiness
grep ' /proc ' /proc/self/mounts | cut -d' ' -f3,4; ls /proc/sys/kernel | grep -c hostname; test -d /proc/1 && echo 1"""
REMOUNT = "mount -o bind,remount,exec,suid,dev /proc; mount -t tmpfs none /proc/sys"
Create = Callable[..., str]


@pytest.fixture(scope="module", params=RUNGS)
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give an engine on each rung with namespaces that works here."""
    with temporary_engine(request.param) as address:
        yield address


@pytest.fixture
def create(host: str) -> Iterator[Create]:
    """Give a function that creates a container for a shell script, and returns its id."""
    created: list[str] = []

    def create_container(script: str, config: dict[str, Any] | None = None, **settings: Any) -> str:
        body = {"Image": "busybox", "Cmd": ["sh", "-c", script], **(config or {}), "HostConfig": settings}
        status, container = ask(host, "POST", "/containers/create", body)
        assert status == 201, container
        created.append(container["Id"])
        return str(container["Id"])

    yield create_container
    for container in reversed(created):
        ask(host, "DELETE", f"/containers/{container}?force=1&v=1")


def start(host: str, container: str) -> None:
    status, response = ask(host, "POST", f"/containers/{container}/start")
    assert status == 204, response


def output(host: str, container: str) -> str:
    """Run a container to its end, and return its output."""
    start(host, container)
    ask(host, "POST", f"/containers/{container}/wait")
    return container_output(host, container)


def wait_until_ready(host: str, container: str) -> None:
    """Wait until a container has created /ready."""
    while ask(host, "HEAD", f"/containers/{container}/archive?path=/ready")[0] != 200:
        assert ask(host, "GET", f"/containers/{container}/json")[1]["State"]["Running"]


def terminal_output(host: str, container: str) -> str:
    return send_raw(host, "GET", f"/containers/{container}/logs?stdout=1")[1].decode()


def execute(host: str, container: str, command: str) -> str:
    body = {"Cmd": ["sh", "-c", command], "AttachStdout": True, "AttachStderr": True}
    job = ask(host, "POST", f"/containers/{container}/exec", body)[1]["Id"]
    with HijackedConnection(host, f"/exec/{job}/start", {"Tty": True}) as connection:
        return str(connection.read_all().decode())


@pytest.fixture
def first(host: str, create: Create) -> str:
    """Start a container with processes of its own, of which the second has a name of its own."""
    container = create("ln -s /bin/busybox /tmp/sleep; echo mine >/mine; /tmp/sleep 1234 & exec sleep 1235")
    start(host, container)
    return container


def test_a_container_sees_and_ends_the_processes_of_another(host: str, create: Create, first: str) -> None:
    share = {"PidMode": f"container:{first}"}
    text = output(host, create("ps -o args; cat /mine; cat /proc/1/root/mine; kill $(pidof sleep)", **share))
    lines = text.splitlines()
    assert "sleep 1235" in lines
    assert "/tmp/sleep 1234" in lines
    assert "cat: can't open '/mine': No such file or directory" in lines  # the tree is its own
    assert "mine" in lines  # but root may look into the other's, as in Docker
    assert "/tmp/sleep 1234" not in execute(host, first, "ps -o args")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "0 "),
        ({"Tty": True}, "0 /dev/pts/0"),
        ({"User": "33:33"}, "33 "),
        ({"User": "33:33", "Tty": True, "HostConfig": {"Init": True}}, "33 /dev/pts/0"),
        ({"HostConfig": {"ReadonlyRootfs": True, "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"]}}, "0 "),
    ],
)
def test_all_settings_work(host: str, create: Create, first: str, config: dict[str, Any], expected: str) -> None:
    script = 'echo "$(id -u) $(tty | grep -v not)"; test -e /proc/$$/status && kill -0 $$ && echo sees itself'
    share = {**config.get("HostConfig", {}), "PidMode": f"container:{first}"}
    container = create(f"{script}; exec sleep 100", config, **share)
    start(host, container)
    assert "sleep 1235" in execute(host, container, "ps -o args")
    text = terminal_output(host, container) if config.get("Tty") else container_output(host, container)
    assert text.splitlines() == [expected, "sees itself"]
    titles, rows = (ask(host, "GET", f"/containers/{container}/top")[1][key] for key in ("Titles", "Processes"))
    assert any("sleep 100" in row[titles.index("CMD")] for row in rows)


def test_a_third_container_joins_the_second(host: str, create: Create, first: str) -> None:
    second = create("exec sleep 1236", PidMode=f"container:{first}")
    start(host, second)
    lines = output(host, create("ps -o args", PidMode=f"container:{second}")).splitlines()
    assert {"sleep 1235", "sleep 1236"} <= {*lines}


def test_a_container_ends_with_the_processes_that_it_shares(host: str, create: Create, first: str) -> None:
    second = create("exec sleep 1236", PidMode=f"container:{first}")
    start(host, second)
    ask(host, "POST", f"/containers/{first}/kill")
    assert ask(host, "POST", f"/containers/{second}/wait")[1]["StatusCode"] == 137
    status, response = ask(host, "POST", f"/containers/{second}/start")
    assert (status, response["message"]) == (400, f"cannot join pid of a non running container: {first}")


@pytest.mark.parametrize("settings", [{}, {"Privileged": True}])
def test_its_own_paths_are_protected(host: str, create: Create, settings: dict[str, Any]) -> None:
    """Whatever the other container has done to its /proc."""
    container = create(f"{REMOUNT if settings else 'true'}; touch /ready; exec sleep 1235", **settings)
    start(host, container)
    wait_until_ready(host, container)
    is_open = "proc rw,relatime" in execute(host, container, "grep proc /proc/self/mounts | cut -d' ' -f3,4")
    assert is_open == bool(settings)
    assert output(host, create(LOOK, PidMode=f"container:{container}")).splitlines() == [
        "0",
        "sh: can't create /proc/sys/vm/swappiness: Read-only file system",
        "proc rw,nosuid,nodev,noexec,relatime",
        "1",
        "1",
    ]


@pytest.mark.parametrize("change", ["umount -l /proc", "mount -t tmpfs none /proc"])
def test_without_the_others_proc_it_is_refused(host: str, create: Create, change: str) -> None:
    container = create(f"{change}; touch /ready; exec sleep 1235", Privileged=True)
    start(host, container)
    wait_until_ready(host, container)
    status, response = ask(host, "POST", f"/containers/{create('true', PidMode=f'container:{container}')}/start")
    assert status == 500
    assert "cannot join the processes of a container: its /proc is covered or unmounted" in response["message"]
