"""What can go wrong, as a small tree of exceptions. Each text ends with one sentence on what to do.

::

    DockerlabError
    ├── ArgumentError            a wrong argument; nothing was sent
    ├── EngineError              the engine answered with a status of 400 or more
    │   ├── BadRequest           400
    │   ├── NotAllowed           401, 403
    │   ├── NotFound             404
    │   ├── Conflict             409
    │   ├── ServerError          500 and more
    │   └── OperationFailed      200, and then a stream that tells of an error
    └── ConnectionFailed         no answer, or only a part of one
        ├── EngineUnreachable    nothing listens there
        ├── PermissionDenied     the socket is not for this user
        ├── EngineTimeout        no answer in time
        └── StreamBroken         the answer ended too early, or is not what an engine says
            └── NotJson          it should be JSON, and is not; a ValueError, too
"""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dockerlab.protocol.exchange import Exchange

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
    "advice",
    "engine_error",
    "hint",
    "printable",
]


class DockerlabError(Exception):
    """Whatever dockerlab raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """Show in a notebook the message alone: the frames above it are ours, not the reader's."""
        return traceback.format_exception_only(type(self), self)


class ArgumentError(DockerlabError, TypeError):
    """A wrong, missing or misspelt argument. Nothing was sent."""


class EngineError(DockerlabError):
    """The engine answered, and its answer is an error.

    `status` is the HTTP status, `message` the engine's own words, `operation` the operationId, `advice` one
    sentence on what to do, `exchange` the whole exchange.
    """

    def __init__(self, exchange: Exchange, message: str, advice: str) -> None:
        """Take the exchange, what the engine said in it, and what to do."""
        self.exchange = exchange
        self.status = exchange.status
        self.operation = exchange.operation.id
        self.message = printable(message)
        self.advice = advice
        super().__init__(f"{self.status} {self.operation}: {self.message}\n{advice}")

    def __reduce__(self) -> tuple[type[EngineError], tuple[Exchange, str, str]]:
        """Let it be copied and sent to another process."""
        return type(self), (self.exchange, self.message, self.advice)


class BadRequest(EngineError):
    """400: the request is wrong as it stands."""


class NotAllowed(EngineError):
    """401 or 403: the engine or a registry refuses."""


class NotFound(EngineError):
    """404: the engine has no such thing."""


class Conflict(EngineError):
    """409: it can't be done in the state that things are in."""


class ServerError(EngineError):
    """500 and more: the engine failed, or can't do this at all."""


class OperationFailed(EngineError):
    """200, and then a stream that tells of an error: of a pull, a push, a build or a load.

    `table` has all that the stream told.
    """

    def __init__(self, exchange: Exchange, message: str, table: Any, advice: str = "") -> None:
        """Take the exchange, the last words of its stream, and what it told before."""
        self.table = table
        super().__init__(exchange, message, advice or hint(exchange.operation.id))

    def __reduce__(self) -> Any:
        """Let it be copied and sent to another process."""
        return type(self), (self.exchange, self.message, self.table, self.advice)


class ConnectionFailed(DockerlabError):
    """There was no answer, or only a part of one."""


class EngineUnreachable(ConnectionFailed):
    """Nothing answers at that endpoint."""


class PermissionDenied(ConnectionFailed):
    """The socket is there, and this user may not use it."""


class EngineTimeout(ConnectionFailed):
    """The engine did not answer in time."""


class StreamBroken(ConnectionFailed):
    """The answer ended before its end, or is not what an engine says."""


class NotJson(StreamBroken, ValueError):
    """The answer should be JSON, and is not: something else may have answered."""


BY_STATUS: dict[int, type[EngineError]] = {
    400: BadRequest,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
}

MOVED, FAILED = 301, 400
REGISTRY = "Check the name, which begins with its registry; if that wants to know who asks, give registry_auth."
LOGIN = "Check serveraddress, username and password: the registry's words say which of them it is."
GRANT = "Grant what it asks for: lab.plugin.privileges(remote), then give lab.last.json() as body."
#: What to do, by operation and status first, then by the path's first word and status, then by status.
ADVICE: dict[tuple[str, int], str] = {
    ("ContainerCreate", 404): "Get the image first: lab.image.list() shows those that are there.",
    ("ContainerCreate", 409): "Choose another name, or delete the container that has it: lab.container.delete(name).",
    ("ContainerDelete", 409): "Stop it first with lab.container.stop(id), or delete it with force=True.",
    ("ContainerKill", 409): "Only a running container hears a signal: start it with lab.container.start(id).",
    ("ContainerTop", 409): "Only a running container has processes: start it with lab.container.start(id).",
    ("ContainerTop", 500): "If it names ps: ps_args must be options of ps that print a column PID.",
    ("DistributionInspect", 403): REGISTRY,
    ("DistributionInspect", 404): REGISTRY,
    ("DistributionInspect", 500): REGISTRY,
    ("ImageCreate", 404): REGISTRY,
    ("ImageCreate", 500): REGISTRY,
    ("ImagePush", 500): REGISTRY,
    ("PluginCreate", 409): "Choose another name, or delete the plugin that has it: lab.plugin.delete(name).",
    ("PluginPull", 404): REGISTRY,
    ("PluginPull", 500): REGISTRY,
    ("PluginSet", 500): "Disable it first, and set only what its author allows: Settable in lab.plugin.inspect(name).",
    ("PluginUpgrade", 500): REGISTRY,
    ("NodeDelete", 400): "Let it leave first, with lab.swarm.leave() on its own engine, or give force=True.",
    ("SwarmInit", 503): "The engine is in a swarm already: see Swarm in lab.system.info().",
    (
        "SwarmJoin",
        503,
    ): "It is in a swarm already, or reaches no manager at these addresses: see Swarm in lab.system.info().",
    ("SystemAuth", 401): LOGIN,
    ("SystemAuth", 500): LOGIN,
    ("ContainerStart", 400): "The command could not be run: read Path and Args in lab.container.inspect(id).",
    ("ContainerLogs", 400): "Ask for at least one stream: stdout=True, stderr=True.",
    ("containers", 404): "See which containers there are: lab.container.list(all=True).",
    ("images", 404): "See which images there are: lab.image.list().",
    ("plugins", 404): "See which plugins there are: lab.plugin.list().",
    ("plugins", 409): "Once nothing uses it, end it with lab.plugin.disable(name), or give force=True.",
    ("", MOVED): "Something at that address sends its callers elsewhere: check that DOCKER_HOST names an engine.",
    ("", 400): "Read the engine's words: it names the argument that it can't take.",
    ("", 401): "Log in to the registry, or give registry_auth.",
    ("", 403): "The engine refuses this on purpose: its words say why.",
    ("", 404): "Check the name: the engine has no such object.",
    ("", 409): "Look at the object's state with its inspect first.",
    ("", 501): "This engine doesn't serve this operation: choose another engine, see dockerlab doctor.",
    ("", 503): "This needs a swarm manager: the engine is not one.",
}
#: What to do about an error that a stream tells of.
HINTS = {
    "ImageBuild": "Read what the build said before: `table` of this error has all of it.",
    "ImageCreate": "Check the image's name; if its registry wants to know who asks, give registry_auth.",
    "ImagePush": "Check the image's name, which begins with its registry, and give registry_auth.",
    "PluginPull": GRANT,
    "PluginPush": "Check the plugin's name, which begins with its registry, and give registry_auth.",
    "PluginUpgrade": GRANT,
    "ImageLoad": "Give a tar as docker save or lab.image.get_all write it.",
}
FALLBACK = "The engine failed: its log says more than its answer."
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def advice(operation: str, path: str, status: int) -> str:
    """Give one sentence on what to do about this answer."""
    family = path.strip("/").split("/")[0]
    status = MOVED if MOVED <= status < FAILED else status
    for key in ((operation, status), (family, status), ("", status)):
        if key in ADVICE:
            return ADVICE[key]
    return FALLBACK


def hint(operation: str) -> str:
    """Give one sentence on what to do about an error in a stream."""
    return HINTS.get(operation, FALLBACK)


def engine_error(exchange: Exchange) -> EngineError:
    """Make the exception for an exchange whose status is an error, or sends its caller elsewhere."""
    kind = BY_STATUS.get(exchange.status, ServerError if exchange.status >= 500 else BadRequest)  # noqa: PLR2004
    hint = advice(exchange.operation.id, exchange.operation.path, exchange.status)
    return kind(exchange, _message(exchange), hint)


def _message(exchange: Exchange) -> str:
    """Give the engine's words: `message` in Docker's and Podman's body, `error` in Podman's of a push, or all of it."""
    try:
        body = exchange.json()
    except ValueError:
        return exchange.text.strip() or exchange.reason
    if isinstance(body, dict):
        return str(body.get("message") or body.get("cause") or body.get("error") or body)
    return str(body)


def printable(text: str) -> str:
    """Take out of an engine's words what moves a terminal's cursor, or turns the direction of writing."""
    return UNPRINTABLE.sub("�", text)
