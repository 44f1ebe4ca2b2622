"""Wrong frames from an engine on a websocket: reading ends in time, with the data or an error with advice."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from servers import BINARY, CLOSE, CONTINUATION, PING, TEXT, faulty_engine, websocket_accept, websocket_frame

from dockerlab.errors import ConnectionFailed, EngineTimeout, NotAllowed, ServerError, StreamBroken
from dockerlab.transport.failures import ERROR_BYTES


def output_of(pieces: Iterable[bytes], end: str = "fin", timeout: float = 0.3) -> bytes:
    """Return the data that is read from a websocket with these frames."""
    with faulty_engine(lambda head: [websocket_accept(head), *pieces], end, timeout=5) as (lab, _):
        return lab.container.attach_websocket("web", timeout=timeout).read()


def test_a_message_in_pieces_a_ping_and_a_close_frame() -> None:
    end = websocket_frame(CLOSE, (1000).to_bytes(2, "big"))
    pieces = [
        websocket_frame(BINARY, b"one ", final=False),
        websocket_frame(PING, b"?"),
        websocket_frame(CONTINUATION, b"two "),
        websocket_frame(TEXT, "drü".encode()),
    ]
    assert (
        output_of([*pieces, end], "keep") == "one two drü".encode()
    )  # closing instead could cut what follows the pong
    whole = b"".join(pieces) + end
    assert output_of((whole[index : index + 1] for index in range(len(whole))), "keep") == "one two drü".encode()


def test_a_ping_is_answered() -> None:
    late = r"Nothing came for 0\.3 s\. Give it more time with timeout=…"
    with (
        faulty_engine(lambda head: [websocket_accept(head), websocket_frame(PING, b"are you there")], "stall") as (
            lab,
            engine,
        ),
        pytest.raises(EngineTimeout, match=late),
    ):
        lab.container.attach_websocket("web", timeout=0.3).read()
    mask, masked = engine.received[2:6], engine.received[6:19]
    assert engine.received[0] == 0x8A
    assert bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked)) == b"are you there"


@pytest.mark.parametrize("code", [b"", (1000).to_bytes(2, "big"), (1001).to_bytes(2, "big") + b"going"])
def test_a_websocket_that_is_closed_immediately(code: bytes) -> None:
    assert output_of([websocket_frame(CLOSE, code)]) == b""
    assert output_of([]) == b"", "an engine may close the connection without a close frame"


@pytest.mark.parametrize("code", [1002, 1003, 1008, 1011])
def test_a_close_code_of_a_failure_is_an_error(code: int) -> None:
    with pytest.raises(StreamBroken, match=r"\.$"):
        output_of([websocket_frame(BINARY, b"half"), websocket_frame(CLOSE, code.to_bytes(2, "big"))])


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff\xff",
        b"\x03\x01a",
        websocket_frame(CONTINUATION, b"of nothing"),
        websocket_frame(TEXT, b"\xff\xfe"),
        b"\x82\xff" + b"x" * 99,
    ],
)
def test_bytes_that_are_no_frame_are_an_error(garbage: bytes) -> None:
    with pytest.raises(StreamBroken, match=r"\.$"):
        output_of([websocket_frame(BINARY, b"good"), garbage])


def test_a_websocket_that_is_reset() -> None:
    with pytest.raises(StreamBroken, match="try again"):
        output_of([websocket_frame(BINARY, b"good")], "rst")


def test_a_refused_websocket() -> None:
    body = b'{"message":"not for you"}'
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        faulty_engine(head + body) as (lab, _),
        pytest.raises(NotAllowed, match="403 ContainerAttachWebsocket: not for you"),
    ):
        lab.container.attach_websocket("web")


def test_reading_an_endless_refusal_stops_at_the_limit() -> None:
    def endless(head: bytes) -> Iterable[bytes]:
        yield b"HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(2048):
            yield b"40000\r\n" + b"x" * 0x40000 + b"\r\n"

    with faulty_engine(endless) as (lab, engine):
        with pytest.raises(ServerError) as error:
            lab.container.attach_websocket("web")
        assert len(error.value.exchange.body) <= 2 * ERROR_BYTES
    assert engine.sent < 64 << 20


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgr",
    ],
    ids=["no proof", "tcp", "200", "cut"],
)
def test_a_response_that_is_no_websocket(head: bytes) -> None:
    with faulty_engine(head) as (lab, _), pytest.raises(ConnectionFailed, match=r"\.$"):
        lab.container.attach_websocket("web")
