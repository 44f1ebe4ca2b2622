"""Many chunks read at once are the same as http.client's one by one, cut anywhere, and broken ones are refused."""

from __future__ import annotations

import gc
import http.client
import socket
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from servers import bytes_server, open_transport, send_operation

from dockerlab.errors import StreamBroken
from dockerlab.groups.following import Following
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.request import encode
from dockerlab.protocol.streams import json_lines
from dockerlab.transport import http_response
from dockerlab.transport.http_response import Chunked

HEAD = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nTransfer-Encoding: chunked\r\n\r\n"


def written(pieces: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    chunks = [b"%X%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces]
    return HEAD + b"".join(chunks) + b"0" + extension + b"\r\n" + trailer + b"\r\n"


def answer(data: bytes, kind: type[http.client.HTTPResponse] = Chunked) -> http.client.HTTPResponse:
    """Read an answer's head; all of it is sent, and the connection stays open unless it is broken off."""
    mine, other = socket.socketpair()
    other.sendall(data)
    other.shutdown(socket.SHUT_WR)
    found = kind(mine)
    found.begin()
    mine.close()
    other.close()
    return found


#: Anything, and what chunks are told apart by.
BYTES = some.binary(min_size=1, max_size=40) | some.lists(
    some.sampled_from([b"\r\n", b"\r", b"\n", b"0", b"1", b"A", b"f", b"-"]), min_size=1, max_size=12
).map(b"".join)


@pytest.fixture(params=["one by one", "at once"], scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have few chunks be read in the way in which many are, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_response, "MANY", 1 if request.param == "at once" else 1 << 62)
        yield


@pytest.mark.usefixtures("way")
@given(
    some.lists(BYTES, max_size=12),
    some.integers(1, 60),
    some.sampled_from([b"", b";name=value", b" "]),
    some.sampled_from([b"", b"Name: value\r\n"]),
)
def test_it_reads_what_http_client_reads(pieces: list[bytes], size: int, extension: bytes, trailer: bytes) -> None:
    data = written(pieces, extension, trailer)
    whole = b"".join(pieces)
    assert answer(data).read() == whole == answer(data, http.client.HTTPResponse).read()
    found, parts = answer(data), []
    while part := found.read1(size):
        assert len(part) <= size
        parts.append(part)
    assert b"".join(parts) == whole
    assert found.isclosed()
    found, buffer = answer(data), bytearray(size)
    count = found.readinto(buffer)
    assert bytes(buffer[:count]) == whole[:count]
    assert answer(data).read(size) == whole[:size]


def test_many_chunks_come_in_few_reads() -> None:
    found = answer(written([b"a line\n"] * 2000))
    parts = list(iter(lambda: found.read1(1 << 20), b""))
    assert b"".join(parts) == b"a line\n" * 2000
    assert len(parts) < 20


@pytest.mark.parametrize("body", [b"5\r\nabc", b"5\r\nabcde\r\n", b"5", b"", b"0\r\nName: va"])
def test_an_early_end_is_no_end(body: bytes) -> None:
    with pytest.raises(http.client.IncompleteRead):
        answer(HEAD + body).read()


@pytest.mark.parametrize("body", [b"x\r\nabc\r\n", b"-1\r\nabc\r\n", b"2\r\nabcde\r\n", b"1" * 70000, b"\r\nabc\r\n"])
def test_what_is_not_chunked_is_refused(body: bytes) -> None:
    with pytest.raises(http.client.HTTPException):
        answer(HEAD + body).read()


@pytest.mark.parametrize("body", [b"z\r\nabc\r\n", b"ff\r\nabc"])
def test_a_caller_is_told_that_the_stream_broke(tmp_path: Path, body: bytes) -> None:
    def talk(opened: socket.socket, head: bytes) -> None:
        opened.sendall(HEAD + body)
        opened.shutdown(socket.SHUT_RDWR)

    with bytes_server(tmp_path / "s", talk) as server, pytest.raises(StreamBroken, match=r"\.$"):
        send_operation(open_transport(server.url))


def test_an_iterator_that_is_dropped_is_closed_at_once(tmp_path: Path) -> None:
    def talk(opened: socket.socket, head: bytes) -> None:
        opened.sendall(HEAD + b"3\r\n{}\n\r\n" if b"/events" in head else written([b"OK"]))

    with bytes_server(tmp_path / "s", talk) as server:
        opened = open_transport(server.url)
        gc.disable()  # the collector lets a ring's members go in any order, and closes sockets that the pool has
        try:
            found = Following(opened.open(encode(OPERATIONS["SystemEvents"], {}, "1.41")), json_lines)
            assert next(found) == {}
            there = weakref.ref(found)
            del found
            assert there() is None
            assert send_operation(opened).body == b"OK"
        finally:
            gc.enable()
            opened.close()
