"""Wrong HTTP from an engine: each call that reads it ends in time, with an error and advice, and leaves nothing."""

from __future__ import annotations

import functools
import gzip
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import faulty_engine

from dockerlab import Lab
from dockerlab.errors import ConnectionFailed, DockerlabError, EngineTimeout, NotJson, ServerError, StreamBroken
from dockerlab.transport.failures import ERROR_BYTES

OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
WAIT = 0.3


def export_to(lab: Lab) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return lab.container.export("web", Path(folder) / "web.tar")
        finally:
            assert list(Path(folder).iterdir()) == [], "an incomplete file is removed"


def chunks(lab: Lab) -> Any:
    with lab.open("ContainerExport", id="web", timeout=WAIT) as response:
        return list(response.chunks())


Act = Callable[[Lab], Any]
#: The calls that read an ordinary HTTP response.
PLAIN: dict[str, Act] = {
    "call": lambda lab: lab.call("ContainerList", timeout=WAIT),
    "open": chunks,
    "list": lambda lab: lab.container.list(timeout=WAIT),
    "inspections": lambda lab: lab.container.inspect(["a", "b", "c", "d", "e", "f"], timeout=WAIT),
    "logs": lambda lab: lab.container.logs("web", tty=False, timeout=WAIT),
    "logs of a terminal": lambda lab: lab.container.logs("web", tty=True, timeout=WAIT),
    "follow": lambda lab: list(lab.container.logs("web", tty=False, follow=True, timeout=WAIT)),
    "export": lambda lab: lab.container.export("web", timeout=WAIT),
    "export to a file": export_to,
    "archive": lambda lab: lab.container.archive("web", "/etc", timeout=WAIT),
    "image.create": lambda lab: lab.image.create(from_image="busybox", timeout=WAIT),
    "image.build": lambda lab: lab.image.build(b"", timeout=WAIT),
    "events": lambda lab: list(lab.system.events(timeout=WAIT)),
    "stats": lambda lab: list(lab.container.stats("web", timeout=WAIT)),
    "gather": lambda lab: lab.gather("ContainerInspect", [{"id": f"c{n}"} for n in range(6)], timeout=WAIT),
}
#: The calls that hijack their connection.
HIJACKING: dict[str, Act] = {
    "exec.start": lambda lab: lab.exec.start("e", timeout=WAIT).read(),  # type: ignore[union-attr]
    "exec.start, detached": lambda lab: lab.exec.start("e", detach=True, timeout=WAIT),
    "attach": lambda lab: lab.container.attach("web", tty=False, timeout=WAIT).read(),
    "websocket": lambda lab: lab.container.attach_websocket("web", timeout=WAIT).read(),
}
ALL = {**PLAIN, **HIJACKING}
WAITING = {name: act for name, act in ALL.items() if name != "export to a file"}  # it has no timeout of its own


def failure(act: Act, response: Any, end: str, *error_classes: type[DockerlabError], timeout: float = WAIT) -> str:
    """Return the message of the error, which must have one of these classes and come in time."""
    with faulty_engine(response, end, timeout) as (lab, _):
        begin = time.monotonic()
        with pytest.raises(DockerlabError) as error:
            act(lab)
        assert time.monotonic() - begin < 5
        assert isinstance(error.value, error_classes or DockerlabError), repr(error.value)
        assert str(error.value).rstrip()[-1] in ".)", error.value
        assert lab.call("SystemPing").text == "OK", "the Lab can be used afterwards"
    return str(error.value)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize(
    "response", [b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["-", "status", "head"]
)
def test_an_engine_that_is_killed_before_its_response(name: str, end: str, response: bytes) -> None:
    failure(ALL[name], response, end, ConnectionFailed)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize(
    "response", [OK + b"Content-Length: 99\r\n\r\nabc", OK + CHUNKED + b"9\r\nab", OK + CHUNKED + b"2\r\nab\r\n"]
)
def test_an_engine_that_is_killed_within_its_response(name: str, end: str, response: bytes) -> None:
    failure(PLAIN[name], response, end, StreamBroken)


@pytest.mark.parametrize("name", ["exec.start", "attach"])
@pytest.mark.parametrize("end", ["fin", "rst"])
def test_an_engine_that_is_killed_within_a_frame(name: str, end: str) -> None:
    response = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + b"\1\0\0\0\0\0\0\x09abc"
    failure(HIJACKING[name], response, end, StreamBroken)


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["nothing", "head"])
def test_an_engine_that_stalls_before_its_response(name: str, response: bytes) -> None:
    assert "timeout=" in failure(WAITING[name], response, "stall", EngineTimeout)


@pytest.mark.parametrize("name", [name for name in PLAIN if name in WAITING])
@pytest.mark.parametrize("response", [OK + CHUNKED, OK + b"Content-Length: 99\r\n\r\n"], ids=["chunked", "length"])
def test_an_engine_that_stalls_within_its_response(name: str, response: bytes) -> None:
    assert "timeout=" in failure(WAITING[name], response, "stall", EngineTimeout)


@pytest.mark.parametrize("name", ["exec.start", "attach"])
def test_an_engine_that_stalls_within_a_frame(name: str) -> None:
    response = b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n" + b"\1\0\0\0\0\0\0\x09abc"
    assert "timeout=" in failure(HIJACKING[name], response, "stall", EngineTimeout)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "response",
    [
        b"\0\xff\xfe garbage \x80\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"x" * 200_000,
        b"HTTP/9.9 abc def\r\n\r\n",
        OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        OK + b"".join(b"X-%d: y\r\n" % number for number in range(500)) + b"\r\n",
    ],
    ids=["bytes", "ssh", "long", "version", "huge header", "many headers"],
)
def test_a_server_that_does_not_speak_http(name: str, response: bytes) -> None:
    failure(ALL[name], response, "fin", ConnectionFailed)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("size", [b"zz", b"-5", b"", b"ffffffffffffffffffff", b"5;" + b"x" * 70_000])
def test_an_invalid_chunk_size(name: str, size: bytes) -> None:
    failure(PLAIN[name], OK + CHUNKED + size + b"\r\nabcde\r\n", "fin", ConnectionFailed)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"103 Early Hints"])
def test_a_status_that_is_not_final(name: str, status: bytes) -> None:
    assert "which is not a final response" in failure(
        PLAIN[name], b"HTTP/1.1 " + status + b"\r\n\r\n", "fin", StreamBroken
    )


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("status", [b"301 Moved", b"307 Temporary Redirect"])
def test_a_redirect_is_not_followed(name: str, status: bytes) -> None:
    response = b"HTTP/1.1 " + status + b"\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    assert "redirects its clients" in failure(ALL[name], response, "keep")


@pytest.mark.parametrize("name", HIJACKING)
@pytest.mark.parametrize("status", [b"102 Processing", b"304 Not Modified"])
def test_a_connection_that_is_not_hijacked(name: str, status: bytes) -> None:
    failure(HIJACKING[name], b"HTTP/1.1 " + status + b"\r\n\r\n", "fin")


@pytest.mark.parametrize("name", PLAIN)
def test_lengths_that_contradict_each_other(name: str) -> None:
    failure(PLAIN[name], OK + b"Content-Length: 5\r\nContent-Length: 90\r\n\r\nabcde", "fin", ConnectionFailed)


# -- compressed responses


@functools.cache
def bomb() -> bytes:
    return gzip.compress(bytes(64 << 20), 9)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("status", [b"200 OK", b"500 Internal Server Error"])
def test_a_compressed_response_is_an_error_and_not_decompressed(name: str, status: bytes) -> None:
    body = bomb()
    head = b"HTTP/1.1 %b\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    assert "The response is compressed (gzip)" in failure(PLAIN[name], head + body, "fin", StreamBroken)


@pytest.mark.parametrize("name", ["exec.start", "attach"])
def test_a_compressed_refusal_is_not_decompressed(name: str) -> None:
    body = bomb()
    head = b"HTTP/1.1 409 Conflict\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert len(failure(HIJACKING[name], head + body, "fin")) < 1000


# -- errors without an end


def endless(head: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 500 Internal Server Error\r\n" + CHUNKED
    for _ in range(4096):
        yield b"40000\r\n" + b"x" * 0x40000 + b"\r\n"


@pytest.mark.parametrize("name", [*PLAIN, "exec.start", "attach"])
def test_reading_an_endless_error_stops_at_the_limit(name: str) -> None:
    with faulty_engine(endless) as (lab, engine):
        with pytest.raises(ServerError) as error:
            ALL[name](lab)
        assert len(error.value.exchange.body) == ERROR_BYTES
    assert engine.sent < 64 << 20


# -- bodies of another format


BODIES = {
    "nothing": b"",
    "garbage": b"\0\xff\xfe{garbage" * 10,
    "a page": b"<html>Welcome</html>",
    "half a document": b'{"Id": "abc", "Nam',
    "deep": b"[" * 100_000,
    "deep and complete": b"[" * 50_000 + b"]" * 50_000,
    "a number of many digits": b"9" * 100_000,
    "another shape": b'"text"',
}
JSON_READERS = ["list", "inspections", "image.create", "events", "stats"]
STREAMS = {"image.create", "events", "stats"}  # may have no records, or records that are no objects


@pytest.mark.parametrize("name", JSON_READERS)
@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_not_json(name: str, body: str) -> None:
    response = OK + b"Content-Length: %d\r\n\r\n" % len(BODIES[body]) + BODIES[body]
    if name in STREAMS and body in ("nothing", "another shape"):
        with faulty_engine(response, "keep") as (lab, _):
            assert len(PLAIN[name](lab)) == (body == "another shape" and name != "image.create")
        return
    if name == "inspections" and body == "another shape":
        with faulty_engine(response, "keep") as (lab, _):
            assert len(PLAIN[name](lab)) == 0, "a value that is no object has no row"
        return
    failure(PLAIN[name], response, "keep", StreamBroken)


@pytest.mark.parametrize("body", ["nothing", "garbage", "deep", "a number of many digits"])
def test_json_of_an_exchange_is_json_or_an_error(body: str) -> None:
    with faulty_engine(OK + b"Content-Length: %d\r\n\r\n" % len(BODIES[body]) + BODIES[body], "keep") as (lab, _):
        exchange = lab.call("SystemInfo")
        with pytest.raises(NotJson, match=r"SystemInfo: the response is not JSON.*Run dockerlab doctor"):
            exchange.json()
        with pytest.raises(ValueError, match="not JSON"):
            lab.last.json()
        assert "does not answer" in repr(lab)


@pytest.mark.parametrize("body", [b'{"Components": {"a": 1}, "Platform": []}', b"[]", b'{"Components": [5]}', b"null"])
def test_an_engine_with_an_unusual_version_response_has_a_name(body: bytes) -> None:
    with faulty_engine(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body, "keep") as (lab, _):
        assert lab.engine == "engine"
        assert repr(lab).startswith("<Lab engine ")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b'{"Config": []}', b'{"Config": "x"}'])
def test_logs_fail_if_the_inspect_response_has_another_shape(body: bytes) -> None:
    response = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    failure(lambda lab: lab.container.logs("web"), response, "keep", StreamBroken)


@pytest.mark.parametrize("body", ["nothing", "garbage", "a page", "deep"])
@pytest.mark.parametrize("name", ["export", "archive", "export to a file"])
def test_a_body_that_is_no_tar(name: str, body: str) -> None:
    response = OK + b"Content-Length: %d\r\n\r\n" % len(BODIES[body]) + BODIES[body]
    assert "ended too early" in failure(PLAIN[name], response, "keep", StreamBroken)


@pytest.mark.parametrize("body", ["garbage", "a page"])
@pytest.mark.parametrize("name", ["logs", "follow", "exec.start", "attach"])
def test_a_body_without_frames(name: str, body: str) -> None:
    response = OK + (b"\r\n" if name in HIJACKING else b"Content-Length: %d\r\n\r\n" % len(BODIES[body])) + BODIES[body]
    failure(ALL[name], response, "fin", StreamBroken)
