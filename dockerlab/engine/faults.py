"""The errors of the engine, by type. One table maps a type to a status, so no handler chooses a status itself."""

from __future__ import annotations

import errno

__all__ = [
    "BadParameter",
    "Conflict",
    "Fault",
    "Forbidden",
    "NotFound",
    "NotServed",
    "TooOld",
    "Unauthorized",
    "Unavailable",
    "message_of",
    "status_of",
]


class Fault(Exception):
    """An error that the client is told about. Its text is the message, in Docker's words if Docker has any for it."""


class BadParameter(Fault):
    """The request itself is wrong."""


class TooOld(BadParameter):
    """The client uses an API version from before errors were JSON, so it gets this one as plain text."""


class Unauthorized(Fault):
    """A registry requires credentials, or refuses those of the request."""


class Forbidden(Fault):
    """The engine refuses the operation as a rule."""


class NotFound(Fault):
    """The object does not exist."""


class Conflict(Fault):
    """The current state of the object does not allow the operation."""


class NotServed(Fault):
    """Docker offers the operation, and the practice engine does not."""


class Unavailable(Fault):
    """The operation needs an engine of another kind, such as a swarm manager."""


STATUSES: dict[type[Fault], int] = {
    BadParameter: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    NotServed: 501,
    Unavailable: 503,
}


#: What is wrong with the machine and not with the engine. Docker, too, passes these messages on.
MACHINE_ERRORS = {
    errno.ENOSPC: "no space left on device",
    errno.EDQUOT: "disk quota exceeded",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files in system",
    errno.ENOMEM: "cannot allocate memory",
    errno.EROFS: "read-only file system",
    errno.EIO: "input/output error",
    errno.ENAMETOOLONG: "file name too long",
}
INTERNAL_ERROR = "The practice engine failed. The reason is in its log, which this command shows: dockerlab engine logs"


def message_of(error: BaseException) -> str:
    """Return the message for an exception. The text of one that is not a fault stays in the engine's log."""
    if isinstance(error, Fault):
        return str(error)
    number = error.errno if isinstance(error, OSError) else errno.ENOMEM if isinstance(error, MemoryError) else None
    return MACHINE_ERRORS.get(number or 0, INTERNAL_ERROR)


def status_of(error: BaseException) -> int:
    """Return the status for an exception; 500 for anything but a fault with a status of its own."""
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
