"""Chunks read many at once equal those of http.client, wherever they are cut, and broken ones are an error."""

from __future__ import annotations

import gc
import http.client
import socket
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from servers import bytes_server, open_transport, send_operation

from dockerlab.errors import StreamBroken
from dockerlab.groups.following import Following
from dockerlab.protocol import fast_paths
from dockerlab.protocol.operations import OPERATIONS
from dockerlab.protocol.request import encode
from dockerlab.protocol.streams import json_lines
from dockerlab.transport.http_response import HttpResponse

HEAD = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(pieces: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    chunks = [b"%X%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces]
    return HEAD + b"".join(chunks) + b"0" + extension + b"\r\n" + trailer + b"\r\n"


def response_of(data: bytes, response_class: type[http.client.HTTPResponse] = HttpResponse) -> http.client.HTTPResponse:
    """Return a response whose head has been read. All data is sent, then the server closes its end."""
    client, server = socket.socketpair()
    server.sendall(data)
    server.shutdown(socket.SHUT_WR)
    response = response_class(client)
    response.begin()
    client.close()
    server.close()
    return response


def response_of_thread(data: bytes) -> http.client.HTTPResponse:
    """Return a response whose head has been read. A thread sends the data, which may exceed a buffer."""
    client, server = socket.socketpair()

    def send() -> None:
        with server:
            server.sendall(data)

    threading.Thread(target=send, daemon=True).start()
    with client:
        response = HttpResponse(client)
        response.begin()
    return response


#: Any bytes, and combinations of those that separate chunks.
BYTES = some.binary(min_size=1, max_size=40) | some.lists(
    some.sampled_from([b"\r\n", b"\r", b"\n", b"0", b"1", b"A", b"f", b"-"]), min_size=1, max_size=12
).map(b"".join)


@pytest.fixture(params=["by http.client", "one by one", "at once"], scope="module")
def reading(request: pytest.FixtureRequest) -> Iterator[None]:
    """Read even a few chunks in the way for many, or all in the way for few, or let http.client read them."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "by http.client":
            patch.setattr(fast_paths, "chunk_reader", lambda response: None)
        patch.setattr(fast_paths, "WORTH_SPLITTING", 1 if request.param == "at once" else 1 << 62)
        yield


@pytest.mark.usefixtures("reading")
@given(
    some.lists(BYTES, max_size=12),
    some.integers(1, 60),
    some.sampled_from([b"", b";name=value", b" "]),
    some.sampled_from([b"", b"Name: value\r\n"]),
)
def test_data_is_the_same_as_with_http_client(pieces: list[bytes], size: int, extension: bytes, trailer: bytes) -> None:
    data = chunked(pieces, extension, trailer)
    whole = b"".join(pieces)
    assert response_of(data).read() == whole == response_of(data, http.client.HTTPResponse).read()
    response, parts = response_of(data), []
    while part := response.read1(size):
        assert len(part) <= size
        parts.append(part)
    assert b"".join(parts) == whole
    assert response.isclosed()
    response, buffer = response_of(data), bytearray(size)
    count = response.readinto(buffer)
    assert bytes(buffer[:count]) == whole[:count]
    assert response_of(data).read(size) == whole[:size]


@pytest.mark.parametrize("length", [9000, 300_000])
def test_long_chunks_are_read_among_short_ones(length: int) -> None:
    pieces = [b"a", b"b" * length, b"c" * length, b"\r\n" * length, b"d", b"e" * 700, b"f" * length, b"g\r\n"]
    for size in (1, 1000, 1 << 20) if length < 10_000 else (65536,):
        response, parts = response_of_thread(chunked(pieces)), []
        while part := response.read1(size):
            parts.append(part)
        assert b"".join(parts) == b"".join(pieces)
        assert response.isclosed()


def test_begin_may_be_called_again() -> None:
    response = response_of(chunked([b"OK"]))
    response.begin()
    assert response.read() == b"OK"


def test_many_chunks_come_in_few_reads() -> None:
    response = response_of(chunked([b"a line\n"] * 2000))
    parts = list(iter(lambda: response.read1(1 << 20), b""))
    assert b"".join(parts) == b"a line\n" * 2000
    assert len(parts) < 20


@pytest.mark.parametrize("body", [b"5\r\nabc", b"5\r\nabcde\r\n", b"5", b"", b"0\r\nName: va"])
def test_an_early_end_is_an_error(body: bytes) -> None:
    with pytest.raises(http.client.IncompleteRead):
        response_of(HEAD + body).read()


@pytest.mark.parametrize("body", [b"x\r\nabc\r\n", b"-1\r\nabc\r\n", b"2\r\nabcde\r\n", b"1" * 70000, b"\r\nabc\r\n"])
def test_bytes_that_are_not_chunks_are_an_error(body: bytes) -> None:
    with pytest.raises(http.client.HTTPException):
        response_of(HEAD + body).read()


@pytest.mark.parametrize("body", [b"z\r\nabc\r\n", b"ff\r\nabc"])
def test_broken_chunks_are_a_broken_stream_for_the_caller(tmp_path: Path, body: bytes) -> None:
    def respond(connection: socket.socket, request: bytes) -> None:
        connection.sendall(HEAD + body)
        connection.shutdown(socket.SHUT_RDWR)

    with bytes_server(tmp_path / "s", respond) as server, pytest.raises(StreamBroken, match=r"\.$"):
        send_operation(open_transport(server.url))


def test_an_iterator_without_references_is_closed_immediately(tmp_path: Path) -> None:
    def respond(connection: socket.socket, request: bytes) -> None:
        connection.sendall(HEAD + b"3\r\n{}\n\r\n" if b"/events" in request else chunked([b"OK"]))

    with bytes_server(tmp_path / "s", respond) as server:
        transport = open_transport(server.url)
        gc.disable()  # the garbage collector must not help: it would close a cycle's sockets in any order
        try:
            records = Following(transport.open(encode(OPERATIONS["SystemEvents"], {}, "1.41")), json_lines)
            assert next(records) == {}
            reference = weakref.ref(records)
            del records
            assert reference() is None
            assert send_operation(transport).body == b"OK"
        finally:
            gc.enable()
            transport.close()
