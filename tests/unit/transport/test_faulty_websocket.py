"""What an engine may do wrong on a websocket: an error with its mend or the bytes that came, no hang, nothing left."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from servers import BINARY, CLOSE, CONTINUATION, PING, TEXT, faulty_engine, websocket_accept, websocket_frame

from dockerlab.errors import ConnectionFailed, EngineTimeout, NotAllowed, ServerError, StreamBroken
from dockerlab.transport.failures import ERROR_BYTES


def said(pieces: Iterable[bytes], end: str = "fin", timeout: float = 0.3) -> bytes:
    """Give what is read of a websocket on which these frames come."""
    with faulty_engine(lambda head: [websocket_accept(head), *pieces], end, timeout=5) as (lab, _):
        return lab.container.attach_websocket("web", timeout=timeout).read()


def test_pieces_of_a_message_pings_and_a_goodbye() -> None:
    end = websocket_frame(CLOSE, (1000).to_bytes(2, "big"))
    pieces = [
        websocket_frame(BINARY, b"one ", final=False),
        websocket_frame(PING, b"?"),
        websocket_frame(CONTINUATION, b"two "),
        websocket_frame(TEXT, "drü".encode()),
    ]
    assert said([*pieces, end], "keep") == "one two drü".encode()  # or an answered ping could cut what is still to come
    whole = b"".join(pieces) + end
    assert said((whole[place : place + 1] for place in range(len(whole))), "keep") == "one two drü".encode()


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
    assert bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked)) == b"are you there"


@pytest.mark.parametrize("code", [b"", (1000).to_bytes(2, "big"), (1001).to_bytes(2, "big") + b"going"])
def test_a_websocket_that_is_closed_at_once(code: bytes) -> None:
    assert said([websocket_frame(CLOSE, code)]) == b""
    assert said([]) == b"", "an engine may close the connection without a word"


@pytest.mark.parametrize("code", [1002, 1003, 1008, 1011])
def test_a_websocket_that_fails_does_not_end_as_if_it_were_whole(code: int) -> None:
    with pytest.raises(StreamBroken, match=r"\.$"):
        said([websocket_frame(BINARY, b"half"), websocket_frame(CLOSE, code.to_bytes(2, "big"))])


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
def test_what_is_no_frame_is_said(garbage: bytes) -> None:
    with pytest.raises(StreamBroken, match=r"\.$"):
        said([websocket_frame(BINARY, b"good"), garbage])


def test_a_websocket_that_is_reset() -> None:
    with pytest.raises(StreamBroken, match="try again"):
        said([websocket_frame(BINARY, b"good")], "rst")


def test_an_engine_that_refuses_a_websocket_with_words() -> None:
    body = b'{"message":"not for you"}'
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        faulty_engine(head + body) as (lab, _),
        pytest.raises(NotAllowed, match="403 ContainerAttachWebsocket: not for you"),
    ):
        lab.container.attach_websocket("web")


def test_a_refusal_without_an_end_is_not_read_to_it() -> None:
    def endless(head: bytes) -> Iterable[bytes]:
        yield b"HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(2048):
            yield b"40000\r\n" + b"x" * 0x40000 + b"\r\n"

    with faulty_engine(endless) as (lab, engine):
        with pytest.raises(ServerError) as caught:
            lab.container.attach_websocket("web")
        assert len(caught.value.exchange.body) <= 2 * ERROR_BYTES
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
def test_what_is_no_websocket(head: bytes) -> None:
    with faulty_engine(head) as (lab, _), pytest.raises(ConnectionFailed, match=r"\.$"):
        lab.container.attach_websocket("web")
