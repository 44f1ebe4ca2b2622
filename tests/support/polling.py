"""Waits for what takes a moment."""

from __future__ import annotations

import time
from collections.abc import Callable


def polled(wanted: Callable[[], object], seconds: float = 15) -> object:
    """Ask until the answer is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
    return found
