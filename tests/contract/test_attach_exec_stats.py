"""Attach, exec, stats and state changes of containers: streams, how they end, and tables."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest
from containers import container, field, write_to_deaf_container
from processes import open_files, wait_until

from dockerlab.errors import BadRequest, Conflict, EngineTimeout, NotFound
from dockerlab.tables import stats as stats_tables

LOOP = ("sh", "-c", "echo ready; while :; do echo tick; sleep 0.2; done")


def test_attach_reads_and_writes_and_half_closes(lab: Any, labels: dict[str, str]) -> None:
    script = "echo hello; echo oops >&2; cat; echo end"
    with container(lab, labels, "sh", "-c", script, start=False, open_stdin=True, stdin_once=True) as box:
        with lab.container.attach(box, stdin=True, timeout=20) as stream:
            lab.container.start(box)
            stream.write("a line\n")
            stream.close_stdin()
            pieces = list(stream)
        assert b"".join(piece.data for piece in pieces if piece.stream == "stdout") == b"hello\na line\nend\n"
        assert b"".join(piece.data for piece in pieces if piece.stream == "stderr") == b"oops\n"
        assert field(lab.container.wait(box, timeout=20), "StatusCode") == 0


def test_a_write_to_a_program_that_does_not_read_ends_in_time(lab: Any, labels: dict[str, str]) -> None:
    # Podman adds a message about the lost input to the same stream.
    assert write_to_deaf_container(lab, labels).startswith(b"here\nbye\n")


def test_attach_to_a_terminal_has_no_frames(lab: Any, labels: dict[str, str]) -> None:
    with (
        container(lab, labels, "sh", start=False, tty=True, open_stdin=True) as box,
        lab.container.attach(box, stdin=True, timeout=20) as stream,
    ):
        assert stream.tty
        lab.container.start(box)
        stream.write("echo $((6*7))\n")
        assert b"42" in stream.read_until("42\r\n")
        assert lab.container.resize(box, h=30, w=100)["status"].iloc[0] in (200, 201)
        stream.write("stty size; exit\n")
        assert b"30 100" in stream.read()


def test_attach_gives_a_table_of_lines(lab: Any, labels: dict[str, str]) -> None:
    with (
        container(lab, labels, "sh", "-c", "echo one; echo two", start=False) as box,
        lab.container.attach(box, timeout=20) as stream,
    ):
        lab.container.start(box)
        table = stream.table()
    assert table.to_numpy().tolist() == [["stdout", "one"], ["stdout", "two"]]


def test_attach_with_logs_starts_with_earlier_output(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "echo", "early") as box:
        lab.container.wait(box, timeout=20)
        with lab.container.attach(box, logs=True, stream=False, timeout=20) as stream:
            assert stream.read() == b"early\n"


def test_a_websocket_has_the_same_output(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as box, lab.container.attach_websocket(box, logs=True, timeout=20) as stream:
        assert b"tick" in stream.read_until("tick")


def test_a_websocket_to_nothing_is_an_error(lab: Any) -> None:
    with pytest.raises(NotFound):
        lab.container.attach_websocket("dockerlab-nobody")


def test_attach_ends_when_it_is_closed_and_leaves_nothing_open(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as box:
        gc.collect()  # objects of earlier tests
        before = open_files()
        for _ in range(3):
            with lab.container.attach(box, tty=False) as stream:
                next(stream)
        stream = lab.container.attach(box, tty=False)
        del stream
        gc.collect()
        assert open_files() <= before
        assert list(lab.container.attach(box, tty=False, limit=0.5))
        assert field(lab.container.inspect(box), "State.Running") is True
        lab.container.kill(box)


def test_silence_is_a_timeout(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sleep", "60") as box:
        with pytest.raises(EngineTimeout):
            next(lab.container.attach(box, tty=False, timeout=0.3))
        lab.container.kill(box)


def test_another_thread_can_close_a_waiting_stream(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sleep", "60") as box:
        stream = lab.container.attach(box, tty=False)
        threading.Timer(0.3, stream.close).start()
        begin = time.monotonic()
        assert list(stream) == []
        assert time.monotonic() - begin < 10
        lab.container.kill(box)


def test_async_for(lab: Any, labels: dict[str, str]) -> None:
    async def read(box: str) -> list[bytes]:
        lines = []
        async for line in lab.container.logs(box, follow=True, timeout=20):
            lines.append(line.data)
            if len(lines) == 3:
                break
        return lines

    async def give_up(box: str) -> None:
        waiting = asyncio.create_task(anext(lab.container.attach(box, tty=False, stdout=False)))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with container(lab, labels, *LOOP) as box:
        assert asyncio.run(read(box)) == [b"ready", b"tick", b"tick"]
        asyncio.run(give_up(box))
        lab.container.kill(box)


def test_exec_with_its_exit_code_is_three_requests_on_two_connections(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sleep", "60") as box:
        before = len(lab.wire)
        job = field(lab.container.exec(box, ["sh", "-c", "echo out; echo err >&2; exit 3"]), "Id")
        with lab.exec.start(job, timeout=20) as stream:
            table = stream.table()
        details = lab.exec.inspect(job)
        assert len(lab.wire) == before + 3
        assert sorted(map(tuple, table.to_numpy().tolist())) == [("stderr", "err"), ("stdout", "out")]
        assert (field(details, "Running"), field(details, "ExitCode")) == (False, 3)
        lab.container.kill(box)


def test_exec_detached_and_in_a_terminal(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sleep", "60") as box:
        job = field(lab.container.exec(box, ["sh", "-c", "echo $GREETING >/tmp/x"], env={"GREETING": "hi"}), "Id")
        assert lab.exec.start(job, detach=True)["changed"].tolist() == [True]
        wait_until(lambda: field(lab.exec.inspect(job), "Running") is False)
        job = field(lab.container.exec(box, ["sh"], tty=True, attach_stdin=True), "Id")
        with lab.exec.start(job, tty=True, timeout=20) as stream:
            assert lab.exec.resize(job, h=31, w=101)["status"].iloc[0] in (200, 201)
            stream.write("cat /tmp/x; stty size; exit\n")
            output = stream.read()
        assert b"hi\r\n" in output
        assert b"31 101" in output
        lab.container.kill(box)


def test_exec_reads_input(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sleep", "60") as box:
        job = field(lab.container.exec(box, ["wc", "-c"], attach_stdin=True), "Id")
        with lab.exec.start(job, timeout=20) as stream:
            stream.write(b"x" * 100_000)
            stream.close_stdin()
            assert stream.read().strip() == b"100000"
        lab.container.kill(box)


def test_exec_in_a_stopped_container(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "true", start=False) as box, pytest.raises(Conflict):
        lab.container.exec(box, "true")


def test_stats(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as box:
        once = lab.container.stats(box, stream=False)
        assert list(once.columns) == [column.name for column in stats_tables.STATS]
        assert once["name"].tolist() == [box]
        assert once["pids"].iloc[0] >= 1
        with lab.container.stats(box, timeout=20) as samples:
            table = samples.table(2)
        assert len(table) == 2
        assert table["read"].is_monotonic_increasing
        lab.container.kill(box)


def test_stats_of_several_containers_are_requested_at_once(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as one, container(lab, labels, *LOOP, prefix="two") as two:
        begin = time.monotonic()
        table = lab.container.stats([one, two])
        assert table["name"].tolist() == [one, two]
        assert time.monotonic() - begin < 5
        wide = lab.container.inspect([two, one])
        assert wide["name"].tolist() == [two, one]
        assert wide["running"].tolist() == [True, True]
        with pytest.raises(NotFound):
            lab.container.inspect([one, "dockerlab-nobody"])
        lab.container.kill(one)
        lab.container.kill(two)


def test_pause_and_unpause(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as box:
        assert lab.container.pause(box)["status"].tolist() == [204]
        assert field(lab.container.inspect(box), "State.Paused") is True
        with pytest.raises(Conflict):
            lab.container.pause(box)
        assert lab.container.unpause(box)["status"].tolist() == [204]
        lab.container.kill(box)


def test_rename_and_update(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as box:
        renamed = f"{box}-renamed"
        lab.container.rename(box, renamed)
        assert lab.container.update(renamed, restart_policy={"Name": "on-failure", "MaximumRetryCount": 3}) is not None
        details = lab.container.inspect(renamed)
        assert field(details, "HostConfig.RestartPolicy.MaximumRetryCount") == 3
        with pytest.raises(BadRequest):
            lab.container.rename(renamed, "no/name")
        lab.container.kill(renamed)
