"""Exec and attach as bytes: frames, terminals, input, half-close, exit codes, refusals."""

from __future__ import annotations

import base64
import contextlib
import os
import threading
import time
from typing import Any

import pytest
from plain_http import HijackedConnection, ask, container_output, split_frames, websocket_messages
from processes import wait_until


@pytest.fixture
def make(practice_host: str, labels: dict[str, str]) -> Any:
    """Give a function that creates a container and, unless start is False, starts it."""

    def make_container(command: list[str], start: bool = True, **config: Any) -> str:
        body = {"Image": "busybox", "Cmd": command, "Labels": labels, **config}
        status, container = ask(practice_host, "POST", "/containers/create", body)
        assert status == 201, container
        if start:
            assert ask(practice_host, "POST", f"/containers/{container['Id']}/start")[0] == 204
        return str(container["Id"])

    return make_container


@pytest.fixture
def box(make: Any) -> str:
    """Give a running container."""
    return str(make(["sh", "-c", "while :; do sleep 0.1; done"]))


def create_exec(host: str, container: str, command: list[str], **more: Any) -> str:
    body = {"Cmd": command, "AttachStdout": True, "AttachStderr": True, **more}
    status, job = ask(host, "POST", f"/containers/{container}/exec", body)
    assert status == 201, job
    return str(job["Id"])


def test_an_exec_has_both_streams_and_an_exit_code(practice_host: str, box: str) -> None:
    job = create_exec(practice_host, box, ["sh", "-c", "echo out; echo err >&2; exit 9"])
    before = ask(practice_host, "GET", f"/exec/{job}/json")[1]
    assert (before["Running"], before["ExitCode"], before["Pid"]) == (False, None, 0)
    with HijackedConnection(practice_host, f"/v1.51/exec/{job}/start", {}) as stream:
        assert stream.status == 101
        assert "Content-Type: application/vnd.docker.multiplexed-stream" in stream.headers
        assert split_frames(stream.read_all()) == (b"out\n", b"err\n")
    after = ask(practice_host, "GET", f"/exec/{job}/json")[1]
    assert (after["Running"], after["ExitCode"], after["ContainerID"]) == (False, 9, box)
    assert after["ProcessConfig"]["entrypoint"] == "sh"


def test_an_exec_runs_once(practice_host: str, box: str) -> None:
    job = create_exec(practice_host, box, ["true"])
    with HijackedConnection(practice_host, f"/exec/{job}/start", {}) as stream:
        stream.read_all()
    status, response = ask(practice_host, "POST", f"/exec/{job}/start", {})
    assert status == 409
    assert response["message"] == f"Error: Exec command {job} has already run"


def test_a_half_close_ends_the_input(practice_host: str, box: str) -> None:
    job = create_exec(practice_host, box, ["sh", "-c", "sort; echo end"], AttachStdin=True)
    with HijackedConnection(practice_host, f"/exec/{job}/start", {}) as stream:
        stream.send(b"b\na\n")
        stream.half_close()
        assert split_frames(stream.read_all())[0] == b"a\nb\nend\n"


@pytest.mark.parametrize("data", [b"", b"nobody reads this\n"])
def test_the_output_of_an_exec_that_ends_before_its_input_is_complete(
    practice_host: str, box: str, data: bytes
) -> None:
    """As with `docker exec -i` at the end of a pipe: when the input ends, the program has already ended."""
    for number in range(30):  # The failure was a race, which one run in three lost.
        job = create_exec(practice_host, box, ["sh", "-c", "echo out; echo err >&2"], AttachStdin=True)
        with HijackedConnection(practice_host, f"/exec/{job}/start", {}) as stream:
            with contextlib.suppress(BrokenPipeError):  # on a busy machine, the program may have ended before
                stream.send(data)
            time.sleep(number / 5000)  # about the time that the program needs
            stream.half_close()
            assert split_frames(stream.read_all()) == (b"out\n", b"err\n")


def test_the_output_of_a_container_that_ends_before_its_input_is_complete(practice_host: str, make: Any) -> None:
    for number in range(15):
        container = make(["sh", "-c", "echo out"], start=False, OpenStdin=True, StdinOnce=True)
        with HijackedConnection(practice_host, f"/containers/{container}/attach?stream=1&stdin=1&stdout=1") as stream:
            assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
            time.sleep(number / 2500)
            stream.half_close()
            assert split_frames(stream.read_all())[0] == b"out\n"


def test_a_megabyte_is_passed_through(practice_host: str, box: str) -> None:
    data = os.urandom(1 << 20)
    job = create_exec(practice_host, box, ["cat"], AttachStdin=True)
    with HijackedConnection(practice_host, f"/exec/{job}/start", {}) as stream:
        threading.Thread(target=lambda: (stream.send(data), stream.half_close())).start()
        assert split_frames(stream.read_all())[0] == data


def test_a_terminal_has_a_size_and_no_frames(practice_host: str, box: str) -> None:
    command = ["sh", "-c", "test -t 0 && stty size; read x; stty size"]
    job = create_exec(practice_host, box, command, Tty=True, AttachStdin=True, ConsoleSize=[30, 100])
    with HijackedConnection(practice_host, f"/exec/{job}/start", {"Tty": True}) as stream:
        assert stream.read_until(b"30 100")
        assert ask(practice_host, "POST", f"/exec/{job}/resize?h=40&w=120")[0] == 200
        stream.send(b"\n")
        assert stream.read_until(b"40 120")


def test_the_start_request_decides_about_frames(practice_host: str, box: str) -> None:
    job = create_exec(practice_host, box, ["printf", "x"], Tty=True)
    with HijackedConnection(practice_host, f"/exec/{job}/start", {}) as stream:
        assert split_frames(stream.read_all()) == (b"x", b"")


def test_detach_keys_detach(practice_host: str, box: str) -> None:
    job = create_exec(practice_host, box, ["cat"], Tty=True, AttachStdin=True, DetachKeys="ctrl-x")
    with HijackedConnection(practice_host, f"/exec/{job}/start", {"Tty": True}) as stream:
        stream.send(b"\x18")
        stream.read_all()
    assert ask(practice_host, "GET", f"/exec/{job}/json")[1]["Running"] is True


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["nosuchprogram"], 127, "executable file not found in $PATH"),
        (["/etc/passwd"], 126, "permission denied"),
    ],
)
def test_commands_that_cannot_be_run(practice_host: str, box: str, command: list[str], code: int, words: str) -> None:
    job = create_exec(practice_host, box, command)
    with HijackedConnection(practice_host, f"/exec/{job}/start", {}) as stream:
        assert words in split_frames(stream.read_all())[0].decode()
    assert ask(practice_host, "GET", f"/exec/{job}/json")[1]["ExitCode"] == code
    again = create_exec(practice_host, box, command)
    status, response = ask(practice_host, "POST", f"/exec/{again}/start", {"Detach": True})
    assert status == 400
    assert words in response["message"]


def test_a_detached_exec_keeps_running(practice_host: str, box: str) -> None:
    job = create_exec(practice_host, box, ["sh", "-c", "sleep 0.3; exit 3"])
    assert ask(practice_host, "POST", f"/exec/{job}/start", {"Detach": True}) == (200, None)
    assert ask(practice_host, "GET", f"/exec/{job}/json")[1]["Running"] is True
    wait_until(lambda: ask(practice_host, "GET", f"/exec/{job}/json")[1]["ExitCode"] == 3)


def test_an_exec_ends_with_its_container(practice_host: str, box: str) -> None:
    job = create_exec(practice_host, box, ["sleep", "600"])
    with HijackedConnection(practice_host, f"/exec/{job}/start", {}) as stream:
        wait_until(lambda: ask(practice_host, "GET", f"/exec/{job}/json")[1]["Pid"])
        assert ask(practice_host, "POST", f"/containers/{box}/kill")[0] == 204
        stream.read_all()
    wait_until(lambda: ask(practice_host, "GET", f"/exec/{job}/json")[1]["ExitCode"] == 137)


def test_no_exec_in_a_paused_or_stopped_container(practice_host: str, make: Any) -> None:
    stopped = make(["true"], start=False)
    status, response = ask(practice_host, "POST", f"/containers/{stopped}/exec", {"Cmd": ["true"]})
    assert (status, response["message"]) == (409, f"container {stopped} is not running")
    paused = make(["sleep", "600"])
    assert ask(practice_host, "POST", f"/containers/{paused}/pause")[0] == 204
    status, response = ask(practice_host, "POST", f"/containers/{paused}/exec", {"Cmd": ["true"]})
    assert status == 409
    assert response["message"].endswith("is paused, unpause the container before exec")
    assert ask(practice_host, "POST", f"/containers/{paused}/unpause")[0] == 204


def test_a_paused_container_prints_nothing(practice_host: str, make: Any) -> None:
    ticking = make(["sh", "-c", "while :; do echo tick; sleep 0.05; done"])

    def ticks() -> int:
        return container_output(practice_host, ticking).count("tick")

    wait_until(lambda: ticks() > 2)
    assert ask(practice_host, "POST", f"/containers/{ticking}/pause")[0] == 204
    before = ticks()
    time.sleep(0.4)
    assert ticks() == before
    assert ask(practice_host, "POST", f"/containers/{ticking}/unpause")[0] == 204
    wait_until(lambda: ticks() > before)


# -- attach --------------------------------------------------------------------------------------------------


def test_attach_before_the_start_misses_nothing(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "echo first; echo second >&2"], start=False)
    with HijackedConnection(practice_host, f"/containers/{container}/attach?stream=1&stdout=1&stderr=1") as stream:
        assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
        assert split_frames(stream.read_all()) == (b"first\n", b"second\n")


def test_all_attached_clients_receive_the_output(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "read x; echo heard $x"], start=False, OpenStdin=True, StdinOnce=True)
    path = f"/containers/{container}/attach?stream=1&stdout=1"
    with (
        HijackedConnection(practice_host, path) as reader,
        HijackedConnection(practice_host, f"{path}&stdin=1") as writer,
    ):
        assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
        writer.send(b"words\n")
        assert [split_frames(stream.read_all())[0] for stream in (reader, writer)] == [b"heard words\n"] * 2


def test_with_logs_earlier_output_comes_first(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "echo before; while :; do sleep 0.1; done"])
    with HijackedConnection(practice_host, f"/containers/{container}/attach?logs=1&stream=1&stdout=1") as stream:
        assert stream.read_until(b"before\n")


def test_the_error_of_attach_has_the_content_type_of_a_stream(practice_host: str) -> None:
    with HijackedConnection(practice_host, "/containers/nosuch/attach?stream=1&stdout=1") as stream:
        assert stream.status == 404
        assert "Content-Type: application/vnd.docker.raw-stream" in stream.headers


def test_a_client_that_disconnects_does_not_block_the_container(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "i=0; while [ $i -lt 30 ]; do head -c 100000 /dev/zero; i=$((i+1)); done; echo end"])
    with HijackedConnection(practice_host, f"/containers/{container}/attach?stream=1&stdout=1"):
        pass
    wait_until(lambda: ask(practice_host, "GET", f"/containers/{container}/json")[1]["State"]["Status"] == "exited")


def test_a_websocket_sends_messages_in_both_directions(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "read x; echo heard $x"], start=True, OpenStdin=True, StdinOnce=True)
    path = f"/containers/{container}/attach/ws?stream=1&stdin=1&stdout=1"
    key = base64.b64encode(os.urandom(16)).decode()
    assert b"heard words\n" in websocket_messages(practice_host, path, key, b"words\n")


def test_a_request_without_a_handshake_is_refused(practice_host: str, box: str) -> None:
    status, response = ask(practice_host, "GET", f"/containers/{box}/attach/ws?stream=1")
    assert (status, response) == (400, {"message": "not a websocket handshake"})
