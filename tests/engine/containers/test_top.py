"""The arguments of `top`, which go to ps. Docker 28.5 sends the same answers."""

from __future__ import annotations

import re
import shutil
from typing import Any
from urllib.parse import quote

import pytest
from plain_http import ask

from dockerlab.engine.containers import top
from dockerlab.engine.containers.top import PsFailed


@pytest.fixture
def container(practice_host: str, labels: dict[str, str]) -> str:
    """Give a container whose process has two spaces in its arguments."""
    document = {"Image": "busybox", "Cmd": ["sh", "-c", "read  line"], "OpenStdin": True, "Labels": labels}
    identity = ask(practice_host, "POST", "/containers/create", document)[1]["Id"]
    assert ask(practice_host, "POST", f"/containers/{identity}/start")[0] == 204
    return str(identity)


def answer(host: str, container: str, arguments: str) -> tuple[int, Any]:
    """Return status and document of `top`, without the number of a process."""
    status, document = ask(host, "GET", f"/containers/{container}/top?ps_args={quote(arguments)}")
    for row in document.get("Processes") or []:
        row[:] = [re.sub(r"^\d{2,}\b", "PID", field) for field in row]
    return status, document


needs_ps = pytest.mark.skipif(shutil.which("ps") is None, reason="this machine has no ps")


@needs_ps
@pytest.mark.parametrize(
    ("arguments", "titles", "row"),
    [
        ("-o pid,comm", ["PID", "COMMAND"], ["PID", "sh"]),
        ("-o pid=PID,comm", ["PID", "COMMAND"], ["PID", "sh"]),
        ("-o pid -o comm=NAME", ["PID", "NAME"], ["PID", "sh"]),
        ("-o pid,comm=", ["PID"], ["PID sh"]),
        ("-o pid,args", ["PID", "COMMAND"], ["PID", "sh -c read line"]),
        ("\t-o  pid\n", ["PID"], ["PID"]),
    ],
)
def test_columns_of_ps(practice_host: str, container: str, arguments: str, titles: list[str], row: list[str]) -> None:
    assert answer(practice_host, container, arguments) == (200, {"Processes": [row], "Titles": titles})


@needs_ps
def test_threads_have_no_pid(practice_host: str, container: str) -> None:
    assert answer(practice_host, container, "-o pid -m")[1] == {"Processes": [["PID"], ["-"]], "Titles": ["PID"]}


@needs_ps
def test_no_process_matches(practice_host: str, container: str) -> None:
    assert answer(practice_host, container, "-o pid -p 1") == (200, {"Processes": None, "Titles": ["PID"]})


@needs_ps
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-eo user=PID", 'specifying "user=PID" is not allowed'),
        ("-o user=PID,pid", 'specifying "user=PID,pid" is not allowed'),
        ("-o pid,user=PID", 'specifying "pid,user=PID" is not allowed'),
        ("-o pid=PID -o user=PID", 'specifying "user=PID" is not allowed'),
        ("-o pid,comm -o user= PID", 'specifying "user=PID" is not allowed'),
        ("-o pid --sort=PID", 'specifying "--sort=PID" is not allowed'),
        ("-o pid=,comm=NAME", "Couldn't find PID field in ps output"),
        ("-eo pid=", "Couldn't find PID field in ps output"),
        ("-o pid=PID2", "Couldn't find PID field in ps output"),
        ("-o comm", "Couldn't find PID field in ps output"),
        ("-C x", "ps: exit status 1"),
    ],
)
def test_arguments_that_are_refused(practice_host: str, container: str, arguments: str, message: str) -> None:
    assert answer(practice_host, container, arguments) == (500, {"message": message})


@needs_ps
@pytest.mark.parametrize("arguments", ["name=X", "-o 'pid'", '"', "\\", "-o nothing"])
def test_the_message_of_ps(practice_host: str, container: str, arguments: str) -> None:
    status, document = answer(practice_host, container, arguments)
    assert status == 500
    assert document["message"].startswith("ps: ")


def test_a_command_in_place_of_a_pid() -> None:
    lines = ["COMMAND PID", "sleep 600 17", "sh -c x 18"]
    with pytest.raises(PsFailed, match=r"Unexpected pid '-c': strconv.Atoi: parsing \"-c\": invalid syntax"):
        top._select(lines, {17, 18})


def test_many_spaces_take_no_time(practice_host: str, container: str) -> None:
    assert answer(practice_host, container, "-o pid" + "\t" * 20_000 + "=" * 20_000)[0] == 500
    assert not top.RENAMED.findall(" " * 500_000 + "=" * 500_000)


@pytest.mark.parametrize(
    ("arguments", "titles"),
    [
        ("-o pid,comm=NAME,X", ["PID", "NAME,X"]),
        ("-o pid= -o comm", ["", "COMMAND"]),
        ("-opid,cmd", ["PID", "CMD"]),
        ("-o pid -o args=A", ["PID", "A"]),
    ],
)
def test_titles_without_ps(arguments: str, titles: list[str]) -> None:
    assert top._builtin_ps(arguments.split(), []) == [" ".join(titles)]
