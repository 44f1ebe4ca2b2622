"""An engine behind a real sshd: it works like a socket, errors say what to do, and no process remains."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from containers import count_input, write_to_deaf_container
from processes import children, close_while_reading, command_line, open_files, program, run_in_threads, wait_until
from sshd import Sshd, script

import dockerlab
from dockerlab.endpoint import ssh
from dockerlab.errors import ConnectionFailed, EngineTimeout, EngineUnreachable, StreamBroken


def error_of(url: str, timeout: float = 10, error_class: type[ConnectionFailed] = EngineUnreachable) -> str:
    before, files = children(), open_files()
    with pytest.raises(error_class) as error:
        dockerlab.connect(url, timeout=timeout)
    assert children() <= before
    gc.collect()
    assert open_files() <= files
    return str(error.value)


# -- connections that work


def test_everything_works_over_ssh(sshd: Sshd, labels: dict[str, str], practice_host: str) -> None:
    before, files = children(), open_files()
    with dockerlab.connect(sshd.url) as lab:
        assert lab.system.ping() is not None
        name = labels["dockerlab.test"]
        lab.container.create("busybox", name=name, cmd=["sh", "-c", "seq 20000"], labels=labels)
        lab.container.start(name)
        lab.container.wait(name)
        assert len(lab.container.logs(name)) == 20000
        assert len(children() - before) == 1, "one process, whose connection is reused"
        assert eval(lab.last.requests, {"lab": lab}).status_code == 200
    assert children() <= before
    gc.collect()
    assert open_files() <= files


def test_a_socket_path_on_the_remote_machine(sshd: Sshd, practice_host: str, tmp_path: Path) -> None:
    sshd.docker("unix:///no/such.sock")
    with dockerlab.connect(f"{sshd.url}{practice_host.removeprefix('unix://')}") as lab:
        assert lab.system.ping() is not None
    spaced = tmp_path / "a b'c.sock"
    spaced.symlink_to(practice_host.removeprefix("unix://"))
    with dockerlab.connect(f"{sshd.url}{tmp_path}/a%20b'c.sock") as lab:
        assert lab.call("SystemPing").text == "OK"


def test_the_docker_command_on_the_remote_machine(sshd: Sshd, practice_host: str) -> None:
    docker = program("docker")
    script(sshd.far / "docker", f'#!/bin/sh\nDOCKER_HOST={practice_host} exec {docker} "$@"\n')
    with dockerlab.connect(sshd.url) as lab:
        assert len(lab.image.list()) >= 1
    script(sshd.far / "docker", f'#!/bin/sh\nDOCKER_HOST=unix:///no/such.sock exec {docker} "$@"\n')
    assert "no engine answers on that machine" in error_of(sshd.url)
    assert "Start it there, for Docker: sudo systemctl start docker." in error_of(sshd.url)


def test_the_local_docker_command_accepts_the_same_address(sshd: Sshd) -> None:
    command = [program("docker"), "--host", sshd.url, "version", "--format", "{{.Server.Version}}"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
    with dockerlab.connect(sshd.url) as lab:
        assert lab.call("SystemVersion").json()["Version"] == process.stdout.strip()


def test_the_shown_lines_run(sshd: Sshd, practice_host: str) -> None:
    for name in ("curl", "docker"):
        program(name)
    (sshd.far / "curl").unlink(missing_ok=True)
    (sshd.far / "curl").symlink_to(str(shutil.which("curl")))
    lines = []
    with dockerlab.connect(f"{sshd.url}{practice_host.removeprefix('unix://')}") as lab:
        lab.image.list()
        assert lab.last.curl.startswith(f"ssh -p {sshd.port} -- 127.0.0.1 'curl ")
        lines.append(lab.last.curl)
    with dockerlab.connect(sshd.url) as lab:
        lab.image.list()
        lines.append(lab.last.cli)  # not the address with a path, which only newer docker commands accept
    for line in lines:
        process = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert process.returncode == 0, process.stderr
        assert "busybox" in process.stdout


def test_streams_and_many_threads(sshd: Sshd) -> None:
    with dockerlab.connect(sshd.url) as lab:

        def send_pings() -> None:
            for _ in range(5):
                assert lab.call("SystemPing").text == "OK"

        run_in_threads(send_pings, threads=6)
        _, seconds = close_while_reading(lab.open("SystemEvents"))
        assert seconds < 2


def test_a_new_connection(sshd: Sshd) -> None:
    before = children()
    with dockerlab.connect(sshd.url) as lab:
        pooled = len(children() - before)
        connection = lab._transport.new_connection(5)
        connection.request("GET", "/_ping", headers={"Host": "localhost"})
        assert connection.getresponse().status == 200
        assert len(children() - before) == pooled + 1
        connection.close()
        wait_until(lambda: len(children() - before) == pooled)


def test_a_hijacked_connection_can_be_half_closed(sshd: Sshd, labels: dict[str, str]) -> None:
    with dockerlab.connect(sshd.url) as lab:
        assert count_input(lab, labels, 300_000) == 300_000


def test_a_write_to_a_program_that_does_not_read_ends_in_time(sshd: Sshd, labels: dict[str, str]) -> None:
    with dockerlab.connect(sshd.url) as lab:
        assert write_to_deaf_container(lab, labels) == b"here\nbye\n"


# -- connections that fail


def test_an_unknown_host_key(sshd: Sshd) -> None:
    sshd.trust("")
    message = error_of(sshd.url)
    assert message == (
        "ssh to 127.0.0.1: its host key is not known yet. Compare it, and accept it once: "
        f"ssh -p {sshd.port} -- 127.0.0.1 true."
    )


def test_a_changed_host_key(sshd: Sshd) -> None:
    sshd.trust("other")
    message = error_of(sshd.url)
    assert "another key than before, which may be an attack" in message
    assert f"ssh-keygen -R '[127.0.0.1]:{sshd.port}'" in message


def test_a_password_prompt_does_not_hang(sshd: Sshd) -> None:
    authorized_keys = sshd.base / "accepted"
    authorized_keys.write_bytes((sshd.base / "other.pub").read_bytes())
    try:
        clock = time.monotonic()
        message = error_of(sshd.url)
    finally:
        authorized_keys.write_bytes((sshd.base / "key.pub").read_bytes())
    assert time.monotonic() - clock < 8
    assert "asks for a password, or for a key that ssh doesn't have. Install your key there (ssh-copy-id)" in message


def test_no_docker_on_the_remote_machine(sshd: Sshd) -> None:
    (sshd.far / "docker").unlink()
    assert "there is no docker command on that machine. Install it there" in error_of(sshd.url)


def test_a_docker_that_is_too_old(sshd: Sshd) -> None:
    script(
        sshd.far / "docker", "#!/bin/sh\necho \"docker: 'system dial-stdio' is not a docker command.\" >&2\nexit 1\n"
    )
    assert "its docker command has no dial-stdio. Update Docker there" in error_of(sshd.url)


def test_no_permission_for_the_remote_socket(sshd: Sshd) -> None:
    words = "failed to open the raw stream connection: dial unix /var/run/docker.sock: connect: permission denied"
    script(sshd.far / "docker", f'#!/bin/sh\necho "{words}" >&2\nexit 1\n')
    assert "sudo usermod -aG docker USER, then connect again." in error_of(sshd.url)


def test_no_listener_and_an_unknown_name(sshd: Sshd) -> None:
    assert "it can't be reached" in error_of("ssh://127.0.0.1:1")
    assert "Check host and port, and that sshd runs there." in error_of("ssh://127.0.0.1:1")
    assert "the name is not known" in error_of("ssh://no-such-host.invalid")


def test_output_before_the_response(sshd: Sshd, practice_host: str) -> None:
    script(sshd.far / "docker", "#!/bin/sh\necho Welcome to this machine\nexec /bin/sleep 30\n")
    message = error_of(sshd.url)
    assert "is not an engine's response: 'Welcome to this machine" in message
    assert message.endswith(f"This must print nothing: ssh -p {sshd.port} -- 127.0.0.1 true.")


def test_malformed_data_from_the_remote_machine(bin_folder: Path) -> None:
    script(bin_folder / "ssh", "#!/bin/sh\nhead -c 200000 /dev/urandom\nsleep 30\n")
    assert "not an engine's response" in error_of("ssh://somewhere")


def test_ssh_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert error_of("ssh://somewhere") == (
        "ssh:// needs the program ssh, which is not in PATH. Install it: sudo apt-get install openssh-client."
    )


def test_an_ssh_that_hangs_is_stopped_with_its_children(bin_folder: Path) -> None:
    command = f"sleep 9{os.getpid()}"
    script(bin_folder / "ssh", f"#!/bin/sh\ntrap '' TERM\n{command} &\nwait\nwait\n")
    clock = time.monotonic()
    message = error_of("ssh://somewhere", 0.5, EngineTimeout)
    assert message.startswith("The engine did not answer within 0.5 s.")
    assert message.endswith("check in a terminal whether ssh works: ssh -- somewhere true.")
    assert time.monotonic() - clock < 6
    remaining = [pid for pid in Path("/proc").glob("[0-9]*") if command_of(pid).startswith(command)]
    assert remaining == []


def command_of(process: Path) -> str:
    try:
        return command_line(int(process.name))
    except OSError:
        return ""


def test_an_ssh_with_endless_error_messages(bin_folder: Path) -> None:
    script(
        bin_folder / "ssh", "#!/bin/sh\nhead -c 150000 /dev/zero | tr '\\0' x >&2\necho >&2; echo the end >&2\nexit 3\n"
    )
    assert error_of("ssh://somewhere") == (
        'ssh to somewhere ended with code 3 with the message "the end". Try it by hand: ssh -- somewhere true.'
    )


def test_ssh_is_killed_within_a_response(sshd: Sshd, tmp_path: Path) -> None:
    head = "HTTP/1.1 200 OK\\r\\nApi-Version: 1.41\\r\\nContent-Length: 9\\r\\n\\r\\nabc"
    before, marker = children(), tmp_path / "sent"
    script(sshd.far / "docker", f"#!/bin/sh\nprintf '{head}'\n: >{marker}\nexec /bin/sleep 30\n")

    def kill() -> None:
        wait_until(marker.exists, 30)
        time.sleep(0.3)  # until the bytes have arrived
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    message = error_of(sshd.url, 40, StreamBroken)
    killer.join()
    assert message.startswith("The ssh connection ended before the response was complete.")


def test_the_next_call_connects_again_after_ssh_was_killed(sshd: Sshd) -> None:
    before = children()
    with dockerlab.connect(sshd.url) as lab:
        [pid] = children() - before
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        assert lab.call("SystemPing").text == "OK"
        assert len(children() - before) == 1
        assert pid not in children()


def test_a_lab_without_references_ends_its_ssh(sshd: Sshd) -> None:
    before = children()
    lab: Any = dockerlab.connect(sshd.url)
    assert len(children() - before) == 1
    del lab
    gc.collect()
    wait_until(lambda: children() <= before)
    assert children() <= before


def test_an_unread_response_ends_its_ssh(sshd: Sshd, labels: dict[str, str]) -> None:
    before = children()
    with dockerlab.connect(sshd.url) as lab:
        name = labels["dockerlab.test"]
        lab.container.create("busybox", name=name, labels=labels)
        for _ in range(3):
            with lab.open("ContainerExport", id=name) as body:
                next(body.chunks())
        assert len(children() - before) <= 1
        wait_until(lambda: len(children() - before) <= 1)
    assert children() <= before


# -- the command


def test_the_ssh_command_is_that_of_docker() -> None:
    assert ssh.command(ssh.parse("me@h:99/a b"), 2.5) == [
        "ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3", "-l", "me", "-p", "99", "--", "h",
        "docker", "--host", "'unix:///a b'", "system", "dial-stdio",
    ]  # fmt: skip
    assert ssh.command(ssh.parse("[fe80::1%eth0]"), 60)[6:8] == ["--", "fe80::1%eth0"]
