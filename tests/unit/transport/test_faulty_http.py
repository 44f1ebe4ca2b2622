"""What an engine may do wrong in HTTP, against everything that reads: an error with its mend, no hang, nothing left."""

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
    with tempfile.TemporaryDirectory() as place:
        try:
            return lab.container.export("web", Path(place) / "web.tar")
        finally:
            assert list(Path(place).iterdir()) == [], "nothing is left of a file that isn't whole"


def chunks(lab: Lab) -> Any:
    with lab.open("ContainerExport", id="web", timeout=WAIT) as answer:
        return list(answer.chunks())


Act = Callable[[Lab], Any]
#: Everything that reads an answer as plain HTTP.
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
#: Everything that takes its connection over.
TAKEN: dict[str, Act] = {
    "exec.start": lambda lab: lab.exec.start("e", timeout=WAIT).read(),  # type: ignore[union-attr]
    "exec.start, detached": lambda lab: lab.exec.start("e", detach=True, timeout=WAIT),
    "attach": lambda lab: lab.container.attach("web", tty=False, timeout=WAIT).read(),
    "websocket": lambda lab: lab.container.attach_websocket("web", timeout=WAIT).read(),
}
ALL = {**PLAIN, **TAKEN}
WAITING = {name: act for name, act in ALL.items() if name != "export to a file"}  # which waits for the Lab's timeout


def fails(act: Act, said: Any, end: str, *kinds: type[DockerlabError], timeout: float = WAIT) -> str:
    """Give the words of the error, which is one of these kinds, and comes in time."""
    with faulty_engine(said, end, timeout) as (lab, _):
        begun = time.monotonic()
        with pytest.raises(DockerlabError) as caught:
            act(lab)
        assert time.monotonic() - begun < 5
        assert isinstance(caught.value, kinds or DockerlabError), repr(caught.value)
        assert str(caught.value).rstrip()[-1] in ".)", caught.value
        assert lab.call("SystemPing").text == "OK", "the Lab can be used afterwards"
    return str(caught.value)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["-", "status", "head"])
def test_an_engine_that_is_killed_before_its_answer(name: str, end: str, said: bytes) -> None:
    fails(ALL[name], said, end, ConnectionFailed)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize(
    "said", [OK + b"Content-Length: 99\r\n\r\nabc", OK + CHUNKED + b"9\r\nab", OK + CHUNKED + b"2\r\nab\r\n"]
)
def test_an_engine_that_is_killed_in_its_answer(name: str, end: str, said: bytes) -> None:
    fails(PLAIN[name], said, end, StreamBroken)


@pytest.mark.parametrize("name", ["exec.start", "attach"])
@pytest.mark.parametrize("end", ["fin", "rst"])
def test_an_engine_that_is_killed_in_a_frame(name: str, end: str) -> None:
    said = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + b"\1\0\0\0\0\0\0\x09abc"
    fails(TAKEN[name], said, end, StreamBroken)


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["nothing", "head"])
def test_an_engine_that_stalls_before_its_answer(name: str, said: bytes) -> None:
    assert "timeout=" in fails(WAITING[name], said, "stall", EngineTimeout)


@pytest.mark.parametrize("name", [name for name in PLAIN if name in WAITING])
@pytest.mark.parametrize("said", [OK + CHUNKED, OK + b"Content-Length: 99\r\n\r\n"], ids=["chunked", "length"])
def test_an_engine_that_stalls_in_its_answer(name: str, said: bytes) -> None:
    assert "timeout=" in fails(WAITING[name], said, "stall", EngineTimeout)


@pytest.mark.parametrize("name", ["exec.start", "attach"])
def test_an_engine_that_stalls_in_a_frame(name: str) -> None:
    said = b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n" + b"\1\0\0\0\0\0\0\x09abc"
    assert "timeout=" in fails(TAKEN[name], said, "stall", EngineTimeout)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "said",
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
def test_what_does_not_speak_http(name: str, said: bytes) -> None:
    fails(ALL[name], said, "fin", ConnectionFailed)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("size", [b"zz", b"-5", b"", b"ffffffffffffffffffff", b"5;" + b"x" * 70_000])
def test_a_chunk_whose_size_is_none(name: str, size: bytes) -> None:
    fails(PLAIN[name], OK + CHUNKED + size + b"\r\nabcde\r\n", "fin", ConnectionFailed)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"103 Early Hints"])
def test_a_status_that_is_no_final_one(name: str, status: bytes) -> None:
    assert "which is not a final response" in fails(
        PLAIN[name], b"HTTP/1.1 " + status + b"\r\n\r\n", "fin", StreamBroken
    )


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("status", [b"301 Moved", b"307 Temporary Redirect"])
def test_a_redirect_is_not_followed(name: str, status: bytes) -> None:
    said = b"HTTP/1.1 " + status + b"\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    assert "redirects its clients" in fails(ALL[name], said, "keep")


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("status", [b"102 Processing", b"304 Not Modified"])
def test_a_connection_that_is_not_handed_over(name: str, status: bytes) -> None:
    fails(TAKEN[name], b"HTTP/1.1 " + status + b"\r\n\r\n", "fin")


@pytest.mark.parametrize("name", PLAIN)
def test_lengths_that_contradict_each_other(name: str) -> None:
    fails(PLAIN[name], OK + b"Content-Length: 5\r\nContent-Length: 90\r\n\r\nabcde", "fin", ConnectionFailed)


# -- packed answers


@functools.cache
def bomb() -> bytes:
    return gzip.compress(bytes(64 << 20), 9)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("status", [b"200 OK", b"500 Internal Server Error"])
def test_a_packed_answer_is_refused_and_never_unpacked(name: str, status: bytes) -> None:
    body = bomb()
    head = b"HTTP/1.1 %b\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    assert "The response is compressed (gzip)" in fails(PLAIN[name], head + body, "fin", StreamBroken)


@pytest.mark.parametrize("name", ["exec.start", "attach"])
def test_a_packed_refusal_is_never_unpacked(name: str) -> None:
    body = bomb()
    head = b"HTTP/1.1 409 Conflict\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert len(fails(TAKEN[name], head + body, "fin")) < 1000


# -- errors without an end


def endless(head: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 500 Internal Server Error\r\n" + CHUNKED
    for _ in range(4096):
        yield b"40000\r\n" + b"x" * 0x40000 + b"\r\n"


@pytest.mark.parametrize("name", [*PLAIN, "exec.start", "attach"])
def test_an_error_without_an_end_is_not_read_to_it(name: str) -> None:
    with faulty_engine(endless) as (lab, engine):
        with pytest.raises(ServerError) as caught:
            ALL[name](lab)
        assert len(caught.value.exchange.body) == ERROR_BYTES
    assert engine.sent < 64 << 20


# -- bodies that are not what they should be


BODIES = {
    "nothing": b"",
    "garbage": b"\0\xff\xfe{garbage" * 10,
    "a page": b"<html>Welcome</html>",
    "half a document": b'{"Id": "abc", "Nam',
    "deep": b"[" * 100_000,
    "deep and whole": b"[" * 50_000 + b"]" * 50_000,
    "a number of many digits": b"9" * 100_000,
    "another shape": b'"text"',
}
JSON_READERS = ["list", "inspections", "image.create", "events", "stats"]
NONE_IS_FINE = {"image.create", "events", "stats"}  # streams of no records, or of some that are no objects


@pytest.mark.parametrize("name", JSON_READERS)
@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_not_json(name: str, body: str) -> None:
    said = OK + b"Content-Length: %d\r\n\r\n" % len(BODIES[body]) + BODIES[body]
    if name in NONE_IS_FINE and body in ("nothing", "another shape"):
        with faulty_engine(said, "keep") as (lab, _):
            assert len(PLAIN[name](lab)) == (body == "another shape" and name != "image.create")
        return
    if name == "inspections" and body == "another shape":
        with faulty_engine(said, "keep") as (lab, _):
            assert len(PLAIN[name](lab)) == 0, "what is no object is no row"
        return
    fails(PLAIN[name], said, "keep", StreamBroken)


@pytest.mark.parametrize("body", ["nothing", "garbage", "deep", "a number of many digits"])
def test_json_of_an_exchange_is_json_or_an_error(body: str) -> None:
    with faulty_engine(OK + b"Content-Length: %d\r\n\r\n" % len(BODIES[body]) + BODIES[body], "keep") as (lab, _):
        found = lab.call("SystemInfo")
        with pytest.raises(NotJson, match=r"SystemInfo: the response is not JSON.*Run dockerlab doctor"):
            found.json()
        with pytest.raises(ValueError, match="not JSON"):
            lab.last.json()
        assert "does not answer" in repr(lab)


@pytest.mark.parametrize("body", [b'{"Components": {"a": 1}, "Platform": []}', b"[]", b'{"Components": [5]}', b"null"])
def test_an_engine_of_an_odd_version_has_a_name(body: bytes) -> None:
    with faulty_engine(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body, "keep") as (lab, _):
        assert lab.engine == "engine"
        assert repr(lab).startswith("<Lab engine ")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b'{"Config": []}', b'{"Config": "x"}'])
def test_an_inspect_of_another_shape_stops_logs(body: bytes) -> None:
    said = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    fails(lambda lab: lab.container.logs("web"), said, "keep", StreamBroken)


@pytest.mark.parametrize("body", ["nothing", "garbage", "a page", "deep"])
@pytest.mark.parametrize("name", ["export", "archive", "export to a file"])
def test_a_body_that_is_no_tar(name: str, body: str) -> None:
    said = OK + b"Content-Length: %d\r\n\r\n" % len(BODIES[body]) + BODIES[body]
    assert "ended too early" in fails(PLAIN[name], said, "keep", StreamBroken)


@pytest.mark.parametrize("body", ["garbage", "a page"])
@pytest.mark.parametrize("name", ["logs", "follow", "exec.start", "attach"])
def test_a_body_that_has_no_frames(name: str, body: str) -> None:
    said = OK + (b"\r\n" if name in TAKEN else b"Content-Length: %d\r\n\r\n" % len(BODIES[body])) + BODIES[body]
    fails(ALL[name], said, "fin", StreamBroken)
