"""The methods of the groups: one request each, and tables with the documented columns and dtypes."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from judge import Judge
from processes import wait_until

from dockerlab.errors import ArgumentError, Conflict, EngineError, NotFound
from dockerlab.lab.lab import Lab
from dockerlab.tables import container as container_tables
from dockerlab.tables import image as image_tables

SERVICE = "trap 'exit 7' TERM; echo out; echo err >&2; while :; do sleep 1 & wait $!; done"
ONCE = {"created": "datetime64[ns, UTC]", "size_rw_bytes": "Int64", "name": "string", "labels": "object"}


@pytest.fixture
def box(lab: Any, labels: dict[str, str]) -> Iterator[str]:
    """Give a running container that has printed a line to each stream."""
    name = f"box-{labels['dockerlab.test'][-12:]}"
    lab.container.create("busybox", name=name, cmd=["sh", "-c", SERVICE], labels=labels)
    lab.container.start(name)
    wait_until(lambda: len(lab.container.logs(name)) == 2)
    yield name
    delete_with_force(lab, name)


def delete_with_force(lab: Any, name: str) -> None:
    try:
        lab.container.delete(name, force=True)
    except EngineError as error:
        assert error.status in (404, 409)


def test_one_method_is_one_request(lab: Any, box: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "list": lambda: lab.container.list(all=True),
        "inspect": lambda: lab.container.inspect(box),
        "top": lambda: lab.container.top(box),
        "export": lambda: lab.container.export(box),
        "logs without a terminal": lambda: lab.container.logs(box, tty=False),
        "start": lambda: lab.container.start(box),
        "kill": lambda: lab.container.kill(box),
        "wait": lambda: lab.container.wait(box),
        "restart": lambda: lab.container.restart(box, t=0),
        "stop": lambda: lab.container.stop(box, t=0),
        "delete": lambda: lab.container.delete(box),
        "images": lab.image.list,
        "image": lambda: lab.image.inspect("busybox"),
        "ping": lab.system.ping,
        "version": lab.system.version,
        "info": lab.system.info,
    }
    for name, call in calls.items():
        before = len(lab.wire)
        call()
        assert len(lab.wire) == before + 1, name


def test_logs_first_request_the_tty_flag(lab: Any, box: str) -> None:
    before = len(lab.wire)
    lab.container.logs(box)
    assert [exchange.operation.id for exchange in lab.wire[before:]] == ["ContainerInspect", "ContainerLogs"]


def test_list(lab: Any, box: str, labels: dict[str, str]) -> None:
    table = lab.container.list(filters={"label": labels})
    assert list(table.columns) == [column.name for column in container_tables.LIST]
    assert table[["name", "image", "state"]].to_numpy().tolist() == [[box, "busybox", "running"]]
    assert table["labels"].iloc[0] == labels
    age = pd.Timestamp.now("UTC") - table["created"].iloc[0]
    assert age < pd.Timedelta(minutes=2)


def test_an_empty_list_has_the_same_dtypes(lab: Any) -> None:
    table = lab.container.list(filters={"label": ["dockerlab.test=nobody"]})
    assert len(table) == 0
    assert {name: str(table[name].dtype) for name in ONCE} == ONCE


def test_top(lab: Any, box: str) -> None:
    table = lab.container.top(box)
    assert {"pid", "ppid", "cmd"} <= set(table.columns)
    assert str(table["pid"].dtype) == "Int64"
    assert "sleep 1" in table["cmd"].tolist()
    assert list(lab.container.top(box, ps_args="-o pid,args").columns) == ["pid", "command"]


def test_inspect_is_the_json_flattened(lab: Any, box: str) -> None:
    table = lab.container.inspect(box).set_index("field")["value"]
    document = lab.last.json()
    assert table["State.Status"] == document["State"]["Status"] == "running"
    assert table["Config.Cmd.2"] == SERVICE
    assert table["HostConfig.Binds"] is None


def test_logs(lab: Any, box: str) -> None:
    table = lab.container.logs(box, timestamps=True)
    assert sorted(zip(table["stream"], table["message"], strict=True)) == [("stderr", "err"), ("stdout", "out")]
    assert str(table["time"].dtype) == "datetime64[ns, UTC]"
    assert lab.container.logs(box, stderr=False)["message"].tolist() == ["out"]
    assert len(lab.container.logs(box, tail=1)) == 1
    assert len(lab.container.logs(box, since=datetime.timedelta(hours=1))) == 2
    assert len(lab.container.logs(box, until=datetime.timedelta(hours=1))) == 0


def test_follow_ends_with_the_container(lab: Any, box: str) -> None:
    with lab.container.logs(box, follow=True, timeout=30) as lines:
        first = [next(lines).message, next(lines).message]
        lab.container.kill(box)
        assert list(lines) == []
    assert sorted(first) == ["err", "out"]


def test_follow_ends_at_its_limit(lab: Any, box: str) -> None:
    begin = time.monotonic()
    with lab.container.logs(box, follow=True, limit=1) as lines:
        assert len(list(lines)) == 2
    assert time.monotonic() - begin < 5


def test_logs_of_a_terminal_and_logs_as_bytes(lab: Any, labels: dict[str, str]) -> None:
    name = f"tty-{labels['dockerlab.test'][-12:]}"
    lab.container.create("busybox", name=name, cmd=["printf", "one\\ntwo\\n"], tty=True, labels=labels)
    lab.container.start(name)
    lab.container.wait(name)
    assert lab.container.logs(name)["message"].tolist() == ["one", "two"]
    assert lab.container.logs(name, text=False)["message"].tolist() == [b"one", b"two"]


def test_a_line_longer_than_64_kib_is_one_line(lab: Any, labels: dict[str, str]) -> None:
    name = f"long-{labels['dockerlab.test'][-12:]}"
    script = "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end"
    lab.container.create("busybox", name=name, cmd=["sh", "-c", script], labels=labels)
    lab.container.start(name)
    lab.container.wait(name)
    messages = lab.container.logs(name)["message"]
    assert [len(message) for message in messages] == [200_000, 3]


def test_export(lab: Any, box: str, tmp_path: Path) -> None:
    members = lab.container.export(box)
    assert list(members.columns) == [column.name for column in container_tables.MEMBERS]
    by_path = members.set_index("path")
    assert by_path.loc["etc/passwd", "kind"] == "file"
    assert by_path.loc["etc", "kind"] == "directory"
    assert by_path.loc["tmp", "mode"] == "1777"
    steps: list[int] = []
    saved = lab.container.export(box, tmp_path / "box.tar", progress=steps.append)
    assert saved["size_bytes"].iloc[0] == (tmp_path / "box.tar").stat().st_size == steps[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["box.tar"]


def test_a_failed_export_leaves_no_file(lab: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        lab.container.export("dockerlab-nobody", tmp_path / "x.tar")
    assert list(tmp_path.iterdir()) == []


def test_results_say_whether_anything_changed(lab: Any, box: str) -> None:
    again = lab.container.start(box)
    assert again[["operation", "object"]].to_numpy().tolist() == [["ContainerStart", box]]
    assert again["changed"].tolist() == [False]
    assert lab.container.stop(box)["changed"].tolist() == [True]
    assert lab.container.stop(box)["status"].tolist() == [304]
    result = lab.container.wait(box).set_index("field")["value"]
    assert result["StatusCode"] == 7


def test_mistakes(lab: Any, box: str) -> None:
    with pytest.raises(Conflict, match=re.escape("Stop it first")):
        lab.container.delete(box)
    with pytest.raises(NotFound, match="No such container"):
        lab.container.start("dockerlab-nobody")
    with pytest.raises(ArgumentError, match="hostt"):
        lab.call("ContainerCreate", image="busybox", hostt="x")


def test_images(lab: Any) -> None:
    table = lab.image.list(filters={"reference": "busybox"})
    assert list(table.columns) == [column.name for column in image_tables.LIST]
    assert "busybox:latest" in table["repo_tags"].iloc[0]
    assert lab.image.inspect("busybox").set_index("field")["value"]["Os"] == "linux"


def test_system(lab: Any) -> None:
    ping = lab.system.ping()
    assert ping[["answer", "status"]].to_numpy().tolist() == [["OK", 200]]
    assert lab.system.version().set_index("field")["value"]["ApiVersion"] == ping["api_version"].iloc[0]
    assert lab.system.info().set_index("field")["value"]["OSType"] == "linux"


def test_the_judge_checks_every_response(lab: Lab, judge: Judge) -> None:
    before = judge.count
    lab.system.info()
    assert judge.count == before + 1
