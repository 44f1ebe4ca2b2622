"""The engine's log says where an error happened, without what a client has sent, and not thousands of times."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from dockerlab.engine.common import engine_log

SECRET = "TOKEN=s3cret"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Give what is written to a log that is configured as the engine's."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", stream)
    root.handlers.clear()
    engine_log.configure()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def fail(error: Exception) -> None:
    try:
        raise error
    except type(error):
        logging.getLogger("dockerlab.engine").exception("%s %s", "POST", "/build")


def test_an_exception_is_logged_without_its_message(written: io.StringIO) -> None:
    fail(ValueError(f"invalid build argument {SECRET}"))
    assert SECRET not in written.getvalue()
    assert "POST /build" in written.getvalue()
    assert "  ValueError at test_engine_log.py:" in written.getvalue()


def test_an_error_of_the_operating_system_is_logged_with_its_reason(written: io.StringIO) -> None:
    fail(OSError(28, "No space left on device"))
    assert "  OSError: No space left on device at test_engine_log.py:" in written.getvalue()


def test_equal_errors_are_logged_once_a_minute(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr(engine_log.time, "monotonic", lambda: moment)
    for _ in range(13_000):
        fail(OSError(24, "Too many open files"))
    assert written.getvalue().count("Too many open files") == 1
    fail(ValueError(SECRET))
    assert written.getvalue().count("POST /build") == 2
    moment += 61
    fail(OSError(24, "Too many open files"))
    assert "POST /build (and 12999 more like this before)" in written.getvalue()


def test_information_is_always_logged(written: io.StringIO) -> None:
    for _ in range(3):
        logging.getLogger("dockerlab.engine").info("serving")
    assert written.getvalue().count("serving") == 3
