"""What an engine sends without an end is not read to it: a line, a JSON document; and what came before is given."""

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
    def answer(head: bytes) -> Iterator[bytes]:
        yield HEAD + chunk(first)
        for _ in range(1024):
            yield chunk(again)

    return answer


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
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the limit be 4 MiB, so that the tests are fast."""
    monkeypatch.setattr(streams, "LONGEST", 4 * MIB)
    return 4 * MIB


@pytest.mark.parametrize("name", ACTS)
def test_what_has_no_end_is_not_read_to_it(name: str, small: int) -> None:
    said, act = ACTS[name]
    with faulty_engine(said) as (lab, engine):
        with pytest.raises(StreamBroken, match=r"of more than 4 MiB, and it goes on\. .*\.$"):
            act(lab)
        assert lab.call("SystemPing").text == "OK"
    assert engine.sent < 8 * small


def test_what_came_before_is_given(small: int) -> None:
    with faulty_engine(FRAMED) as (lab, _), lab.container.logs("web", tty=False, follow=True) as lines:
        assert next(lines).message == "first"
        with pytest.raises(StreamBroken):
            next(lines)
        assert list(lines) == []
