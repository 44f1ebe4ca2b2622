"""Attach, exec, stats and what changes a container's state, on a real engine: streams, their ends, and tables."""

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
        with lab.container.attach(box, stdin=True, timeout=20) as talk:
            lab.container.start(box)
            talk.write("a line\n")
            talk.close_stdin()
            pieces = list(talk)
        assert b"".join(one.data for one in pieces if one.stream == "stdout") == b"hello\na line\nend\n"
        assert b"".join(one.data for one in pieces if one.stream == "stderr") == b"oops\n"
        assert field(lab.container.wait(box, timeout=20), "StatusCode") == 0


def test_a_write_that_the_program_does_not_read_ends_in_time(lab: Any, labels: dict[str, str]) -> None:
    # Podman says behind it, in the same stream, that what nobody read was lost
    assert write_to_deaf_container(lab, labels).startswith(b"here\nbye\n")


def test_attach_to_a_terminal_has_no_frames(lab: Any, labels: dict[str, str]) -> None:
    with (
        container(lab, labels, "sh", start=False, tty=True, open_stdin=True) as box,
        lab.container.attach(box, stdin=True, timeout=20) as talk,
    ):
        assert talk.tty
        lab.container.start(box)
        talk.write("echo $((6*7))\n")
        assert b"42" in talk.read_until("42\r\n")
        assert lab.container.resize(box, h=30, w=100)["status"].iloc[0] in (200, 201)
        talk.write("stty size; exit\n")
        assert b"30 100" in talk.read()


def test_attach_gives_a_table_of_lines(lab: Any, labels: dict[str, str]) -> None:
    with (
        container(lab, labels, "sh", "-c", "echo one; echo two", start=False) as box,
        lab.container.attach(box, timeout=20) as talk,
    ):
        lab.container.start(box)
        table = talk.table()
    assert table.to_numpy().tolist() == [["stdout", "one"], ["stdout", "two"]]


def test_attach_tells_first_what_was_said_before(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "echo", "early") as box:
        lab.container.wait(box, timeout=20)
        with lab.container.attach(box, logs=True, stream=False, timeout=20) as talk:
            assert talk.read() == b"early\n"


def test_a_websocket_gives_the_same(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as box, lab.container.attach_websocket(box, logs=True, timeout=20) as talk:
        assert b"tick" in talk.read_until("tick")


def test_a_websocket_to_nothing_is_an_error(lab: Any) -> None:
    with pytest.raises(NotFound):
        lab.container.attach_websocket("dockerlab-nobody")


def test_attach_ends_when_it_is_closed_and_leaves_nothing_open(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as box:
        gc.collect()  # what tests before this one have left
        before = open_files()
        for _ in range(3):
            with lab.container.attach(box, tty=False) as talk:
                next(talk)
        talk = lab.container.attach(box, tty=False)
        del talk
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


def test_another_thread_may_close_what_waits(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sleep", "60") as box:
        talk = lab.container.attach(box, tty=False)
        threading.Timer(0.3, talk.close).start()
        began = time.monotonic()
        assert list(talk) == []
        assert time.monotonic() - began < 10
        lab.container.kill(box)


def test_async_for(lab: Any, labels: dict[str, str]) -> None:
    async def read(box: str) -> list[bytes]:
        found = []
        async for line in lab.container.logs(box, follow=True, timeout=20):
            found.append(line.data)
            if len(found) == 3:
                break
        return found

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
        made = field(lab.container.exec(box, ["sh", "-c", "echo out; echo err >&2; exit 3"]), "Id")
        with lab.exec.start(made, timeout=20) as talk:
            table = talk.table()
        told = lab.exec.inspect(made)
        assert len(lab.wire) == before + 3
        assert sorted(map(tuple, table.to_numpy().tolist())) == [("stderr", "err"), ("stdout", "out")]
        assert (field(told, "Running"), field(told, "ExitCode")) == (False, 3)
        lab.container.kill(box)


def test_exec_detached_and_in_a_terminal(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sleep", "60") as box:
        made = field(lab.container.exec(box, ["sh", "-c", "echo $GREETING >/tmp/x"], env={"GREETING": "hi"}), "Id")
        assert lab.exec.start(made, detach=True)["changed"].tolist() == [True]
        wait_until(lambda: field(lab.exec.inspect(made), "Running") is False)
        made = field(lab.container.exec(box, ["sh"], tty=True, attach_stdin=True), "Id")
        with lab.exec.start(made, tty=True, timeout=20) as talk:
            assert lab.exec.resize(made, h=31, w=101)["status"].iloc[0] in (200, 201)
            talk.write("cat /tmp/x; stty size; exit\n")
            said = talk.read()
        assert b"hi\r\n" in said
        assert b"31 101" in said
        lab.container.kill(box)


def test_exec_takes_input(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sleep", "60") as box:
        made = field(lab.container.exec(box, ["wc", "-c"], attach_stdin=True), "Id")
        with lab.exec.start(made, timeout=20) as talk:
            talk.write(b"x" * 100_000)
            talk.close_stdin()
            assert talk.read().strip() == b"100000"
        lab.container.kill(box)


def test_exec_in_what_does_not_run(lab: Any, labels: dict[str, str]) -> None:
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


def test_stats_of_many_are_asked_for_at_once(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, *LOOP) as one, container(lab, labels, *LOOP, prefix="two") as two:
        began = time.monotonic()
        table = lab.container.stats([one, two])
        assert table["name"].tolist() == [one, two]
        assert time.monotonic() - began < 5
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
        told = lab.container.inspect(renamed)
        assert field(told, "HostConfig.RestartPolicy.MaximumRetryCount") == 3
        with pytest.raises(BadRequest):
            lab.container.rename(renamed, "no/name")
        lab.container.kill(renamed)
