"""Reading an endless line or JSON document stops at a limit, and earlier records are returned."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from servers import faulty_engine

from dockerlab import Lab
from dockerlab.errors import StreamBroken
from dockerlab.protocol import streams

MIB = 1 << 20
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def endless(first: bytes, again: bytes) -> Callable[[bytes], Iterator[bytes]]:
    def response(request: bytes) -> Iterator[bytes]:
        yield HEAD + chunk(first)
        for _ in range(1024):
            yield chunk(again)

    return response


FRAMED = endless(struct.pack(">BxxxI", 1, 6) + b"first\n", struct.pack(">BxxxI", 1, MIB) + b"x" * MIB)
RAW = endless(b"first\n", b"x" * MIB)
JSON = endless(b'{"status": "first"}\n{"status": "', b"x" * MIB)
ACTS: dict[str, tuple[Callable[[bytes], Iterator[bytes]], Callable[[Lab], Any]]] = {
    "logs": (FRAMED, lambda lab: lab.container.logs("web", tty=False)),
    "logs of a terminal": (RAW, lambda lab: lab.container.logs("web", tty=True)),
    "stamped": (FRAMED, lambda lab: lab.container.logs("web", tty=False, timestamps=True)),
    "follow": (FRAMED, lambda lab: list(lab.container.logs("web", tty=False, follow=True))),
    "image.create": (JSON, lambda lab: lab.image.create(from_image="busybox")),
    "image.build": (JSON, lambda lab: lab.image.build(b"")),
    "events": (JSON, lambda lab: list(lab.system.events())),
    "stats": (JSON, lambda lab: list(lab.container.stats("web"))),
}


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Set the limit to 4 MiB, so that the tests are fast."""
    monkeypatch.setattr(streams, "LONGEST", 4 * MIB)
    return 4 * MIB


@pytest.mark.parametrize("name", ACTS)
def test_reading_an_endless_response_stops_at_the_limit(name: str, small_limit: int) -> None:
    response, act = ACTS[name]
    with faulty_engine(response) as (lab, engine):
        with pytest.raises(StreamBroken, match=r"of more than 4 MiB, and it goes on\. .*\.$"):
            act(lab)
        assert lab.call("SystemPing").text == "OK"
    assert engine.sent < 8 * small_limit


def test_earlier_records_are_returned(small_limit: int) -> None:
    with faulty_engine(FRAMED) as (lab, _), lab.container.logs("web", tty=False, follow=True) as lines:
        assert next(lines).message == "first"
        with pytest.raises(StreamBroken):
            next(lines)
        assert list(lines) == []
