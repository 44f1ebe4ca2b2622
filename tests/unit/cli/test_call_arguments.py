"""Words of a command line become typed arguments, or an error that says what to write instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dockerlab.cli.call_arguments import find_operation, parse_arguments
from dockerlab.cli.main import for_shell
from dockerlab.errors import ArgumentError


@pytest.mark.parametrize(
    ("name", "words", "arguments"),
    [
        ("ContainerList", ["all=true"], {"all": True}),
        ("ContainerList", ["all=No", "limit=-1"], {"all": False, "limit": -1}),
        ("ContainerStop", ["web", "t=5"], {"id": "web", "t": 5}),
        ("ContainerStop", ["id=web=1"], {"id": "web=1"}),
        ("ContainerList", ['filters={"status":["exited"]}'], {"filters": {"status": ["exited"]}}),
        (
            "ContainerList",
            ["filters.label=team=web", "filters.label=a", "filters.status=exited"],
            {"filters": {"label": ["team=web", "a"], "status": ["exited"]}},
        ),
        ("ContainerCreate", ["cmd=sleep", "cmd=60"], {"cmd": ["sleep", "60"]}),
        ("ContainerCreate", ['cmd=["sleep","60"]', "image=busybox"], {"cmd": ["sleep", "60"], "image": "busybox"}),
        (
            "ContainerCreate",
            ["host_config.Init=true", "HostConfig.RestartPolicy.Name=always"],
            {"host_config": {"Init": True, "RestartPolicy": {"Name": "always"}}},
        ),
        ("ContainerLogs", ["web", "since=1h30m"], {"id": "web", "since": timedelta(hours=1, minutes=30)}),
        ("ContainerLogs", ["web", "since=1700000000.5"], {"id": "web", "since": "1700000000.5"}),
        ("ContainerLogs", ["web", "until=2026-01-31T12:00:00Z"],
         {"id": "web", "until": datetime(2026, 1, 31, 12, tzinfo=UTC)}),
        ("ContainerList", ["novelty=1"], {"novelty": "1"}),
    ],
)  # fmt: skip
def test_words_become_arguments(name: str, words: list[str], arguments: dict[str, Any]) -> None:
    assert parse_arguments(find_operation(name), words) == arguments


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("ContainerList", ["all=perhaps"], "`all` must be true or false, not 'perhaps'"),
        ("ContainerStop", ["web", "t=soon"], "`t` must be a whole number, not 'soon'"),
        ("ContainerList", ["filters={status"], "`filters` must be JSON, such as"),
        ("ContainerList", ["web"], "ContainerList can't use the word 'web': write arguments as key=value"),
        ("ContainerLogs", ["web", "since=yesterday"], "'yesterday' is not a time: write 10m"),
        ("ContainerCreate", ["body={"], "`body` must be JSON"),
        ("ContainerCreate", ["host_config=@/no/such/file"], "/no/such/file can't be read: No such file"),
        ("ContainerCreate", ["host_config=[]", "host_config.Init=true"], "either whole or by its fields"),
        ("ImageLoad", ["body=/no/such.tar"], "`body` must be the path of a tar file, and /no/such.tar is not a file"),
    ],
)
def test_the_error_for_a_wrong_word_says_what_to_write(name: str, words: list[str], message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        parse_arguments(find_operation(name), words)
    assert message in str(error.value)


def test_json_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text('{"Init": true}')
    arguments = parse_arguments(find_operation("ContainerCreate"), [f"host_config=@{tmp_path}/h.json"])
    assert arguments == {"host_config": {"Init": True}}


def test_an_operation_is_found_in_any_case_and_a_wrong_name_gets_suggestions() -> None:
    assert find_operation("containerlist").id == "ContainerList"
    with pytest.raises(ArgumentError, match="ContainerList"):
        find_operation("ContainersList")


def test_advice_is_translated_to_shell_commands() -> None:
    assert for_shell("See lab.container.list(all=True).") == "See dockerlab call ContainerList all=true."
    assert for_shell("Delete it: lab.container.delete(name).") == "Delete it: dockerlab call ContainerDelete NAME."
    assert "--host practice" in for_shell('or use the practice engine: dockerlab.connect("practice")')
