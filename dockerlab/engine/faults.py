"""What can go wrong inside the engine, typed. One table turns a fault into a status; a handler never chooses one."""

from __future__ import annotations

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
    "status_of",
    "words_of",
]


class Fault(Exception):
    """Something an answer tells. Its text is the message, in Docker's words where Docker has words for it."""


class BadParameter(Fault):
    """The request is wrong as it stands."""


class TooOld(BadParameter):
    """The client speaks a version from before errors were JSON: it is told so in plain text."""


class Unauthorized(Fault):
    """A registry wants to know who asks, or doesn't believe it."""


class Forbidden(Fault):
    """The engine refuses on purpose."""


class NotFound(Fault):
    """There is no such thing."""


class Conflict(Fault):
    """It can't be done in the state that things are in."""


class NotServed(Fault):
    """Docker can do this; the practice engine leaves it out."""


class Unavailable(Fault):
    """It needs something that this engine is not, such as a swarm manager."""


STATUSES: dict[type[Fault], int] = {
    BadParameter: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    NotServed: 501,
    Unavailable: 503,
}


def words_of(error: BaseException) -> str:
    """Give the message for whatever was raised: what the system refuses in its own words, small, as Docker does."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower()
    return str(error) if isinstance(error, Fault) else f"{type(error).__name__}: {error}"


def status_of(error: BaseException) -> int:
    """Give the status for a fault; 500 for whatever else was raised."""
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
