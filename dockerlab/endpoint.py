"""Where is an engine? The first of these that says something: the caller, DOCKERLAB_ENGINE, DOCKER_HOST, the usual
socket if an engine answers there, and at last the practice engine, which is started as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from dockerlab.errors import ArgumentError, EngineUnreachable

__all__ = ["USUAL_SOCKET", "Endpoint", "parse", "practice", "resolve"]

USUAL_SOCKET = "/var/run/docker.sock"
PLAIN_PORT = 2375
LONGEST_PATH = 107
START_SECONDS = 30
#: The way out where an engine is not to be had directly.
FORWARD = (
    "Forward the engine's socket with ssh -L /tmp/engine.sock:/var/run/docker.sock HOST, "
    "and use unix:///tmp/engine.sock."
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's address, and who named it.

    `kind` is "unix" or "tcp"; `address` a path, or host:port; `source` says why it was chosen.
    """

    kind: str
    address: str
    source: str = ""

    @property
    def url(self) -> str:
        """The address as DOCKER_HOST writes it."""
        return f"{self.kind}://{self.address}"

    @property
    def host(self) -> str:
        """The host of a TCP endpoint, without the brackets of IPv6."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of a TCP endpoint."""
        return int(self.address.rpartition(":")[2])

    @property
    def host_header(self) -> str:
        """What the Host header says: `localhost` on a socket."""
        return "localhost" if self.kind == "unix" else self.address

    @property
    def http(self) -> str:
        """The address as a URL for requests: http+unix://… or http://…."""
        return f"http+unix://{quote(self.address, safe='')}" if self.kind == "unix" else f"http://{self.address}"


def resolve(url: str | None = None, env: Mapping[str, str] | None = None) -> Endpoint:
    """Find the engine's address. See this module's first lines for the order.

    `url` is "practice", "docker", or an address such as unix:///var/run/docker.sock or tcp://127.0.0.1:2375.
    Raises ArgumentError for an address that can't be used, EngineUnreachable if the practice engine won't start.
    """
    env = os.environ if env is None else env
    for source, value in (
        ("the caller", url),
        ("DOCKERLAB_ENGINE", env.get("DOCKERLAB_ENGINE")),
        ("DOCKER_HOST", env.get("DOCKER_HOST")),
    ):
        if value:
            return _named(value, source, env)
    if _answers(USUAL_SOCKET):
        return Endpoint("unix", USUAL_SOCKET, "the usual socket answers")
    return practice("nothing else was found")


def _named(value: str, source: str, env: Mapping[str, str]) -> Endpoint:
    if value == "practice":
        return practice(source)
    if value != "docker":
        return parse(value, source, env)
    if env.get("DOCKER_HOST"):
        return parse(env["DOCKER_HOST"], f"{source}: docker, from DOCKER_HOST", env)
    return Endpoint("unix", USUAL_SOCKET, f"{source}: docker, at the usual socket")


def parse(url: str, source: str = "", env: Mapping[str, str] | None = None) -> Endpoint:
    """Read an address as DOCKER_HOST writes it. Raises ArgumentError, naming what can be read."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("unix", "tcp", "http"):
        raise ArgumentError(_unreadable(url, scheme if separator else ""))
    if scheme == "unix":
        path = rest
        if not path.startswith("/") or len(path.encode()) > LONGEST_PATH or "\0" in path:
            raise ArgumentError(
                f"{url!r} is not a socket's path: it begins with / and has at most {LONGEST_PATH} bytes."
            )
        return Endpoint("unix", path, source)
    if env and env.get("DOCKER_TLS_VERIFY"):
        raise ArgumentError(f"DOCKER_TLS_VERIFY is set, and dockerlab does not speak TLS yet. {FORWARD}")
    try:
        parts = urlsplit(f"//{rest.rstrip('/')}")
        host, port = parts.hostname, parts.port or PLAIN_PORT
    except ValueError:
        host, port = None, 0
    if not host or parts.username or parts.path:
        raise ArgumentError(f"{url!r} is not an address. Write tcp://HOST:PORT, for example tcp://127.0.0.1:2375.")
    return Endpoint("tcp", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", source)


def _unreadable(url: str, scheme: str) -> str:
    if scheme == "ssh":
        return f"dockerlab does not speak ssh:// yet. {FORWARD}"
    if scheme in ("https", "npipe", "fd"):
        return f"dockerlab does not speak {scheme}:// yet. It reads unix:///PATH and tcp://HOST:PORT."
    return f'{url!r} is not an engine. Use "practice", "docker", unix:///PATH or tcp://HOST:PORT.'


def _answers(path: str) -> bool:
    """Does something accept a connection on this socket, and may this user connect?"""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


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
