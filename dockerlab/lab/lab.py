"""The Lab: what `connect()` returns. It holds the groups, the last exchange and the wire log."""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload
from urllib.parse import urlencode

from dockerlab.endpoint import endpoint as endpoints
from dockerlab.errors import ArgumentError, BadRequest, DockerlabError, EngineUnreachable, printable
from dockerlab.protocol.exchange import Exchange
from dockerlab.protocol.operations import NEWEST, OLDEST, OPERATIONS, version_number
from dockerlab.protocol.request import Request, encode, has_no_end, row
from dockerlab.transport.failures import PLAIN_TO_TLS, SET_TLS, in_between
from dockerlab.transport.requests_session import session
from dockerlab.transport.transport import Answer, Transport, seconds_of

if TYPE_CHECKING:
    import os

    import pandas
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
    from dockerlab.transport.hijack import Hijacked

__all__ = ["Lab", "Wire", "connect"]

#: How many exchanges are kept, how many bytes of each body, and how many of all.
KEPT, KEPT_BYTES, ALL_BYTES = 500, 1 << 20, 64 << 20
TIMEOUT = 60.0
#: Each is a module of `dockerlab.groups`, loaded when it is used.
GROUPS = (
    "container", "image", "exec", "volume", "network", "system", "distribution", "swarm", "node", "service", "task",
    "secret", "config", "plugin",
)  # fmt: skip


def connect(url: str | None = None, *, timeout: float = TIMEOUT, insecure: bool = False) -> Lab:
    """Connect to an engine, and agree on an API version with it.

    `url` is "practice", "docker", context:NAME, or an address such as unix:///var/run/docker.sock, ssh://me@host or
    tcp://127.0.0.1:2375. Without it: DOCKERLAB_ENGINE, DOCKER_HOST, DOCKER_CONTEXT, docker's current context, a usual
    socket, the practice engine, whichever comes first. `timeout` is in seconds, for connecting and for each wait for
    bytes. Credentials go over plain TCP to another machine only with `insecure` (or DOCKERLAB_INSECURE=1).

    Raises EngineUnreachable, PermissionDenied or EngineTimeout if no engine answers, ArgumentError for a bad url.
    """
    timeout = seconds_of(timeout)
    return Lab(endpoints.resolve(url, insecure=insecure), timeout=timeout)


class Lab:
    """One engine. Close it with `close()` or use it in `with`; it is also closed when Python ends.

    Its groups (`container`, `image`, `exec`, `volume`, `network`, `system`, …) hold a method for each operation. `call`
    makes any's request. `last` is the latest exchange, `wire` the latest 500. Several threads may use one Lab.
    """

    container: ContainerGroup
    image: ImageGroup
    exec: ExecGroup
    volume: VolumeGroup
    network: NetworkGroup
    system: SystemGroup
    distribution: DistributionGroup
    swarm: SwarmGroup
    node: NodeGroup
    service: ServiceGroup
    task: TaskGroup
    secret: SecretGroup
    config: ConfigGroup
    plugin: PluginGroup

    def __init__(self, endpoint: Endpoint, *, timeout: float = TIMEOUT) -> None:
        """Ask the engine for its version. Raises ConnectionFailed if it does not answer."""
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
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Give one line: engine with its version, API, endpoint."""
        try:
            engine = self.engine
        except DockerlabError:  # a repr must not fail where the object is fine
            engine = "engine that does not answer"
        return f"<Lab {engine} · API {self.version} · {self.endpoint.url}>"

    def close(self) -> None:
        """Close every connection. May be called more than once."""
        self._transport.close()
        if "session" in self.__dict__:
            self.session.close()

    # -- groups ------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        """Load a group when it is first used: `lab.container` and the others."""
        if name not in GROUPS:
            raise AttributeError(f"A Lab has no {name!r}. Its groups are {', '.join(GROUPS)}.")
        module = importlib.import_module(f"dockerlab.groups.{name}")
        made = getattr(module, f"{name.title()}Group")(self)
        setattr(self, name, made)
        return made

    def __dir__(self) -> list[str]:
        """Name the groups, too."""
        return [*super().__dir__(), *GROUPS]

    # -- requests ----------------------------------------------------------------------------------------------

    def call(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Exchange:
        """Make one request and read the whole answer: `lab.call("ImageHistory", name="busybox")`.

        Arguments are those of the operation's row in `dockerlab.protocol.operations`, in snake_case.
        Raises ArgumentError for a wrong one, EngineError for a status of 400 or more, ConnectionFailed.
        """
        request = self._request(operation, arguments)
        _refuse_endless(request)
        with self._open(request, timeout) as answer:
            answer.read()
        return answer.exchange

    def open(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Answer:
        """Make one request and read the headers of its answer; `chunks()` of what comes back reads the body.

        Use it in `with`: it holds a connection until it is closed. Raises as `call` does.
        """
        request = self._request(operation, arguments)
        _refuse_hijack(request)
        return self._open(request, timeout)

    def gather(self, operation: str, asked: list[dict[str, Any]], *, timeout: float | None = None) -> list[Exchange]:
        """Make one and the same operation's request several times at once, with other arguments each time.

        For operations without a body. Gives the exchanges in the order of what was asked; raises as `call` does.
        """
        return list(self.gathering(operation, asked, timeout=timeout))

    def gathering(
        self, operation: str, asked: list[dict[str, Any]], *, timeout: float | None = None
    ) -> Generator[Exchange]:
        """As `gather`, but give each exchange when it and those before it are here: the engine goes on meanwhile.

        Read it to its end, or close it: until then it holds connections.
        """
        from dockerlab.transport.many_at_once import gather  # noqa: PLC0415  (only who asks many at once)

        requests = [self._request(operation, arguments) for arguments in asked]
        for request in requests:
            _refuse_endless(request)
        with self._keeping_errors():
            for exchange in gather(self._transport, requests, timeout):
                self.wire.append(exchange)
                yield exchange

    def hijack(self, operation: str, /, *, timeout: float | None = None, **arguments: Any) -> Hijacked:
        """Make the request of an operation whose connection then carries bytes both ways: attach, exec start.

        Use what comes back in `with`. Raises as `call` does.
        """
        request = self._request(operation, arguments)
        with self._keeping_errors():
            if request.operation.answer == "websocket":
                from dockerlab.transport.websocket import websocket  # noqa: PLC0415  (only who asks for one)

                taken: Hijacked = websocket(self._transport, request, timeout)
            else:
                from dockerlab.transport.hijack import hijack  # noqa: PLC0415

                taken = hijack(self._transport, request, timeout)
        self.wire.append(taken.exchange)
        return taken

    def _request(self, operation: str, arguments: dict[str, Any]) -> Request:
        return encode(row(operation), arguments, self.version, self._newest)

    def _open(self, request: Request, timeout: float | None) -> Answer:
        with self._keeping_errors():
            answer = self._transport.open(request, timeout)
        self.wire.append(answer.exchange)
        return answer

    @contextlib.contextmanager
    def _keeping_errors(self) -> Iterator[None]:
        """Keep the exchange of an answer that is an error."""
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
            raise DockerlabError("Nothing was asked yet. Call something first, for example lab.system.ping().")
        return self.wire[-1]

    def record(
        self,
        to: str | os.PathLike[str],
        *,
        seconds: float,
        interval: float = 1.0,
        containers: Sequence[str] | dict[str, Any] | None = None,
    ) -> Recording:
        """Record stats and events of many containers into Parquet, for so many seconds; `dockerlab.replay` reads it.

        See dockerlab.lab.recorder.record, which this is, for what comes back and what goes wrong.
        """
        from dockerlab.lab.recorder import record  # noqa: PLC0415  (only who records)

        return record(self, to, seconds=seconds, interval=interval, containers=containers)

    # -- requests, the library ---------------------------------------------------------------------------------

    @functools.cached_property
    def session(self) -> requests.Session:
        """A requests session on the same engine: `lab.session.get(lab.url("/info")).json()`."""
        return session(self.endpoint, self.timeout)

    def url(self, path: str, **query: Any) -> str:
        """Give the URL of a path of the API, for `session`: `lab.url("/containers/json", all=1)`."""
        text = f"{self.endpoint.http}/v{self.version}/{path.lstrip('/')}"
        return f"{text}?{urlencode(query)}" if query else text

    # -- the engine --------------------------------------------------------------------------------------------

    @functools.cached_property
    def engine(self) -> str:
        """The engine's name and version, as it tells them: `Docker 20.10.24`, `Podman 5.4.2`."""
        known = self._transport.send(encode(OPERATIONS["SystemVersion"], {}, self.version)).json()
        known = known if isinstance(known, dict) else {}
        parts = known.get("Components")
        told = [known.get("Platform"), *(parts[:1] if isinstance(parts, list) else [])]
        names = [str(part["Name"]) for part in told if isinstance(part, dict) and part.get("Name")]
        # Podman's platform is where it runs, such as linux/amd64/debian-12; what it is, its first component says
        name = next((name for name in names if "/" not in name), "engine")
        name = "Docker" if name == "Engine" or name.startswith("Docker Engine") else name.removesuffix(" Engine")
        return printable(f"{name} {known.get('Version', '')}".strip())

    def _negotiate(self) -> str:
        """Ask for the engine's newest API version, and settle on one that both speak."""
        request = encode(OPERATIONS["SystemPing"], {}, OLDEST)
        request.target = "/_ping"
        exchange = None
        try:
            exchange = self._transport.send(request)
            newest = exchange.header("Api-Version")
            number = version_number(newest)
        except (BadRequest, ValueError) as error:
            stranger = in_between(exchange) if exchange else ""
            raise EngineUnreachable(f"{self.endpoint.url} answers, but {stranger or _not_an_engine(error)}") from None
        if number < version_number(OLDEST):
            raise EngineUnreachable(
                f"The engine speaks API {newest}, and dockerlab needs {OLDEST} or newer: "
                "update it to Docker 20.10 or later."
            )
        self._newest = newest
        return newest if number <= version_number(NEWEST) else NEWEST


def _not_an_engine(error: Exception) -> str:
    """Say what answered in an engine's place."""
    if isinstance(error, BadRequest) and PLAIN_TO_TLS.search(error.message):
        return f"it speaks TLS, and was asked in plain HTTP. {SET_TLS}"
    return "not as a Docker engine: it names no API version. Check DOCKER_HOST."


def _refuse_hijack(request: Request) -> None:
    """Refuse what a request and its answer can't do."""
    if request.operation.answer in ("hijack", "websocket"):
        raise ArgumentError(
            f"{request.operation.id} turns its connection into a stream: use its method, "
            f'or lab.hijack("{request.operation.id}", …).'
        )


def _refuse_endless(request: Request) -> None:
    """Refuse to read what has no end: it would never return."""
    _refuse_hijack(request)
    operation = request.operation.id
    if has_no_end(request.operation, request.arguments):
        raise ArgumentError(
            f"{operation} has no end when asked like this: read it piece by piece with lab.open("
            f'"{operation}", …).chunks().'
        )


class Wire:
    """The latest exchanges, the oldest first.

    It stays small: 500 exchanges, and fewer if they are long. Of a body over 1 MiB the first MiB is kept, from the
    next exchange on; whoever holds the exchange itself keeps all of it.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: deque[Exchange] = deque()
        self._sizes: deque[int] = deque()  # of all but the last, whose answer may still come
        self._bytes = 0
        self._lock = threading.Lock()

    def append(self, exchange: Exchange) -> None:
        """Keep one more."""
        with self._lock:
            if self._kept:
                last = self._kept[-1] = self._kept[-1].shortened(KEPT_BYTES)
                self._sizes.append(len(last.body) + len(last.request_body))
                self._bytes += self._sizes[-1]
            self._kept.append(exchange)
            while len(self._kept) > KEPT or (self._bytes > ALL_BYTES and len(self._kept) > 1):
                self._kept.popleft()
                self._bytes -= self._sizes.popleft()

    def __len__(self) -> int:
        """Count them."""
        return len(self._kept)

    def __iter__(self) -> Iterator[Exchange]:
        """Give them, the oldest first."""
        return iter(list(self._kept))

    @overload
    def __getitem__(self, index: int) -> Exchange: ...
    @overload
    def __getitem__(self, index: slice) -> list[Exchange]: ...
    def __getitem__(self, index: int | slice) -> Exchange | list[Exchange]:
        """Give one by its place, or several by a slice."""
        return list(self._kept)[index] if isinstance(index, slice) else self._kept[index]

    def __repr__(self) -> str:
        """Give one line."""
        return f"<Wire {len(self)} exchanges>"

    def table(self) -> pandas.DataFrame:
        """Give one row an exchange.

        Columns: `started` (datetime, UTC), `operation`, `method`, `path` (str), `status` (Int64),
        `duration_seconds` (float), `request_bytes`, `response_bytes` (Int64).
        """
        import pandas as pd  # noqa: PLC0415  (the wire itself needs no pandas)

        rows = [
            (e.started, e.operation.id, e.method, e.target, e.status, e.seconds, len(e.request_body), e.received)
            for e in self._kept
        ]
        names = ["started", "operation", "method", "path", "status", "duration_seconds"]
        table = pd.DataFrame(rows, columns=[*names, "request_bytes", "response_bytes"])
        table["started"] = pd.to_datetime(table["started"], utc=True)
        whole = dict.fromkeys(("status", "request_bytes", "response_bytes"), "Int64")
        return table.astype({**whole, "duration_seconds": "float64"})
