"""The Lab: what `connect()` returns. It sends requests, and holds the groups, the wire log and the last exchange."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dockerlab.endpoint import endpoint as endpoints
from dockerlab.errors import ArgumentError, BadRequest, DockerlabError, EngineUnreachable, printable
from dockerlab.lab.wire import Wire
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.operations import NEWEST, OLDEST, OPERATIONS, version_number
from dockerlab.protocol.request import Request, encode, has_no_end, operation_named
from dockerlab.transport.failures import PLAIN_TO_TLS, SET_TLS, intermediary
from dockerlab.transport.hijack import Hijacked, hijack
from dockerlab.transport.many_at_once import gather
from dockerlab.transport.requests_session import session
from dockerlab.transport.transport import Response, Transport, valid_timeout
from dockerlab.transport.websocket import websocket

if TYPE_CHECKING:
    import os

    import requests

    from dockerlab.endpoint.endpoint import Endpoint
    from dockerlab.groups.config import ConfigGroup
    from dockerlab.groups.container import ContainerGroup
    from dockerlab.groups.distribution import DistributionGroup
    from dockerlab.groups.exec import ExecGroup
    from dockerlab.groups.image import ImageGroup
    from dockerlab.groups.network import NetworkGroup
    from dockerlab.groups.node import NodeGroup
    from dockerlab.groups.plugin import PluginGroup
    from dockerlab.groups.secret import SecretGroup
    from dockerlab.groups.service import ServiceGroup
    from dockerlab.groups.swarm import SwarmGroup
    from dockerlab.groups.system import SystemGroup
    from dockerlab.groups.task import TaskGroup
    from dockerlab.groups.volume import VolumeGroup
    from dockerlab.lab.recorder import Recording

__all__ = ["Lab", "connect"]

TIMEOUT = 60.0
#: The names of the groups: each is an attribute of a Lab, and a module of `dockerlab.groups`.
GROUPS = (
    "container", "image", "exec", "volume", "network", "system", "distribution", "swarm", "node", "service", "task",
    "secret", "config", "plugin",
)  # fmt: skip


def connect(url: str | None = None, *, timeout: float = TIMEOUT, insecure: bool = False) -> Lab:
    """Connect to an engine, and negotiate an API version with it.

    `url` is "practice", "docker", context:NAME, or an address such as unix:///var/run/docker.sock, ssh://me@host or
    tcp://127.0.0.1:2375. Without `url`, the first of these that is set or present is used: DOCKERLAB_ENGINE,
    DOCKER_HOST, DOCKER_CONTEXT, docker's current context, a well-known socket, the practice engine.
    `timeout` is in seconds; it limits connecting and each wait for bytes. Credentials are sent over plain TCP to
    another machine only with `insecure` (or DOCKERLAB_INSECURE=1).

    Raises EngineUnreachable, PermissionDenied or EngineTimeout if no engine responds, ArgumentError for a bad url.
    """
    timeout = valid_timeout(timeout)
    return Lab(endpoints.resolve(url, insecure=insecure), timeout=timeout)


class Lab:
    """A connection to one engine. Close it with `close()` or use it in `with`; Python also closes it at exit.

    Its groups (`container`, `image`, `exec`, `volume`, `network`, `system`, …) have one method per operation; `call`
    sends the request of any operation. `last` is the latest exchange, `wire` the latest 500. Threads may share a Lab.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float = TIMEOUT) -> None:
        """Negotiate the API version with the engine. Raises ConnectionFailed if it does not respond."""
        self.endpoint = endpoint
        self.timeout = timeout
        self.wire = Wire()
        self._transport = Transport(endpoint, timeout)
        self.version = self._newest = OLDEST
        try:
            self.version = self._negotiate()
        except BaseException:
            self._transport.close()
            raise

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            engine = self.engine
        except DockerlabError:  # the repr of a valid object must not raise
            engine = "engine that does not answer"
        return f"<Lab {engine} · API {self.version} · {self.endpoint.url}>"

    def close(self) -> None:
        """Close every connection. Calling it again has no effect."""
        self._transport.close()
        if "session" in self.__dict__:
            self.session.close()

    # -- groups ------------------------------------------------------------------------------------------------

    @functools.cached_property
    def container(self) -> ContainerGroup:
        """Operations on containers."""
        from dockerlab.groups.container import ContainerGroup

        return ContainerGroup(self)

    @functools.cached_property
    def image(self) -> ImageGroup:
        """Operations on images."""
        from dockerlab.groups.image import ImageGroup

        return ImageGroup(self)

    @functools.cached_property
    def exec(self) -> ExecGroup:
        """Operations on execs: programs started in a running container."""
        from dockerlab.groups.exec import ExecGroup

        return ExecGroup(self)

    @functools.cached_property
    def volume(self) -> VolumeGroup:
        """Operations on volumes."""
        from dockerlab.groups.volume import VolumeGroup

        return VolumeGroup(self)

    @functools.cached_property
    def network(self) -> NetworkGroup:
        """Operations on networks."""
        from dockerlab.groups.network import NetworkGroup

        return NetworkGroup(self)

    @functools.cached_property
    def system(self) -> SystemGroup:
        """Operations on the engine itself."""
        from dockerlab.groups.system import SystemGroup

        return SystemGroup(self)

    @functools.cached_property
    def distribution(self) -> DistributionGroup:
        """Questions to a registry about an image."""
        from dockerlab.groups.distribution import DistributionGroup

        return DistributionGroup(self)

    @functools.cached_property
    def swarm(self) -> SwarmGroup:
        """Operations on the engine's swarm."""
        from dockerlab.groups.swarm import SwarmGroup

        return SwarmGroup(self)

    @functools.cached_property
    def node(self) -> NodeGroup:
        """Operations on the nodes of a swarm."""
        from dockerlab.groups.node import NodeGroup

        return NodeGroup(self)

    @functools.cached_property
    def service(self) -> ServiceGroup:
        """Operations on the services of a swarm."""
        from dockerlab.groups.service import ServiceGroup

        return ServiceGroup(self)

    @functools.cached_property
    def task(self) -> TaskGroup:
        """Operations on the tasks of a swarm's services."""
        from dockerlab.groups.task import TaskGroup

        return TaskGroup(self)

    @functools.cached_property
    def secret(self) -> SecretGroup:
        """Operations on the secrets of a swarm."""
        from dockerlab.groups.secret import SecretGroup

        return SecretGroup(self)

    @functools.cached_property
    def config(self) -> ConfigGroup:
        """Operations on the configs of a swarm."""
        from dockerlab.groups.config import ConfigGroup

        return ConfigGroup(self)

    @functools.cached_property
    def plugin(self) -> PluginGroup:
        """Operations on plugins."""
        from dockerlab.groups.plugin import PluginGroup

        return PluginGroup(self)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"A Lab has no {name!r}. Its groups are {', '.join(GROUPS)}.")

    # -- requests ----------------------------------------------------------------------------------------------

    def call(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Exchange:
        """Send one request and read the whole response: `lab.call("ImageHistory", name="busybox")`.

        `arguments` are the parameters of the operation, in snake_case, as listed in `dockerlab.operations`.
        Raises ArgumentError for a wrong argument, EngineError for a status of 400 or more, ConnectionFailed.
        """
        request = self._request(operation, arguments)
        _refuse_endless(request)
        with self._open(request, timeout) as response:
            response.read()
        return response.exchange

    def open(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Response:
        """Send one request and read the headers of its response; `chunks()` of the result reads the body.

        Use the result in `with`: it occupies a connection until it is closed. Raises the errors of `call`.
        """
        request = self._request(operation, arguments)
        _refuse_hijack(request)
        return self._open(request, timeout)

    def gather(self, operation: str, asked: list[dict[str, Any]], *, timeout: float | None = None) -> list[Exchange]:
        """Send many requests of one operation concurrently, one per dict of arguments.

        Only for operations without a request body. Returns the exchanges in the order of the arguments; raises the
        errors of `call`.
        """
        return list(self.gathering(operation, asked, timeout=timeout))

    def gathering(
        self, operation: str, asked: list[dict[str, Any]], *, timeout: float | None = None
    ) -> Generator[Exchange]:
        """Do the same as `gather`, but yield each exchange as soon as it and those before it are complete.

        Exhaust the generator or close it: until then it occupies connections.
        """
        requests = [self._request(operation, arguments) for arguments in asked]
        for request in requests:
            _refuse_endless(request)
        with self._failed_exchanges_logged():
            for exchange in gather(self._transport, requests, timeout):
                self.wire.append(exchange)
                yield exchange

    def hijack(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Hijacked:
        """Send the request of an operation whose connection then carries bytes in both directions: attach, exec start.

        Use the result in `with`. Raises the errors of `call`.
        """
        request = self._request(operation, arguments)
        with self._failed_exchanges_logged():
            if request.operation.answer == "websocket":
                connection: Hijacked = websocket(self._transport, request, timeout)
            else:
                connection = hijack(self._transport, request, timeout)
        self.wire.append(connection.exchange)
        return connection

    def _request(self, operation: str, arguments: dict[str, Any]) -> Request:
        return encode(operation_named(operation), arguments, self.version, self._newest)

    def _open(self, request: Request, timeout: float | None) -> Response:
        with self._failed_exchanges_logged():
            response = self._transport.open(request, timeout)
        self.wire.append(response.exchange)
        return response

    @contextlib.contextmanager
    def _failed_exchanges_logged(self) -> Iterator[None]:
        """Add the exchange of an error response to the wire log before the error propagates."""
        try:
            yield
        except DockerlabError as error:
            exchange = getattr(error, "exchange", None)
            if isinstance(exchange, Exchange):
                self.wire.append(exchange)
            raise

    @property
    def last(self) -> Exchange:
        """The latest exchange. Raises DockerlabError if there is none yet."""
        if not self.wire:
            raise DockerlabError("No request has been sent yet. Send one first, for example lab.system.ping().")
        return self.wire[-1]

    def record(
        self,
        to: str | os.PathLike[str],
        *,
        seconds: float,
        interval: float = 1.0,
        containers: Sequence[str] | dict[str, Any] | None = None,
    ) -> Recording:
        """Record stats and events of containers into Parquet files for `seconds`; `dockerlab.replay` reads them.

        Same as `dockerlab.recorder.record`: see there for the result and the errors.
        """
        from dockerlab.lab.recorder import record

        return record(self, to, seconds=seconds, interval=interval, containers=containers)

    # -- the requests library ----------------------------------------------------------------------------------

    @functools.cached_property
    def session(self) -> requests.Session:
        """A requests session on the same engine: `lab.session.get(lab.url("/info")).json()`."""
        return session(self.endpoint, self.timeout)

    def url(self, path: str, **query: Any) -> str:
        """Return the URL of an API path, for use with `session`: `lab.url("/containers/json", all=1)`."""
        text = f"{self.endpoint.http}/v{self.version}/{path.lstrip('/')}"
        return f"{text}?{urlencode(query)}" if query else text

    # -- the engine --------------------------------------------------------------------------------------------

    @functools.cached_property
    def engine(self) -> str:
        """The engine's name and version, as the engine reports them: `Docker 20.10.24`, `Podman 5.4.2`."""
        version = self._transport.send(encode(OPERATIONS["SystemVersion"], {}, self.version)).json()
        version = version if isinstance(version, dict) else {}
        components = version.get("Components")
        candidates = [version.get("Platform"), *(components[:1] if isinstance(components, list) else [])]
        names = [str(part["Name"]) for part in candidates if isinstance(part, dict) and part.get("Name")]
        # Podman's platform names the machine, such as linux/amd64/debian-12; its first component names the engine.
        name = next((name for name in names if "/" not in name), "engine")
        name = "Docker" if name == "Engine" or name.startswith("Docker Engine") else name.removesuffix(" Engine")
        return printable(f"{name} {version.get('Version', '')}".strip())

    def _negotiate(self) -> str:
        """Return the newest API version that both the engine and dockerlab support."""
        request = encode(OPERATIONS["SystemPing"], {}, OLDEST)
        request.target = "/_ping"
        exchange = None
        try:
            exchange = self._transport.send(request)
            newest = exchange.header("Api-Version")
            number = version_number(newest)
        except (BadRequest, ValueError) as error:
            proxy = intermediary(exchange) if exchange else ""
            raise EngineUnreachable(f"{self.endpoint.url} answers, but {proxy or _not_an_engine(error)}") from None
        if number < version_number(OLDEST):
            raise EngineUnreachable(
                f"The engine speaks API {newest}, and dockerlab needs {OLDEST} or newer: "
                "update it to Docker 20.10 or later."
            )
        self._newest = newest
        return newest if number <= version_number(NEWEST) else NEWEST


def _not_an_engine(error: Exception) -> str:
    """Return the end of a sentence that says why the server at this address is no engine we can use."""
    if isinstance(error, BadRequest) and PLAIN_TO_TLS.search(error.message):
        return f"it speaks TLS, but the request was plain HTTP. {SET_TLS}"
    return "it is not a Docker engine: its response has no API version. Check DOCKER_HOST."


def _refuse_hijack(request: Request) -> None:
    """Raise ArgumentError for an operation whose connection becomes a stream."""
    if request.operation.answer in ("hijack", "websocket"):
        raise ArgumentError(
            f"{request.operation.id} turns its connection into a stream: use its method, "
            f'or lab.hijack("{request.operation.id}", …).'
        )


def _refuse_endless(request: Request) -> None:
    """Raise ArgumentError for a request whose response has no end: reading all of it would never return."""
    _refuse_hijack(request)
    operation = request.operation.id
    if has_no_end(request.operation, request.arguments):
        raise ArgumentError(
            f"The response of {operation} has no end with these arguments: read it piece by piece with lab.open("
            f'"{operation}", …).chunks().'
        )
