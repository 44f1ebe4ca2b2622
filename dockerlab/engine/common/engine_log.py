"""The engine's log: where an error happened, but no data of clients, and no flood of equal lines.

The message of an exception may quote what a client has sent, such as build arguments or credentials. So only the
messages of the operating system are logged, and of other exceptions the type and the place.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["configure", "log_loop_error"]

FORMAT = "%(asctime)s %(levelname)s %(message)s"
#: How long equal records are left out after one of them, and how many different ones are remembered.
REPEAT_SECONDS, MAX_REMEMBERED = 60.0, 1000
FRAMES = 8
Exception_ = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
log = logging.getLogger("dockerlab.engine")


def configure() -> None:
    """Log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(FORMAT))
    handler.addFilter(_RepeatFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings contain URLs


def log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio reports, without the objects that its own handler prints."""
    log.error("%s", context.get("message"), exc_info=context.get("exception"))


class _Formatter(logging.Formatter):
    """Writes an exception as one line: its type, and the last calls before it."""

    def formatException(self, ei: Exception_) -> str:
        kind, error, trace = ei
        name = kind.__name__ if kind else ""
        text = f"{name}: {error.strerror}" if isinstance(error, OSError) and error.strerror else name
        calls = traceback.extract_tb(trace)[-FRAMES:]
        return f"  {text} at " + " > ".join(f"{Path(call.filename).name}:{call.lineno} {call.name}" for call in calls)


class _RepeatFilter(logging.Filter):
    """Leaves out warnings and errors that come from the same place again; the next one says how many there were."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[Any, ...], tuple[float, int]] = {}  #: when the last one was logged, and how many since

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        key, moment = _place(record), time.monotonic()
        last, count = self._seen.get(key, (-REPEAT_SECONDS, 0))
        if moment - last < REPEAT_SECONDS:
            self._seen[key] = last, count + 1
            return False
        if len(self._seen) >= MAX_REMEMBERED:
            self._seen.clear()
        self._seen[key] = moment, 0
        if count:
            record.msg, record.args = f"{record.getMessage()} (and {count} more like this before)", ()
        return True


def _place(record: logging.LogRecord) -> tuple[Any, ...]:
    """Return what two records have in common if one explains the other, too."""
    kind, _, trace = record.exc_info or (None, None, None)
    last = traceback.extract_tb(trace)[-1:]
    return record.pathname, record.lineno, kind, *((call.filename, call.lineno) for call in last)
