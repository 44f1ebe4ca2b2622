"""The same call in other forms: the text of the lines. tests/contract/test_notebook_lines.py runs them."""

from __future__ import annotations

import ast
import datetime
import json
import shlex
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.endpoint.tls import Tls
from dockerlab.protocol import render
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.operations import OPERATIONS, Operation
from dockerlab.protocol.request import encode
from dockerlab.protocol.schemas import fields

USUAL = "unix:///var/run/docker.sock"


def exchange_of(operation: str, /, host: str = USUAL, **arguments: Any) -> Exchange:
    request = encode(OPERATIONS[operation], arguments, "1.51")
    return Exchange(
        operation=request.operation,
        arguments=request.arguments,
        method=request.operation.method,
        target=request.target,
        request_headers={"Host": "localhost", "User-Agent": "dockerlab", **request.headers},
        request_body=request.body if isinstance(request.body, bytes) else b"",
        docker_host=host,
        started=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        status=200,
        reason="OK",
    )


# -- raw


def test_raw_is_the_request_then_the_response() -> None:
    exchange = replace(exchange_of("ContainerInspect", id="web"), headers=[("Server", "x")], body=b'{"Id":"1"}')
    assert exchange.raw.splitlines() == [
        "GET /v1.51/containers/web/json HTTP/1.1",
        "Host: localhost",
        "User-Agent: dockerlab",
        "",
        "",
        "HTTP/1.1 200 OK",
        "Server: x",
        "",
        "{",
        '  "Id": "1"',
        "}",
    ]


def test_raw_shortens_long_bodies_and_says_so() -> None:
    exchange = replace(exchange_of("ContainerList"), body=json.dumps(["x" * 300, *range(100)]).encode())
    lines = exchange.raw.splitlines()
    assert lines[-1] == "… (cut: lab.last.text has all of it)"
    assert max(map(len, lines)) == render.WIDTH
    assert len(lines) < 40


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"OK", "OK"),
        (b"a\nb\n", "a\nb"),
        (b"\x01\x00\x00\x00\x00\x00\x00\x03hi\n", "(binary: lab.last.body has the bytes)"),
        (b"\xff\xfe", "(binary: lab.last.body has the bytes)"),
        (b"a\x1b[31mb", "a\ufffd[31mb"),
    ],
)
def test_raw_shows_text_and_announces_binary_bodies(body: bytes, text: str) -> None:
    assert replace(exchange_of("SystemPing"), body=body).raw.partition("200 OK\n\n")[2] == text


def test_raw_shows_no_body_of_a_stream() -> None:
    assert replace(exchange_of("ContainerExport", id="web"), streamed=True).raw.endswith(
        "(a stream: it was read piece by piece)"
    )


# -- curl


@pytest.mark.parametrize(
    ("operation", "arguments", "words"),
    [
        ("SystemPing", {}, "http://localhost/v1.51/_ping"),
        ("SystemPingHead", {}, "--head http://localhost/v1.51/_ping"),
        ("ContainerStart", {"id": "web"}, "--request POST http://localhost/v1.51/containers/web/start"),
        ("ContainerDelete", {"id": "web", "v": True}, "--request DELETE 'http://localhost/v1.51/containers/web?v=1'"),
        ("ContainerExport", {"id": "we/b"}, "--output we-b.tar http://localhost/v1.51/containers/we%2Fb/export"),
        (
            "ContainerLogs",
            {"id": "web", "stdout": True, "follow": True},
            "--no-buffer --output - 'http://localhost/v1.51/containers/web/logs?follow=1&stdout=1'",
        ),
        (
            "ContainerCreate",
            {"image": "it's"},
            "--request POST --header 'Content-Type: application/json' --data-binary "
            """'{"Image": "it'"'"'s"}' http://localhost/v1.51/containers/create""",
        ),
        (
            "ImageLoad",
            {"body": b"\0tar"},
            "--request POST --header 'Content-Type: application/x-tar' --data-binary @archive.tar "
            "http://localhost/v1.51/images/load",
        ),
    ],
)
def test_curl(operation: str, arguments: dict[str, Any], words: str) -> None:
    line = exchange_of(operation, **arguments).curl
    assert line == f"curl --silent --show-error --unix-socket /var/run/docker.sock {words}"


def test_curl_over_tcp_and_to_a_socket_with_a_space() -> None:
    assert exchange_of("SystemInfo", "tcp://[::1]:2375").curl.endswith(" 'http://[::1]:2375/v1.51/info'")
    assert "--unix-socket '/tmp/a b/e.sock'" in exchange_of("SystemInfo", "unix:///tmp/a b/e.sock").curl


def test_curl_and_docker_have_the_tls_files() -> None:
    info = exchange_of("SystemInfo", "tcp://h:2376")
    both = replace(info, tls=Tls("/c/ca.pem", "/c/cert.pem", "/c/a key.pem"))
    files = "--cacert /c/ca.pem --cert /c/cert.pem --key '/c/a key.pem'"
    assert both.curl == f"curl --silent --show-error {files} https://h:2376/v1.51/info"
    assert both.cli == (
        "docker --host tcp://h:2376 --tlsverify "
        "--tlscacert /c/ca.pem --tlscert /c/cert.pem --tlskey '/c/a key.pem' info"
    )
    neither = replace(info, tls=Tls(verify=False))
    assert neither.curl == "curl --silent --show-error --insecure https://h:2376/v1.51/info"
    assert neither.cli == "docker --host tcp://h:2376 --tls info"


def test_curl_over_ssh_runs_on_the_engine_host() -> None:
    exchange = exchange_of("ContainerCreate", "ssh://me@h:99", image="busybox", cmd=["echo", "it's"])
    *ssh, line = shlex.split(exchange.curl)
    assert ssh == ["ssh", "-l", "me", "-p", "99", "--", "h"]
    assert shlex.split(line)[:5] == ["curl", "--silent", "--show-error", "--unix-socket", "/var/run/docker.sock"]
    assert json.loads(shlex.split(line)[shlex.split(line).index("--data-binary") + 1])["Cmd"] == ["echo", "it's"]
    assert "--unix-socket '/run/a b.sock'" in shlex.split(exchange_of("SystemInfo", "ssh://h/run/a%20b.sock").curl)[-1]
    assert exchange_of("SystemInfo", "ssh://me@h:99").cli == "docker --host ssh://me@h:99 info"
    assert exchange_of("SystemInfo", "ssh://me@h:99").requests == 'lab.session.get(lab.url("/info"))'


@given(st.text("ab'\"$`\\ \n&;|*?{}[]~!#%äπ", min_size=1))
def test_a_shell_and_python_read_special_characters_unchanged(text: str) -> None:
    exchange = exchange_of("ContainerList", filters={"name": [text]}, limit=3)
    url = shlex.split(exchange.curl)[-1]
    assert json.loads(unquote(url.partition("filters=")[2])) == {"name": [text]}
    call = ast.parse(exchange.requests, mode="eval").body
    assert isinstance(call, ast.Call)
    params = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}["params"]
    assert params["limit"] == "3"
    assert json.loads(params["filters"]) == {"name": [text]}
    call = ast.parse(exchange.helper, mode="eval").body
    assert isinstance(call, ast.Call)
    assert {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords} == {
        "filters": {"name": [text]},
        "limit": 3,
    }
    assert shlex.split(exchange.cli)[-1] == f"name={text}"


# -- requests and helper


@pytest.mark.parametrize(
    ("operation", "arguments", "requests", "helper"),
    [
        ("SystemPing", {}, 'get(lab.url("/_ping"))', "system.ping()"),
        ("SystemPingHead", {}, 'head(lab.url("/_ping"))', "system.ping_head()"),
        (
            "ContainerList",
            {"all": True},
            'get(lab.url("/containers/json"), params={"all": "1"})',
            "container.list(all=True)",
        ),
        (
            "ContainerCreate",
            {"name": "web", "image": "busybox"},
            'post(lab.url("/containers/create"), params={"name": "web"}, json={"Image": "busybox"})',
            'container.create(name="web", image="busybox")',
        ),
        (
            "ContainerLogs",
            {"id": "web", "stdout": True, "follow": True},
            'get(lab.url("/containers/web/logs"), params={"follow": "1", "stdout": "1"}, stream=True)',
            'container.logs("web", follow=True, stdout=True)',
        ),
        ("ImageHistory", {"name": "a/b"}, 'get(lab.url("/images/a/b/history"))', 'image.history("a/b")'),
        (
            "ImageGetAll",
            {"names": ["a", "b"]},
            'get(lab.url("/images/get"), params={"names": ["a", "b"]})',
            'image.get_all(names=["a", "b"])',
        ),
        (
            "ImageLoad",
            {"body": b"\0tar", "quiet": True},
            'post(lab.url("/images/load"), params={"quiet": "1"}, data=open("archive.tar", "rb"))',
            'image.load(quiet=True, body="archive.tar")',
        ),
        (
            "ContainerStop",
            {"id": "web", "t": np.int64(3)},
            'post(lab.url("/containers/web/stop"), params={"t": "3"})',
            'container.stop("web", t=3)',
        ),
        (
            "ImageDelete",
            {"name": 'a"b'},
            'delete(lab.url("/images/a%22b"))',
            "image.delete('a\"b')",
        ),
    ],
)
def test_requests_and_helper(operation: str, arguments: dict[str, Any], requests: str, helper: str) -> None:
    exchange = exchange_of(operation, **arguments)
    assert exchange.requests == f"lab.session.{requests}"
    assert exchange.helper == f"lab.{helper}"


def test_a_time_is_written_as_it_was_sent() -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    exchange = exchange_of("ContainerLogs", id="web", stdout=True, since=moment)
    assert exchange.helper == 'lab.container.logs("web", stdout=True, since="1767323045.000000000")'


# -- the docker command


@pytest.mark.parametrize(
    ("operation", "arguments", "command"),
    [
        ("SystemVersion", {}, "version"),
        ("SystemInfo", {}, "info"),
        ("SystemPing", {}, ""),
        ("ContainerList", {}, "ps --no-trunc"),
        (
            "ContainerList",
            {"all": True, "size": True, "limit": 2, "filters": {"label": ["a=b", "c"]}},
            "ps --all --size --last 2 --no-trunc --filter label=a=b --filter label=c",
        ),
        ("ContainerInspect", {"id": "/web", "size": True}, "container inspect --size web"),
        ("ContainerTop", {"id": "web"}, "top web"),
        ("ContainerTop", {"id": "web", "ps_args": "-o pid,args"}, "top web -o pid,args"),
        ("ContainerLogs", {"id": "web", "stdout": True, "stderr": True, "tail": "5"}, "logs --tail 5 web"),
        ("ContainerLogs", {"id": "web", "stdout": True, "timestamps": True}, "logs --timestamps web 2>/dev/null"),
        ("ContainerLogs", {"id": "web", "stderr": True}, "logs web >/dev/null"),
        ("ContainerExport", {"id": "web"}, "export --output web.tar web"),
        ("ContainerStart", {"id": "web"}, "start web"),
        ("ContainerStart", {"id": "web", "detach_keys": "ctrl-p"}, ""),
        ("ContainerStop", {"id": "web", "t": 0, "signal": "INT"}, "stop --signal INT -t 0 web"),
        ("ContainerRestart", {"id": "web", "t": 1}, "restart -t 1 web"),
        ("ContainerKill", {"id": "web", "signal": "HUP"}, "kill --signal HUP web"),
        ("ContainerKill", {"id": "web"}, "kill web"),
        ("ContainerWait", {"id": "web"}, "wait web"),
        ("ContainerWait", {"id": "web", "condition": "not-running"}, "wait web"),
        ("ContainerWait", {"id": "web", "condition": "removed"}, ""),
        ("ContainerDelete", {"id": "web", "force": True, "v": True}, "rm --force --volumes web"),
        ("ContainerDelete", {"id": "web", "force": False}, "rm web"),
        ("ContainerDelete", {"id": "-f"}, ""),
        ("ContainerRename", {"id": "web", "name": "shop"}, "rename web shop"),
        ("ContainerPause", {"id": "web"}, "pause web"),
        ("ContainerUnpause", {"id": "web"}, "unpause web"),
        ("ImageList", {"all": True}, "images --all --no-trunc"),
        ("ImageList", {"shared_size": True}, ""),
        ("ImageInspect", {"name": "busybox"}, "image inspect busybox"),
        ("ImageHistory", {"name": "busybox"}, "history --no-trunc busybox"),
        ("NetworkList", {"filters": {"name": "a"}}, ""),
        ("SystemEvents", {}, ""),
        ("ContainerCreate", {"image": "busybox", "cmd": ["sleep", "1 2"]}, "create busybox sleep '1 2'"),
        (
            "ContainerCreate",
            {
                "name": "web",
                "image": "busybox",
                "entrypoint": ["sh"],
                "cmd": ["-c", "true"],
                "env": ["A=b c"],
                "labels": {"x": "y"},
                "working_dir": "/srv",
                "user": "nobody",
                "tty": True,
                "open_stdin": True,
                "hostname": "h",
                "stop_signal": "INT",
                "stop_timeout": 0,
                "exposed_ports": {"80/tcp": {}},
                "host_config": {"AutoRemove": True, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}},
            },
            "create --name web --hostname h --user nobody --workdir /srv --stop-signal INT --stop-timeout 0 "
            "--entrypoint sh --tty --interactive --env 'A=b c' --expose 80/tcp --label x=y --rm "
            "--restart on-failure:2 busybox -c true",
        ),
        ("ContainerCreate", {"image": "busybox", "entrypoint": ["sh", "-c"]}, ""),
        ("ContainerCreate", {"image": "busybox", "env": ["HOME"]}, ""),
        ("ContainerCreate", {"image": "busybox", "host_config": {"Memory": 1 << 26}}, ""),
        ("ContainerCreate", {"image": "busybox", "healthcheck": {"Test": ["NONE"]}}, ""),
    ],
)
def test_docker_command(operation: str, arguments: dict[str, Any], command: str) -> None:
    assert exchange_of(operation, **arguments).cli == (command and f"docker {command}")


def test_the_docker_command_names_the_host_unless_it_is_the_usual_socket() -> None:
    assert exchange_of("SystemInfo", "unix:///tmp/e.sock").cli == "docker --host unix:///tmp/e.sock info"
    assert exchange_of("SystemInfo", "tcp://127.0.0.1:2375").cli == "docker --host tcp://127.0.0.1:2375 info"


def test_the_docker_command_does_not_pull_an_image_that_create_did_not_have() -> None:
    assert replace(exchange_of("ContainerCreate", image="nope"), status=404).cli == "docker create --pull never nope"


# -- every operation


def _is_list_of_objects(operation: Operation, name: str) -> bool:
    """Return whether an argument is a list in a body whose items are not strings."""
    parameter = operation.by_argument[name]
    return parameter.place == "body" and parameter.type == "list" and fields(operation.id)[parameter.name] != "[str]"


@pytest.mark.parametrize("operation", [name for name, row in OPERATIONS.items() if row.since <= "1.51"])
def test_every_operation_can_be_shown(operation: str) -> None:
    row = OPERATIONS[operation]
    samples: dict[str, Any] = {
        "int": 1,
        "bool": True,
        "list": ["a"],
        "json": {},
        "filters": {"a": "b"},
        "time": 1,
    }
    arguments = {
        parameter.argument: samples.get(parameter.type, "x")
        for parameter in row.parameters
        if parameter.since <= "1.51"
    }
    arguments = {name: value for name, value in arguments.items() if not _is_list_of_objects(row, name)}
    if row.body == "tar":
        arguments["body"] = b"\0tar"
    elif row.body_required and not any(parameter.place == "body" for parameter in row.parameters):
        arguments["body"] = {"A": "b"} if row.body == "json" else ["a"]
    exchange = exchange_of(operation, **arguments)
    for line in (exchange.requests, exchange.helper):
        ast.parse(line, mode="eval")
    assert shlex.split(exchange.curl)[0] == "curl"
    assert exchange.raw.startswith(f"{row.method} ")
    assert "curl" in repr(exchange.show())


def test_an_empty_body_is_no_argument_of_the_helper() -> None:
    assert exchange_of("ExecStart", id="abc", body={}).helper == 'lab.exec.start("abc")'
    assert exchange_of("VolumeCreate", name="data", body={}).helper == 'lab.volume.create(name="data")'
    assert exchange_of("VolumeCreate", body={}).request_body == b"{}"
