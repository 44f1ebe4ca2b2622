"""What can go wrong, as a small tree of exceptions. Each message ends with one sentence on what to do.

::

    DockerlabError
    ├── ArgumentError            a wrong argument; nothing was sent
    ├── EngineError              the engine responded with a status of 400 or more
    │   ├── BadRequest           400
    │   ├── NotAllowed           401, 403
    │   ├── NotFound             404
    │   ├── Conflict             409
    │   ├── ServerError          500 and more
    │   └── OperationFailed      200, followed by a stream that reports an error
    └── ConnectionFailed         no response, or only a part of one
        ├── EngineUnreachable    nothing listens there
        ├── PermissionDenied     this user may not use the socket
        ├── EngineTimeout        no response in time
        └── StreamBroken         the response ended too early, or is not what an engine sends
            └── NotJson          it should be JSON, and is not; also a ValueError

This module imports nothing of dockerlab: the code that raises an EngineError passes its advice (`protocol/advice.py`).
"""

from __future__ import annotations

import re
import traceback
from typing import Any

__all__ = [
    "ArgumentError",
    "BadRequest",
    "Conflict",
    "ConnectionFailed",
    "DockerlabError",
    "EngineError",
    "EngineTimeout",
    "EngineUnreachable",
    "NotAllowed",
    "NotFound",
    "NotJson",
    "OperationFailed",
    "PermissionDenied",
    "ServerError",
    "StreamBroken",
    "printable",
]

#: Control characters that move a terminal's cursor, and marks that change the direction of text.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class DockerlabError(Exception):
    """The base class of every error that dockerlab raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """Show only the message in a notebook: the stack frames are dockerlab's own and don't help the reader."""
        return traceback.format_exception_only(type(self), self)


class ArgumentError(DockerlabError, TypeError):
    """A wrong, missing or misspelt argument. Nothing was sent."""


class EngineError(DockerlabError):
    """The engine responded with an error.

    `status` is the HTTP status, `message` the engine's own words, `operation` the operationId, `advice` one
    sentence on what to do, `exchange` the whole Exchange.
    """

    exchange: Any  # an Exchange, which this module must not import

    def __init__(self, exchange: Any, message: str, advice: str) -> None:
        self.exchange = exchange
        self.status: int = exchange.status
        self.operation: str = exchange.operation.id
        self.message = printable(message)
        self.advice = advice
        super().__init__(f"{self.status} {self.operation}: {self.message}\n{advice}")

    def __reduce__(self) -> tuple[type[EngineError], tuple[Any, ...]]:
        return type(self), (self.exchange, self.message, self.advice)


class BadRequest(EngineError):
    """400: the engine does not accept the request."""


class NotAllowed(EngineError):
    """401 or 403: the engine or a registry refuses."""


class NotFound(EngineError):
    """404: the engine has no such object."""


class Conflict(EngineError):
    """409: the current state of the object does not allow it."""


class ServerError(EngineError):
    """500 and more: the engine failed, or does not support this."""


class OperationFailed(EngineError):
    """200, followed by a stream that reports an error: from a pull, a push, a build or a load.

    `table` has all records of the stream.
    """

    def __init__(self, exchange: Any, message: str, table: Any, advice: str) -> None:
        self.table = table
        super().__init__(exchange, message, advice)

    def __reduce__(self) -> tuple[type[OperationFailed], tuple[Any, ...]]:
        return type(self), (self.exchange, self.message, self.table, self.advice)


class ConnectionFailed(DockerlabError):
    """There was no response, or only a part of one."""


class EngineUnreachable(ConnectionFailed):
    """No engine responds at that endpoint."""


class PermissionDenied(ConnectionFailed):
    """The socket exists, but this user may not use it."""


class EngineTimeout(ConnectionFailed):
    """The engine did not respond in time."""


class StreamBroken(ConnectionFailed):
    """The response ended too early, or is not what an engine sends."""


class NotJson(StreamBroken, ValueError):
    """The response should be JSON and is not: perhaps it did not come from an engine."""


def printable(text: str) -> str:
    """Replace the characters of an engine's message that would disturb a terminal or a page."""
    return UNPRINTABLE.sub("�", text)
