"""Where is an engine? The first way that says something, in this order: the caller, DOCKERLAB_ENGINE, DOCKER_HOST,
DOCKER_CONTEXT, the docker command's current context, a usual socket at which something listens, and at last the
practice engine, which is started as a process of its own. `ways` tells of each one why it is taken or not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from dockerlab.endpoint import contexts, known_sockets, ssh, tls
from dockerlab.endpoint.tls import Tls
from dockerlab.errors import ArgumentError, DockerlabError, EngineUnreachable

__all__ = ["Endpoint", "Way", "parse", "practice", "resolve", "ways"]

PLAIN_PORT, TLS_PORT, HTTPS_PORT = 2375, 2376, 443
LONGEST_PATH = 107
START_SECONDS = 30
CONTEXT = "context:"
YES = {"1", "true", "yes", "on"}
FORMS = '"practice", "docker", context:NAME, unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST'


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's address, and who named it.

    `kind` is "unix", "tcp", "tls" (TCP with TLS) or "ssh"; `address` a path, host:port, or user@host:port/path;
    `source` says why it was chosen. `insecure` lets credentials go over plain TCP to another machine.
    """

    kind: str
    address: str
    source: str = ""
    tls: Tls | None = None
    insecure: bool = False

    @property
    def url(self) -> str:
        """The address as DOCKER_HOST writes it."""
        return f"{'tcp' if self.kind == 'tls' else self.kind}://{self.address}"

    @property
    def host(self) -> str:
        """The host, without the brackets of IPv6; empty on a socket."""
        if self.kind == "ssh":
            return ssh.parse(self.address).host
        return self.address.rpartition(":")[0].strip("[]") if self.kind != "unix" else ""

    @property
    def port(self) -> int:
        """The port; 0 on a socket, and where ssh's own settings say it."""
        if self.kind == "ssh":
            return ssh.parse(self.address).port
        return int(self.address.rpartition(":")[2]) if self.kind != "unix" else 0

    @property
    def host_header(self) -> str:
        """What the Host header says: `localhost` on a socket, also on one behind ssh; no zone of IPv6."""
        return "localhost" if self.kind in ("unix", "ssh") else re.sub(r"%[^\]]*", "", self.address)

    @property
    def http(self) -> str:
        """The address as a URL for requests: http+unix://…, http+ssh://…, http://… or https://…."""
        if self.kind in ("unix", "ssh"):
            return f"http+{self.kind}://{quote(self.address, safe='')}"
        return f"{'https' if self.kind == 'tls' else 'http'}://{self.address}"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to an engine: who names it, what was found there, and whether it is taken.

    `name` is a variable, or one of "the caller", "current context", "usual socket" and "practice". A way is taken if
    it has an `endpoint`, an `error` (what is named must work: nothing else is tried instead) or is the practice engine.
    """

    name: str
    said: str
    endpoint: Endpoint | None = None
    error: DockerlabError | None = None
    practice: bool = False

    @property
    def taken(self) -> bool:
        """Does the search end here?"""
        return self.endpoint is not None or self.error is not None or self.practice


def resolve(url: str | None = None, env: Mapping[str, str] | None = None, *, insecure: bool = False) -> Endpoint:
    """Find the engine's address. See this module's first lines for the order.

    `url` is "practice", "docker", context:NAME, or an address such as unix:///var/run/docker.sock, ssh://me@host or
    tcp://127.0.0.1:2375. Raises ArgumentError for an address that can't be used, EngineUnreachable if the practice
    engine won't start.
    """
    env = os.environ if env is None else env
    way = next(way for way in ways(url, env) if way.taken)
    if way.error:
        raise way.error
    found = way.endpoint or practice(way.said)
    allowed = insecure or env.get("DOCKERLAB_INSECURE", "").lower() in YES
    return replace(found, insecure=True) if allowed else found


def ways(url: str | None = None, env: Mapping[str, str] | None = None) -> Iterator[Way]:
    """Give every way in its order, each when it is asked for; the first that is taken is the one of `resolve`."""
    env = os.environ if env is None else env
    named = {"the caller": url, "DOCKERLAB_ENGINE": None if url else env.get("DOCKERLAB_ENGINE")}
    for name, value in named.items():
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
        if refused := known_sockets.refusal(path):
            yield Way("usual socket", f"{path} ({engine}): {refused}")
        else:
            yield Way("usual socket", path, Endpoint("unix", path, f"the usual socket answers: {engine}"))
    if "docker" in named.values():
        usual = known_sockets.USUAL_SOCKET
        yield Way("usual socket", usual, Endpoint("unix", usual, "docker, at the usual socket"))
    else:
        yield Way("practice", "nothing else was found", practice=True)


def _contexts(env: Mapping[str, str]) -> Iterator[Way]:
    """DOCKER_CONTEXT, then what `docker context use` chose: the same order as the docker command's."""
    name = env.get("DOCKER_CONTEXT", "")
    if name and name != contexts.DEFAULT:
        yield _address("DOCKER_CONTEXT", CONTEXT + name, env)
    else:
        yield Way("DOCKER_CONTEXT", "default: no context, but the usual socket" if name else "not set")
    try:
        chosen = contexts.current(env)
    except DockerlabError as error:
        yield Way("current context", str(error))
        return
    if not chosen:
        yield Way("current context", "the default one: the usual socket")
    elif name:
        yield Way("current context", f"{chosen}: DOCKER_CONTEXT comes before it")
    else:
        yield _address("current context", CONTEXT + chosen, env)


def _address(name: str, value: str, env: Mapping[str, str]) -> Way:
    try:
        if not value.startswith(CONTEXT):
            return Way(name, value, parse(value, name, env))
        chosen = value.removeprefix(CONTEXT)
        if chosen == contexts.DEFAULT:
            host = env.get("DOCKER_HOST") or f"unix://{known_sockets.USUAL_SOCKET}"
            return Way(name, value, parse(host, f"{name}: {value}", env))
        context = contexts.read(chosen, env)
        return Way(name, value, parse(context.host, f"{name}: {value}", files=context.tls))
    except DockerlabError as error:
        return Way(name, value, error=error)


def parse(url: str, source: str = "", env: Mapping[str, str] | None = None, *, files: Tls | None = None) -> Endpoint:
    """Read an address as DOCKER_HOST writes it. Raises ArgumentError, naming what can be read.

    A tcp:// is plain HTTP without `files`, and without DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH in `env`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("unix", "tcp", "http", "https", "ssh"):
        raise ArgumentError(_unreadable(url, scheme if separator else ""))
    if scheme == "unix":
        if not rest.startswith("/") or len(rest.encode()) > LONGEST_PATH or "\0" in rest:
            raise ArgumentError(
                f"{url!r} is not a socket's path: it begins with / and has at most {LONGEST_PATH} bytes."
            )
        return Endpoint("unix", rest, source)
    if scheme == "ssh":
        return Endpoint("ssh", ssh.parse(rest).text, source)
    secured = files or tls.from_environment(env or {}, https=scheme == "https")
    usual_port = HTTPS_PORT if scheme == "https" else TLS_PORT if secured else PLAIN_PORT
    return Endpoint("tls" if secured else "tcp", _host_and_port(url, rest, usual_port), source, secured)


def _host_and_port(url: str, rest: str, usual_port: int) -> str:
    try:
        parts = urlsplit(f"//{rest.rstrip('/')}")
        host, port = parts.hostname, parts.port or usual_port
    except ValueError:
        host, port = None, 0
    if not host or parts.username or parts.path or parts.query or parts.fragment:
        raise ArgumentError(f"{url!r} is not an address. Write tcp://HOST:PORT, for example tcp://127.0.0.1:2375.")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unreadable(url: str, scheme: str) -> str:
    if scheme == "npipe":
        return (
            "dockerlab does not speak npipe://, the named pipes of Windows. Use it in WSL 2, "
            "or let Docker Desktop listen on tcp://localhost:2375 (Settings, General)."
        )
    if scheme == "fd":
        return "fd:// is how a daemon is told to listen, not an address. Use the socket: unix:///var/run/docker.sock."
    return f"{url!r} is not an engine. Use {FORMS}."


def practice(source: str = "") -> Endpoint:
    """Give the practice engine's address; starts it if it doesn't run. Raises EngineUnreachable if it can't."""
    command = [sys.executable, "-m", "dockerlab.engine", "ensure"]
    try:
        ran = subprocess.run(  # noqa: S603  (our own module, by this same interpreter)
            command, capture_output=True, text=True, timeout=START_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise EngineUnreachable(
            f"The practice engine did not start within {START_SECONDS} s. Its log tells why: dockerlab engine logs"
        ) from None
    except OSError as error:
        raise EngineUnreachable(f"The practice engine did not start: {sys.executable}: {error.strerror}") from None
    last = ran.stdout.strip().rpartition("\n")[2]
    if ran.returncode or not last.startswith("DOCKER_HOST="):
        reason = ran.stderr.strip().rpartition("\n")[2] or "it said nothing"
        raise EngineUnreachable(f"The practice engine did not start: {reason}\nLook further with: dockerlab doctor")
    return parse(last.removeprefix("DOCKER_HOST="), source)
