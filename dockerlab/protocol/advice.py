"""Turns an error response into the exception to raise, with one sentence of advice on what to do about it."""

from __future__ import annotations

from dockerlab.errors import BadRequest, Conflict, EngineError, NotAllowed, NotFound, ServerError
from dockerlab.protocol.exchange import Exchange

__all__ = ["advice", "engine_error", "hint"]

BY_STATUS: dict[int, type[EngineError]] = {
    400: BadRequest,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
}

MOVED, FAILED, SERVER_FAILED = 301, 400, 500
REGISTRY = "Check the name: it starts with the registry's host. If the registry requires a login, pass registry_auth."
LOGIN = "Check serveraddress, username and password: the registry's message says which of them is wrong."
GRANT = "Grant the privileges it needs: call lab.plugin.privileges(remote), then pass lab.last.json() as body."
IN_SWARM = "The engine is already part of a swarm: see Swarm in lab.system.info()."
#: What to do, by operation and status first, then by the path's first segment and status, then by status.
ADVICE: dict[tuple[str, int], str] = {
    ("ContainerCreate", 404): "Get the image first: lab.image.list() shows those that are there.",
    ("ContainerCreate", 409): "Choose another name, or delete the container that has it: lab.container.delete(name).",
    ("ContainerDelete", 409): "Stop it first with lab.container.stop(id), or delete it with force=True.",
    ("ContainerKill", 409): "Only a running container can receive a signal: start it with lab.container.start(id).",
    ("ContainerTop", 409): "Only a running container has processes: start it with lab.container.start(id).",
    ("ContainerTop", 500): "If the message is about ps, ps_args must be options of ps that print a PID column.",
    ("DistributionInspect", 403): REGISTRY,
    ("DistributionInspect", 404): REGISTRY,
    ("DistributionInspect", 500): REGISTRY,
    ("ImageCreate", 404): REGISTRY,
    ("ImageCreate", 500): REGISTRY,
    ("ImagePush", 500): REGISTRY,
    ("PluginCreate", 409): "Choose another name, or delete the plugin that has it: lab.plugin.delete(name).",
    ("PluginPull", 404): REGISTRY,
    ("PluginPull", 500): REGISTRY,
    ("PluginSet", 500): (
        "Disable the plugin first, and set only what its author allows: see Settable in lab.plugin.inspect(name)."
    ),
    ("PluginUpgrade", 500): REGISTRY,
    ("NodeDelete", 400): "Run lab.swarm.leave() on the node's own engine first, or pass force=True.",
    ("SwarmInit", 503): IN_SWARM,
    ("SwarmJoin", 503): f"Check that remote_addrs names a manager that can be reached. Or: {IN_SWARM}",
    ("SystemAuth", 401): LOGIN,
    ("SystemAuth", 500): LOGIN,
    ("ContainerStart", 400): "The command could not be run: read Path and Args in lab.container.inspect(id).",
    ("ContainerLogs", 400): "Ask for at least one stream: stdout=True, stderr=True.",
    ("containers", 404): "See which containers there are: lab.container.list(all=True).",
    ("images", 404): "See which images there are: lab.image.list().",
    ("plugins", 404): "See which plugins there are: lab.plugin.list().",
    ("plugins", 409): "Disable it with lab.plugin.disable(name) once nothing uses it, or pass force=True.",
    (
        "",
        MOVED,
    ): "That address redirects its clients, and no engine does: check that DOCKER_HOST names an engine.",
    ("", 400): "Read the engine's message: it names the argument that is not accepted.",
    ("", 401): "Log in to the registry, or pass registry_auth.",
    ("", 403): "The engine refuses this on purpose: its message says why.",
    ("", 404): "Check the name: the engine has no such object.",
    ("", 409): "Inspect the object to see its current state.",
    ("", 501): "This engine does not support this operation: choose another engine, see dockerlab doctor.",
    ("", 503): "This needs a swarm manager, and the engine is not one: see lab.swarm.init().",
}
#: What to do about an error that is reported inside a stream, after the status 200.
HINTS = {
    "ImageBuild": "Read the build's output: the error's `table` has all of it.",
    "ImageCreate": "Check the image's name. If its registry requires a login, pass registry_auth.",
    "ImagePush": "Check the image's name, which starts with its registry's host, and pass registry_auth.",
    "PluginPull": GRANT,
    "PluginPush": "Check the plugin's name, which starts with its registry's host, and pass registry_auth.",
    "PluginUpgrade": GRANT,
    "ImageLoad": "Pass a tar as written by docker save or lab.image.get_all.",
}
FALLBACK = "The engine failed: its log says more than its response."


def advice(operation: str, path: str, status: int) -> str:
    """Return one sentence on what to do about an error status."""
    family = path.strip("/").split("/")[0]
    status = MOVED if MOVED <= status < FAILED else status
    for key in ((operation, status), (family, status), ("", status)):
        if key in ADVICE:
            return ADVICE[key]
    return FALLBACK


def hint(operation: str) -> str:
    """Return one sentence on what to do about an error inside a stream."""
    return HINTS.get(operation, FALLBACK)


def engine_error(exchange: Exchange) -> EngineError:
    """Return the exception for an exchange whose status is an error or a redirect."""
    kind = BY_STATUS.get(exchange.status, ServerError if exchange.status >= SERVER_FAILED else BadRequest)
    return kind(exchange, _message(exchange), advice(exchange.operation.id, exchange.operation.path, exchange.status))


def _message(exchange: Exchange) -> str:
    """Return the engine's message.

    Docker and Podman put it into the field `message`, Podman's push into `error`. Any other body is the message itself.
    """
    try:
        body = exchange.json()
    except ValueError:
        return exchange.text.strip() or exchange.reason
    if isinstance(body, dict):
        return str(body.get("message") or body.get("cause") or body.get("error") or body)
    return str(body)
