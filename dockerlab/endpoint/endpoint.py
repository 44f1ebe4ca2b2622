"""Finds an engine. The first of these ways that leads to one is chosen: the caller, DOCKERLAB_ENGINE, DOCKER_HOST,
DOCKER_CONTEXT, the docker command's current context, a usual socket where something listens, and finally the practice
engine, which is started as a separate process. `ways` explains for each one why it is chosen or not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlsplit

from dockerlab.endpoint import contexts, known_sockets, ssh, tls
from dockerlab.endpoint.tls import Tls
from dockerlab.errors import ArgumentError, DockerlabError, EngineUnreachable

__all__ = ["Endpoint", "Way", "parse", "practice", "resolve", "ways"]

PLAIN_PORT, TLS_PORT, HTTPS_PORT = 2375, 2376, 443
#: The operating system accepts no longer paths for unix sockets.
MAX_PATH_BYTES = 107
START_SECONDS = 30
CONTEXT_PREFIX = "context:"
TRUE_WORDS = {"1", "true", "yes", "on"}
FORMS = '"practice", "docker", context:NAME, unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST'


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's address, and where it comes from.

    `kind` is "unix", "tcp", "tls" (TCP with TLS) or "ssh"; `address` a path, host:port, or user@host:port/path;
    `source` says why it was chosen. `insecure` allows sending credentials over plain TCP to another machine. With
    `own_process`, only a process of this user or of root may answer on the socket.
    """

    kind: str
    address: str
    source: str = ""
    tls: Tls | None = None
    insecure: bool = False
    own_process: bool = field(default=False, compare=False)

    @property
    def url(self) -> str:
        """The address in the form of DOCKER_HOST."""
        return f"{'tcp' if self.kind == 'tls' else self.kind}://{self.address}"

    @property
    def host(self) -> str:
        """The host, without the brackets of IPv6; empty for a socket."""
        if self.kind == "ssh":
            return ssh.parse(self.address).host
        return self.address.rpartition(":")[0].strip("[]") if self.kind != "unix" else ""

    @property
    def port(self) -> int:
        """The port; 0 for a socket, and where ssh's own settings decide."""
        if self.kind == "ssh":
            return ssh.parse(self.address).port
        return int(self.address.rpartition(":")[2]) if self.kind != "unix" else 0

    @property
    def host_header(self) -> str:
        """The value of the Host header: `localhost` for a socket and over ssh; otherwise without the zone of IPv6."""
        return "localhost" if self.kind in ("unix", "ssh") else re.sub(r"%[^\]]*", "", self.address)

    @property
    def http(self) -> str:
        """The address as a URL for requests: http+unix://…, http+ssh://…, http://… or https://…."""
        if self.kind in ("unix", "ssh"):
            return f"http+{self.kind}://{quote(self.address, safe='')}"
        return f"{'https' if self.kind == 'tls' else 'http'}://{self.address}"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to an engine: its name, what is there, and whether it is chosen.

    `name` is a variable, or one of "the caller", "current context", "usual socket" and "practice". A way is chosen if
    it has an `endpoint` or an `error` (an address that somebody named must work), or is the practice engine.
    """

    name: str
    finding: str
    endpoint: Endpoint | None = None
    error: DockerlabError | None = None
    practice: bool = False

    @property
    def is_chosen(self) -> bool:
        """Whether the search ends here."""
        return self.endpoint is not None or self.error is not None or self.practice


def resolve(url: str | None = None, env: Mapping[str, str] | None = None, *, insecure: bool = False) -> Endpoint:
    """Find an engine's address. The first lines of this module say in which order.

    `url` is "practice", "docker", context:NAME, or an address such as unix:///var/run/docker.sock, ssh://me@host or
    tcp://127.0.0.1:2375. Raises ArgumentError for an invalid address, EngineUnreachable if the practice engine doesn't
    start.
    """
    env = os.environ if env is None else env
    way = next(way for way in ways(url, env) if way.is_chosen)
    if way.error:
        raise way.error
    endpoint = way.endpoint or practice(way.finding)
    is_insecure = insecure or env.get("DOCKERLAB_INSECURE", "").lower() in TRUE_WORDS
    return replace(endpoint, insecure=True) if is_insecure else endpoint


def ways(url: str | None = None, env: Mapping[str, str] | None = None) -> Iterator[Way]:
    """Yield every way in order, and try each only when it is reached. `resolve` uses the first that is chosen."""
    env = os.environ if env is None else env
    choices = {"the caller": url, "DOCKERLAB_ENGINE": None if url else env.get("DOCKERLAB_ENGINE")}
    for name, value in choices.items():
        if value == "docker":
            yield Way(name, "docker: the ways below, but not the practice engine")
        elif value == "practice":
            yield Way(name, name, practice=True)
        elif value:
            yield _address(name, value, env)
        else:
            yield Way(name, "nothing" if name == "the caller" else "not set")
    yield _address("DOCKER_HOST", env["DOCKER_HOST"], env) if env.get("DOCKER_HOST") else Way("DOCKER_HOST", "not set")
    yield from _contexts(env)
    for path, engine in known_sockets.candidates(env):
        if refusal := known_sockets.refusal(path):
            yield Way("usual socket", f"{path} ({engine}): {refusal}")
        else:
            yield Way("usual socket", path, Endpoint("unix", path, f"the usual socket answers: {engine}"))
    if "docker" in choices.values():
        path = known_sockets.USUAL_SOCKET
        yield Way("usual socket", path, Endpoint("unix", path, "docker, at the usual socket"))
    else:
        yield Way("practice", "no other engine was found", practice=True)


def _contexts(env: Mapping[str, str]) -> Iterator[Way]:
    """Yield DOCKER_CONTEXT, then the choice of `docker context use`, in the docker command's order."""
    name = env.get("DOCKER_CONTEXT", "")
    if name and name != contexts.DEFAULT:
        yield _address("DOCKER_CONTEXT", CONTEXT_PREFIX + name, env)
    else:
        yield Way("DOCKER_CONTEXT", "default: the usual socket" if name else "not set")
    try:
        current = contexts.current(env)
    except DockerlabError as error:
        yield Way("current context", str(error))
        return
    if not current:
        yield Way("current context", "default: the usual socket")
    elif name:
        yield Way("current context", f"{current}: DOCKER_CONTEXT overrides it")
    else:
        yield _address("current context", CONTEXT_PREFIX + current, env)


def _address(name: str, value: str, env: Mapping[str, str]) -> Way:
    try:
        if not value.startswith(CONTEXT_PREFIX):
            return Way(name, value, parse(value, name, env))
        context_name = value.removeprefix(CONTEXT_PREFIX)
        if context_name == contexts.DEFAULT:
            host = env.get("DOCKER_HOST") or f"unix://{known_sockets.USUAL_SOCKET}"
            return Way(name, value, parse(host, f"{name}: {value}", env))
        context = contexts.read(context_name, env)
        return Way(name, value, parse(context.host, f"{name}: {value}", files=context.tls))
    except DockerlabError as error:
        return Way(name, value, error=error)


def parse(url: str, source: str = "", env: Mapping[str, str] | None = None, *, files: Tls | None = None) -> Endpoint:
    """Parse an address in the form of DOCKER_HOST. Raises ArgumentError, naming the valid forms, if it is not one.

    A tcp:// is plain HTTP without `files`, and without DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH in `env`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("unix", "tcp", "http", "https", "ssh"):
        raise ArgumentError(_invalid_scheme(url, scheme if separator else ""))
    if scheme == "unix":
        if not rest.startswith("/") or len(rest.encode()) > MAX_PATH_BYTES or "\0" in rest:
            raise ArgumentError(
                f"{url!r} is not a socket's path: it must begin with / and have at most {MAX_PATH_BYTES} bytes."
            )
        return Endpoint("unix", rest, source)
    if scheme == "ssh":
        return Endpoint("ssh", ssh.parse(rest).text, source)
    tls_files = files or tls.from_environment(env or {}, https=scheme == "https")
    default_port = HTTPS_PORT if scheme == "https" else TLS_PORT if tls_files else PLAIN_PORT
    return Endpoint("tls" if tls_files else "tcp", _host_and_port(url, rest, default_port), source, tls_files)


def _host_and_port(url: str, rest: str, default_port: int) -> str:
    try:
        parts = urlsplit(f"//{rest.rstrip('/')}")
        host, port = parts.hostname, parts.port or default_port
    except ValueError:
        host, port = None, 0
    if not host or parts.username or parts.path or parts.query or parts.fragment:
        raise ArgumentError(f"{url!r} is not an address. Write tcp://HOST:PORT, for example tcp://127.0.0.1:2375.")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _invalid_scheme(url: str, scheme: str) -> str:
    if scheme == "npipe":
        return (
            "dockerlab does not support npipe://, the named pipes of Windows. Use it in WSL 2, "
            "or let Docker Desktop listen on tcp://localhost:2375 (Settings, General)."
        )
    if scheme == "fd":
        return (
            "fd:// tells a daemon where to listen; it is not an address. Use the socket: unix:///var/run/docker.sock."
        )
    return f"{url!r} is not an engine's address. Use {FORMS}."


def practice(source: str = "") -> Endpoint:
    """Return the practice engine's address, and start it if necessary. Raises EngineUnreachable if it doesn't start."""
    command = [sys.executable, "-m", "dockerlab.engine", "ensure"]
    try:
        process = subprocess.run(  # noqa: S603  (a module of dockerlab, run by this interpreter)
            command, capture_output=True, text=True, timeout=START_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise EngineUnreachable(
            f"The practice engine did not start within {START_SECONDS} s. Read its log: dockerlab engine logs"
        ) from None
    except OSError as error:
        raise EngineUnreachable(f"The practice engine did not start: {sys.executable}: {error.strerror}") from None
    last_line = process.stdout.strip().rpartition("\n")[2]
    if process.returncode or not last_line.startswith("DOCKER_HOST="):
        reason = process.stderr.strip().rpartition("\n")[2] or "it gave no reason"
        raise EngineUnreachable(f"The practice engine did not start: {reason}\nFind out more: dockerlab doctor")
    return replace(parse(last_line.removeprefix("DOCKER_HOST="), source), own_process=True)
