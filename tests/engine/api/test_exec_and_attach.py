"""Exec and attach on the wire: frames, terminals, input, half-close, exit codes, refusals."""

from __future__ import annotations

import base64
import os
import time
from typing import Any

import pytest
from plain_http import HijackedConnection, ask, split_frames
from processes import wait_until


@pytest.fixture
def make(practice_host: str, labels: dict[str, str]) -> Any:
    """Give a function that creates a container, and starts it unless told otherwise."""

    def made(command: list[str], start: bool = True, **config: Any) -> str:
        body = {"Image": "busybox", "Cmd": command, "Labels": labels, **config}
        status, told = ask(practice_host, "POST", "/containers/create", body)
        assert status == 201, told
        if start:
            assert ask(practice_host, "POST", f"/containers/{told['Id']}/start")[0] == 204
        return str(told["Id"])

    return made


@pytest.fixture
def box(make: Any) -> str:
    """Give a container that runs."""
    return str(make(["sh", "-c", "while :; do sleep 0.1; done"]))


def created(host: str, container: str, command: list[str], **more: Any) -> str:
    body = {"Cmd": command, "AttachStdout": True, "AttachStderr": True, **more}
    status, told = ask(host, "POST", f"/containers/{container}/exec", body)
    assert status == 201, told
    return str(told["Id"])


def test_an_exec_has_both_streams_and_an_exit_code(practice_host: str, box: str) -> None:
    made = created(practice_host, box, ["sh", "-c", "echo out; echo err >&2; exit 9"])
    before = ask(practice_host, "GET", f"/exec/{made}/json")[1]
    assert (before["Running"], before["ExitCode"], before["Pid"]) == (False, None, 0)
    with HijackedConnection(practice_host, f"/v1.51/exec/{made}/start", {}) as stream:
        assert stream.status == 101
        assert "Content-Type: application/vnd.docker.multiplexed-stream" in stream.headers
        assert split_frames(stream.read_all()) == (b"out\n", b"err\n")
    told = ask(practice_host, "GET", f"/exec/{made}/json")[1]
    assert (told["Running"], told["ExitCode"], told["ContainerID"]) == (False, 9, box)
    assert told["ProcessConfig"]["entrypoint"] == "sh"


def test_an_exec_runs_once(practice_host: str, box: str) -> None:
    made = created(practice_host, box, ["true"])
    with HijackedConnection(practice_host, f"/exec/{made}/start", {}) as stream:
        stream.read_all()
    status, told = ask(practice_host, "POST", f"/exec/{made}/start", {})
    assert status == 409
    assert told["message"] == f"Error: Exec command {made} has already run"


def test_input_ends_with_the_clients_half(practice_host: str, box: str) -> None:
    made = created(practice_host, box, ["sh", "-c", "sort; echo end"], AttachStdin=True)
    with HijackedConnection(practice_host, f"/exec/{made}/start", {}) as stream:
        stream.send(b"b\na\n")
        stream.half_close()
        assert split_frames(stream.read_all())[0] == b"a\nb\nend\n"


@pytest.mark.parametrize("typed", [b"", b"nobody reads this\n"])
def test_what_a_program_says_comes_also_when_it_ends_before_its_input(
    practice_host: str, box: str, typed: bytes
) -> None:
    """As with `docker exec -i` at the end of a pipe: the end of the input finds a program that has ended already."""
    for number in range(30):  # it is a race: where this failed, it did so in one of three
        made = created(practice_host, box, ["sh", "-c", "echo out; echo err >&2"], AttachStdin=True)
        with HijackedConnection(practice_host, f"/exec/{made}/start", {}) as stream:
            stream.send(typed)
            time.sleep(number / 5000)  # the program needs about that long
            stream.half_close()
            assert split_frames(stream.read_all()) == (b"out\n", b"err\n")


def test_what_a_container_says_comes_also_when_it_ends_before_its_input(practice_host: str, make: Any) -> None:
    for number in range(15):
        one = make(["sh", "-c", "echo out"], start=False, OpenStdin=True, StdinOnce=True)
        with HijackedConnection(practice_host, f"/containers/{one}/attach?stream=1&stdin=1&stdout=1") as stream:
            assert ask(practice_host, "POST", f"/containers/{one}/start")[0] == 204
            time.sleep(number / 2500)
            stream.half_close()
            assert split_frames(stream.read_all())[0] == b"out\n"


def test_a_megabyte_goes_through(practice_host: str, box: str) -> None:
    data = os.urandom(1 << 20)
    made = created(practice_host, box, ["cat"], AttachStdin=True)
    with HijackedConnection(practice_host, f"/exec/{made}/start", {}) as stream:
        import threading

        threading.Thread(target=lambda: (stream.send(data), stream.half_close())).start()
        assert split_frames(stream.read_all())[0] == data


def test_a_terminal_has_a_size_and_no_frames(practice_host: str, box: str) -> None:
    command = ["sh", "-c", "test -t 0 && stty size; read x; stty size"]
    made = created(practice_host, box, command, Tty=True, AttachStdin=True, ConsoleSize=[30, 100])
    with HijackedConnection(practice_host, f"/exec/{made}/start", {"Tty": True}) as stream:
        assert stream.read_until(b"30 100")
        assert ask(practice_host, "POST", f"/exec/{made}/resize?h=40&w=120")[0] == 200
        stream.send(b"\n")
        assert stream.read_until(b"40 120")


def test_frames_are_the_starts_business_and_not_the_terminals(practice_host: str, box: str) -> None:
    made = created(practice_host, box, ["printf", "x"], Tty=True)
    with HijackedConnection(practice_host, f"/exec/{made}/start", {}) as stream:
        assert split_frames(stream.read_all()) == (b"x", b"")


def test_the_keys_detach(practice_host: str, box: str) -> None:
    made = created(practice_host, box, ["cat"], Tty=True, AttachStdin=True, DetachKeys="ctrl-x")
    with HijackedConnection(practice_host, f"/exec/{made}/start", {"Tty": True}) as stream:
        stream.send(b"\x18")
        stream.read_all()
    assert ask(practice_host, "GET", f"/exec/{made}/json")[1]["Running"] is True


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["nosuchprogram"], 127, "executable file not found in $PATH"),
        (["/etc/passwd"], 126, "permission denied"),
    ],
)
def test_what_cannot_be_run(practice_host: str, box: str, command: list[str], code: int, words: str) -> None:
    made = created(practice_host, box, command)
    with HijackedConnection(practice_host, f"/exec/{made}/start", {}) as stream:
        assert words in split_frames(stream.read_all())[0].decode()
    assert ask(practice_host, "GET", f"/exec/{made}/json")[1]["ExitCode"] == code
    again = created(practice_host, box, command)
    status, told = ask(practice_host, "POST", f"/exec/{again}/start", {"Detach": True})
    assert status == 400
    assert words in told["message"]


def test_a_detached_exec_goes_on(practice_host: str, box: str) -> None:
    made = created(practice_host, box, ["sh", "-c", "sleep 0.3; exit 3"])
    assert ask(practice_host, "POST", f"/exec/{made}/start", {"Detach": True}) == (200, None)
    assert ask(practice_host, "GET", f"/exec/{made}/json")[1]["Running"] is True
    wait_until(lambda: ask(practice_host, "GET", f"/exec/{made}/json")[1]["ExitCode"] == 3)


def test_an_exec_ends_with_its_container(practice_host: str, box: str) -> None:
    made = created(practice_host, box, ["sleep", "600"])
    with HijackedConnection(practice_host, f"/exec/{made}/start", {}) as stream:
        wait_until(lambda: ask(practice_host, "GET", f"/exec/{made}/json")[1]["Pid"])
        assert ask(practice_host, "POST", f"/containers/{box}/kill")[0] == 204
        stream.read_all()
    wait_until(lambda: ask(practice_host, "GET", f"/exec/{made}/json")[1]["ExitCode"] == 137)


def test_no_exec_in_one_that_is_paused_or_over(practice_host: str, make: Any) -> None:
    over = make(["true"], start=False)
    status, told = ask(practice_host, "POST", f"/containers/{over}/exec", {"Cmd": ["true"]})
    assert (status, told["message"]) == (409, f"container {over} is not running")
    paused = make(["sleep", "600"])
    assert ask(practice_host, "POST", f"/containers/{paused}/pause")[0] == 204
    status, told = ask(practice_host, "POST", f"/containers/{paused}/exec", {"Cmd": ["true"]})
    assert status == 409
    assert told["message"].endswith("is paused, unpause the container before exec")
    assert ask(practice_host, "POST", f"/containers/{paused}/unpause")[0] == 204


def test_a_paused_one_stands_still(practice_host: str, make: Any) -> None:
    ticking = make(["sh", "-c", "while :; do echo tick; sleep 0.05; done"])

    def said() -> int:
        from plain_http import connection

        opened = connection(practice_host)
        opened.request("GET", f"/containers/{ticking}/logs?stdout=1")
        count = opened.getresponse().read().count(b"tick")
        opened.close()
        return count

    wait_until(lambda: said() > 2)
    assert ask(practice_host, "POST", f"/containers/{ticking}/pause")[0] == 204
    before = said()
    time.sleep(0.4)
    assert said() == before
    assert ask(practice_host, "POST", f"/containers/{ticking}/unpause")[0] == 204
    wait_until(lambda: said() > before)


# -- attach --------------------------------------------------------------------------------------------------


def test_attached_before_the_start_nothing_is_missed(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "echo first; echo second >&2"], start=False)
    with HijackedConnection(practice_host, f"/containers/{container}/attach?stream=1&stdout=1&stderr=1") as stream:
        assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
        assert split_frames(stream.read_all()) == (b"first\n", b"second\n")


def test_any_number_of_clients_hear_the_same(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "read x; echo heard $x"], start=False, OpenStdin=True, StdinOnce=True)
    path = f"/containers/{container}/attach?stream=1&stdout=1"
    with HijackedConnection(practice_host, path) as one, HijackedConnection(practice_host, f"{path}&stdin=1") as two:
        assert ask(practice_host, "POST", f"/containers/{container}/start")[0] == 204
        two.send(b"words\n")
        assert [split_frames(stream.read_all())[0] for stream in (one, two)] == [b"heard words\n"] * 2


def test_with_logs_the_past_comes_first(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "echo before; while :; do sleep 0.1; done"])
    with HijackedConnection(practice_host, f"/containers/{container}/attach?logs=1&stream=1&stdout=1") as stream:
        assert stream.read_until(b"before\n")


def test_attach_to_nothing_is_told_as_a_stream_would_be(practice_host: str) -> None:
    with HijackedConnection(practice_host, "/containers/nosuch/attach?stream=1&stdout=1") as stream:
        assert stream.status == 404
        assert "Content-Type: application/vnd.docker.raw-stream" in stream.headers


def test_a_client_that_goes_away_holds_nobody_up(practice_host: str, make: Any) -> None:
    container = make(["sh", "-c", "i=0; while [ $i -lt 30 ]; do head -c 100000 /dev/zero; i=$((i+1)); done; echo end"])
    with HijackedConnection(practice_host, f"/containers/{container}/attach?stream=1&stdout=1"):
        pass
    wait_until(lambda: ask(practice_host, "GET", f"/containers/{container}/json")[1]["State"]["Status"] == "exited")


def test_a_websocket_has_messages_both_ways(practice_host: str, make: Any) -> None:
    from plain_http import websocket_messages

    container = make(["sh", "-c", "read x; echo heard $x"], start=True, OpenStdin=True, StdinOnce=True)
    path = f"/containers/{container}/attach/ws?stream=1&stdin=1&stdout=1"
    key = base64.b64encode(os.urandom(16)).decode()
    assert b"heard words\n" in websocket_messages(practice_host, path, key, b"words\n")


def test_what_is_no_websocket_is_refused(practice_host: str, box: str) -> None:
    status, told = ask(practice_host, "GET", f"/containers/{box}/attach/ws?stream=1")
    assert (status, told) == (400, {"message": "not a websocket handshake"})
