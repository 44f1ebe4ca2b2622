"""Arguments become requests, or an error whose message says what is wrong with them."""

from __future__ import annotations

import base64
import datetime
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.errors import ArgumentError
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.request import Request, encode, has_no_end, operation_named

MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC)


def request(operation: str, version: str = "1.51", /, **arguments: Any) -> Request:
    return encode(OPERATIONS[operation], arguments, version)


def error_of(operation: str, version: str = "1.51", /, **arguments: Any) -> str:
    with pytest.raises(ArgumentError) as error:
        request(operation, version, **arguments)
    return str(error.value)


# -- where an argument goes


def test_path_query_and_body() -> None:
    encoded = request("ContainerStop", id="web", t=3, signal=None)
    assert encoded.target == "/v1.51/containers/web/stop?t=3"
    assert encoded.arguments == {"id": "web", "t": 3}
    assert (encoded.headers, encoded.body) == ({}, None)
    encoded = request("ContainerCreate", name="web", image="busybox", cmd=("sleep", "1"), open_stdin=True)
    assert encoded.target == "/v1.51/containers/create?name=web"
    assert encoded.headers == {"Content-Type": "application/json"}
    assert isinstance(encoded.body, bytes)
    assert json.loads(encoded.body) == {"Image": "busybox", "Cmd": ["sleep", "1"], "OpenStdin": True}


def test_a_whole_body_and_a_field_that_replaces_one_of_its_own() -> None:
    plain, command = {"Image": "busybox", "Cmd": ["true"]}, ["false"]
    assert json.loads(bytes(request("ContainerCreate", body=plain).body or b"")) == plain  # type: ignore[arg-type]
    body = request("ContainerCreate", body=plain, cmd=command).body
    assert isinstance(body, bytes)
    assert json.loads(body) == {"Image": "busybox", "Cmd": command}
    assert plain["Cmd"] == ["true"]


def test_a_tar_is_bytes_a_path_or_an_open_file(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"tar")
    assert request("ImageLoad", body=b"tar").body == b"tar"
    body = request("ImageLoad", body=tmp_path / "a.tar").body
    assert not isinstance(body, (bytes, type(None)))
    with body:
        assert body.read() == b"tar"
    file = io.BytesIO(b"tar")
    assert request("ImageLoad", body=file).body is file
    assert request("ImageLoad", body=b"").headers["Content-Type"] == "application/x-tar"
    assert "an open file" in error_of("ImageLoad", body=3)


def test_credentials_become_base64_of_json() -> None:
    credentials = {"username": "u", "password": "ü?>"}
    header = request("ImagePush", name="web", registry_auth=credentials).headers["X-Registry-Auth"]
    assert json.loads(base64.urlsafe_b64decode(header)) == credentials
    for bad in ("a\r\nX: y", "snow ☃", "\x7f"):
        assert "header" in error_of("ImagePush", name="web", registry_auth=bad)


def test_a_list_is_repeated_in_the_query() -> None:
    assert parse_qs(urlsplit(request("ImageGetAll", names=["a", "b/c:1"]).target).query) == {"names": ["a", "b/c:1"]}
    assert request("ImageGetAll", names="a").target.endswith("?names=a")


def test_an_empty_list_of_a_body_stays_a_list() -> None:
    assert request("PluginPull", remote="web", body=[]).body == b"[]"
    assert request("ContainerStop", id="web").body is None


# -- names in the path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("busybox", "busybox"),
        ("quay.io/org/image:1.2", "quay.io/org/image:1.2"),
        ("a/b@sha256:00", "a/b@sha256:00"),
        ("a b?c#d%e", "a%20b%3Fc%23d%25e"),
        ("ü", "%C3%BC"),
    ],
)
def test_an_image_name_keeps_its_slashes(name: str, path: str) -> None:
    assert request("ImageInspect", name=name).target == f"/v1.51/images/{path}/json"


def test_a_container_name_may_have_the_slash_of_the_list_response() -> None:
    assert request("ContainerInspect", id="/web").target == "/v1.51/containers/web/json"
    assert request("ContainerInspect", id="we/b").target == "/v1.51/containers/we%2Fb/json"


@pytest.mark.parametrize("bad", ["", "/", ".", "..", "a/../b", "a//b", "b/", "//", 3, b"x", ["x"], True])
def test_a_wrong_name_is_an_error(bad: object) -> None:
    assert error_of("ImageInspect", name=bad) == f"ImageInspect: `name` is a name or an id, not {bad!r}."


# -- values


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(True, "1"), (False, "0"), (1, "1"), (0, "0"), ("true", "1"), ("False", "0"), ("1", "1"), (np.True_, "1")],
)
def test_booleans(value: object, encoded: str) -> None:
    assert request("ContainerList", all=value).target == f"/v1.51/containers/json?all={encoded}"


@pytest.mark.parametrize("bad", [2, "yes", [], 0.5, pd.DataFrame(), float("nan"), np.array([1])])
def test_values_that_are_not_booleans(bad: object) -> None:
    assert "`all` is True or False" in error_of("ContainerList", all=bad)


@pytest.mark.parametrize(("value", "encoded"), [(3, "3"), ("3", "3"), (3.0, "3"), (-1, "-1"), (np.int64(7), "7")])
def test_whole_numbers(value: object, encoded: str) -> None:
    assert request("ContainerStop", id="web", t=value).target.endswith(f"?t={encoded}")


@pytest.mark.parametrize("bad", [True, "soon", 1.5, float("nan"), float("inf"), [], {}, pd.NA])
def test_values_that_are_not_whole_numbers(bad: object) -> None:
    assert "`t` is a whole number" in error_of("ContainerStop", id="web", t=bad)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (MOMENT, "1767323045.678901000"),
        (MOMENT.astimezone(datetime.timezone(datetime.timedelta(hours=-5))), "1767323045.678901000"),
        (pd.Timestamp("2026-01-02T03:04:05.678901234Z"), "1767323045.678901234"),
        (datetime.datetime(1969, 12, 31, 23, 59, 59, 500000, datetime.UTC), "-1.500000000"),
        (1767323045, "1767323045"),
        (np.int64(5), "5"),
        (1.5, "1.500000000"),
        ("1767323045.123456789", "1767323045.123456789"),
        ("2026-01-02T03:04:05+00:00", "1767323045.000000000"),
        ("2026-01-02 04:04:05+01:00", "1767323045.000000000"),
    ],
)
def test_times(value: object, encoded: str) -> None:
    assert request("ContainerLogs", id="web", stdout=True, since=value).target.endswith(f"since={encoded}")


def test_a_timedelta_means_that_long_ago() -> None:
    for ago in (datetime.timedelta(minutes=5), pd.Timedelta("5min")):
        since = dict(request("ContainerLogs", id="web", stdout=True, since=ago).query)["since"]
        assert abs(datetime.datetime.now(datetime.UTC).timestamp() - 300 - float(since)) < 5


@pytest.mark.parametrize("bad", ["yesterday", True, pd.NaT, float("nan"), [], datetime.time(1), "5m"])
def test_values_that_are_not_times(bad: object) -> None:
    assert "`since` is a datetime, a timedelta" in error_of("ContainerLogs", id="web", stdout=True, since=bad)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ({"status": "running"}, {"status": ["running"]}),
        ({"status": ["running", "exited"]}, {"status": ["running", "exited"]}),
        ({"label": {"a": "b", "c": None}}, {"label": ["a=b", "c"]}),
        ({"exited": 137}, {"exited": ["137"]}),
        ({"is-task": False}, {"is-task": ["false"]}),
        ('{"status":["running"]}', {"status": ["running"]}),
        ({}, {}),
    ],
)
def test_filters(value: object, encoded: object) -> None:
    assert json.loads(dict(request("ContainerList", filters=value).query)["filters"]) == encoded


@pytest.mark.parametrize("bad", ["status=running", ["status"], 3, "[1]"])
def test_values_that_are_not_filters(bad: object) -> None:
    assert "`filters` is a dict of filters" in error_of("ContainerList", filters=bad)


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1), max_size=3), st.text(min_size=1))
def test_any_text_is_encoded_without_loss(filters: dict[str, list[str]], text: str) -> None:
    query = urlsplit(request("ContainerList", filters=filters).target).query
    assert json.loads(parse_qs(query)["filters"][0]) == filters
    target = request("ContainerTop", id="web", ps_args=text).target
    assert target.isascii()
    assert " " not in target
    assert unquote(target.partition("ps_args=")[2]) == text


# -- wrong arguments


@pytest.mark.parametrize(
    ("operation", "arguments", "text"),
    [
        ("ContainerList", {"al": 1}, "no argument `al`. Did you mean `all`? It takes: all, limit, size, filters."),
        ("SystemPing", {"x": 1}, "SystemPing has no argument `x`. It takes no arguments."),
        ("ContainerTop", {}, "ContainerTop needs `id`."),
        ("ContainerRename", {}, "ContainerRename needs `id` and `name`."),
        ("ContainerCreate", {}, "ContainerCreate needs a body: its fields as arguments, or body=, a dict."),
        ("ContainerCreate", {"image": 3}, "ContainerCreate: `image` is a text, not 3."),
        ("ContainerCreate", {"tty": "maybe"}, "ContainerCreate: `tty` is True or False, not 'maybe'."),
        ("ContainerCreate", {"labels": ["a"]}, "ContainerCreate: `labels` is a dict, not ['a']."),
        ("ContainerKill", {"id": "web", "signal": ["HUP"]}, "ContainerKill: `signal` is a text, not ['HUP']."),
    ],
)
def test_wrong_arguments_are_explained(operation: str, arguments: dict[str, Any], text: str) -> None:
    assert error_of(operation, **arguments).endswith(text)


def test_a_newer_argument_is_sent_in_its_api_version_if_the_engine_supports_it() -> None:
    encoded = encode(OPERATIONS["ImageList"], {"identity": True}, "1.51", "1.55")
    assert encoded.target == "/v1.54/images/json?identity=1"
    assert encode(OPERATIONS["ImageList"], {}, "1.51", "1.55").target == "/v1.51/images/json"
    assert error_of("ImageAttestations", name="busybox") == (
        "ImageAttestations needs API 1.55, and this engine supports 1.51, see lab.version. Use a newer engine."
    )


def test_an_argument_that_is_too_new_is_an_error() -> None:
    message = error_of("ContainerStop", "1.41", id="web", signal="HUP")
    assert message == "ContainerStop: `signal` needs API 1.42, and this engine supports 1.41. Leave it out."
    assert request("ContainerStop", "1.42", id="web", signal="HUP").target == "/v1.42/containers/web/stop?signal=HUP"
    assert request("ContainerStop", "1.41", id="web", signal=None).target == "/v1.41/containers/web/stop"


def test_an_unknown_operation_gets_suggestions() -> None:
    assert operation_named("ContainerList") is OPERATIONS["ContainerList"]
    with pytest.raises(ArgumentError, match="Did you mean ContainerList"):
        operation_named("containerlist")
    with pytest.raises(ArgumentError, match=r"no operation 'zzz' in the Engine API\.$"):
        operation_named("zzz")


# -- every row


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_can_be_encoded_with_its_required_arguments(operation: str) -> None:
    samples: dict[str, Any] = {
        "int": 1,
        "bool": True,
        "list": ["a"],
        "json": {},
        "filters": {"a": "b"},
        "time": 1,
    }
    row = OPERATIONS[operation]
    arguments = {
        parameter.argument: samples.get(parameter.type, "x") for parameter in row.parameters if parameter.required
    }
    if row.body == "tar":
        arguments["body"] = b"tar"
    elif row.body_required and not any(
        parameter.required and parameter.place == "body" for parameter in row.parameters
    ):
        arguments["body"] = {"A": "b"} if row.body == "json" else ["a"]
    encoded = encode(row, arguments, "1.51", "1.55")
    assert encoded.target.startswith(f"/v{max('1.51', row.since)}/")
    assert "{" not in encoded.target


# -- responses without an end


@pytest.mark.parametrize(
    ("operation", "arguments", "expected"),
    [
        ("ContainerLogs", {}, False),
        ("ContainerLogs", {"follow": False}, False),
        ("ContainerLogs", {"follow": True}, True),
        ("ContainerLogs", {"follow": "true"}, True),
        ("ContainerLogs", {"follow": True, "until": 1}, True),
        ("ServiceLogs", {"follow": 1}, True),
        ("TaskLogs", {"follow": 0}, False),
        ("SystemEvents", {}, True),
        ("SystemEvents", {"since": 1}, True),
        ("SystemEvents", {"until": None}, True),
        ("SystemEvents", {"until": 0}, False),
        ("ContainerStats", {}, True),
        ("ContainerStats", {"stream": True}, True),
        ("ContainerStats", {"stream": False}, False),
        ("ContainerStats", {"stream": False, "one_shot": True}, False),
        # The API allows one-shot only with stream=false. Some engines answer 400, others stream without an end.
        ("ContainerStats", {"one_shot": True}, True),
        ("ContainerStats", {"stream": True, "one_shot": True}, True),
        ("ContainerList", {"all": True}, False),
        ("ImageBuild", {}, False),
    ],
)
def test_responses_without_an_end_are_recognized(operation: str, arguments: dict[str, Any], expected: bool) -> None:
    assert has_no_end(OPERATIONS[operation], arguments) is expected
