"""`dockerlab call` reads a response without an end until its time limit or Ctrl-C, and shows what came so far."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers import faulty_engine, http_response

from dockerlab.cli.call_arguments import find_operation
from dockerlab.cli.call_response import document, table

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = {"Type": "container", "Action": "start"}
FRAME = b"\x01\0\0\0\0\0\0\x06first\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def call(response: Any, operation: str, arguments: dict[str, Any], seconds: float = 0.5) -> tuple[Any, float]:
    """Return the JSON of the response, and the seconds that it took, from an engine that then sends nothing more."""
    with faulty_engine(response, end="stall") as (lab, _):
        start = time.monotonic()
        result = document(lab, find_operation(operation), arguments, seconds)
        return result, time.monotonic() - start


def test_events_end_at_the_time_limit() -> None:
    response = HEAD + chunk(json.dumps(EVENT).encode() + b'\n{"Type": "hal')
    events, seconds = call(response, "SystemEvents", {})
    assert events == [EVENT], "half of a document is no event"
    assert 0.4 < seconds < 20


def test_an_engine_that_sends_nothing_gives_an_empty_list() -> None:
    assert call(b"", "SystemEvents", {})[0] == []


def test_a_followed_log_ends_at_the_time_limit() -> None:
    def response(request: bytes) -> Iterator[bytes]:
        if b"/json " in request.split(b"\r\n", 1)[0]:
            yield http_response(json.dumps({"Config": {"Tty": False}}).encode())
        else:
            yield HEAD + chunk(FRAME + FRAME[:9])

    with faulty_engine(response, end="keep") as (lab, _):
        log = table(lab, find_operation("ContainerLogs"), {"id": "web", "follow": True}, 0.5)
    assert log.to_dict("records") == [{"stream": "stdout", "message": "first"}]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let SIGINT interrupt, as in a terminal: a background process may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_shows_what_came_so_far() -> None:
    main = threading.get_ident()

    def response(_: bytes) -> Iterator[bytes]:
        yield HEAD + chunk(json.dumps(EVENT).encode())
        time.sleep(0.3)  # the client waits for the next event
        signal.pthread_kill(main, signal.SIGINT)

    events, seconds = call(response, "SystemEvents", {}, seconds=60)
    assert events == [EVENT]
    assert seconds < 20


@pytest.mark.usefixtures("ctrl_c")
def test_without_a_limit_ctrl_c_interrupts() -> None:
    main = threading.get_ident()

    def response(_: bytes) -> Iterator[bytes]:
        yield HEAD + chunk(json.dumps(EVENT).encode())
        time.sleep(0.3)
        signal.pthread_kill(main, signal.SIGINT)

    with faulty_engine(response, end="stall") as (lab, _), pytest.raises(KeyboardInterrupt):
        document(lab, find_operation("SystemEvents"), {"until": "1"}, None)
