"""Engines that are reached over ssh: the address, the ssh command, and what its error messages mean."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from urllib.parse import quote, unquote

from dockerlab.errors import ArgumentError, printable

__all__ = ["Address", "by_hand", "command", "explained", "parse", "remote"]

#: No name may begin like an option or contain what a shell would interpret: ssh passes both on to other programs.
USER = re.compile(r"[\w.][\w.@+-]*\$?")
HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9a-fA-F:]+(%[\w.-]+)?")
ADDRESS = re.compile(r"(?:(?P<user>[^@/]*)@)?(?P<host>\[[^\]/]+\]|[^:/\[\]@]+)(?::(?P<port>\d{1,5}))?(?P<path>/.*)?")
MAX_PORT = 65535
COMMAND_NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Address:
    """Where ssh connects to. ssh's own settings replace an empty user or port 0. `path` is a socket on that machine."""

    host: str
    user: str = ""
    port: int = 0
    path: str = ""

    @property
    def text(self) -> str:
        """The part of the URL after ssh://."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}{f':{self.port}' if self.port else ''}{quote(self.path)}"


def parse(rest: str) -> Address:
    """Parse the part of a URL after ssh://. Raises ArgumentError if it is not an address."""
    error = f"{'ssh://' + rest!r} is not an address. Write ssh://USER@HOST:PORT/PATH; only the host is required."
    match = ADDRESS.fullmatch(rest)  # urlsplit would lower the case of the host, which matters in ssh's settings
    if match is None or (match["port"] and not 0 < int(match["port"]) <= MAX_PORT):
        raise ArgumentError(error)
    user, host, path = match["user"], match["host"].strip("[]"), unquote(match["path"] or "").rstrip("/")
    if user and ":" in user:
        raise ArgumentError("An address must not contain a password. Use a key instead, and install it: ssh-copy-id.")
    if (user is not None and not USER.fullmatch(user)) or not HOST.fullmatch(host) or not path.isprintable():
        raise ArgumentError(error)
    return Address(host, user or "", int(match["port"] or 0), path)


def remote(address: Address) -> list[str]:
    """Return the arguments of ssh for this machine; the command that runs there follows them."""
    login = ["-l", address.user] if address.user else []
    port = ["-p", str(address.port)] if address.port else []
    return [*login, *port, "--", address.host]


def command(address: Address, seconds: float) -> list[str]:
    """Return the command whose input and output are a connection to the engine.

    With BatchMode ssh fails instead of asking for a password, which nobody could answer.
    """
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, math.ceil(seconds))}"]
    socket = ["--host", shlex.quote(f"unix://{address.path}")] if address.path else []
    return ["ssh", *options, *remote(address), "docker", *socket, "system", "dial-stdio"]


def by_hand(address: str) -> str:
    """Return a command that shows whether ssh reaches the machine without asking for anything."""
    return f"ssh {shlex.join(remote(parse(address)))} true"


def explained(address: Address, stderr: str, code: int | None) -> str:
    """Return one or two sentences that say why ssh ended, judging by its standard error, and what to do."""
    test_command = by_hand(address.text)
    last_line = printable(stderr.replace("\r\n", "\n")).strip().rpartition("\n")[2][-300:]
    subject = f"ssh to {address.host}"
    known_host = shlex.quote(f"[{address.host}]:{address.port}") if address.port else address.host
    for pattern, sentence in _EXPLANATIONS:
        if re.search(pattern, stderr):
            text = sentence.format(last_line=last_line, by_hand=test_command, known_host=known_host)
            return f"{subject}: {text}"
    if code == COMMAND_NOT_FOUND:
        return f"{subject}: there is no docker command on that machine ({last_line}). {_INSTALL_DOCKER}"
    end = "closed its end" if code is None else f"ended with code {code}" if code >= 0 else "was ended by a signal"
    message = f'with the message "{last_line}"' if last_line else "without a message"
    return f"{subject} {end} {message}. Try it by hand: {test_command}."


_INSTALL_DOCKER = "Install it there, or put it into the PATH of commands that run over ssh."
#: What ssh, the shell and the docker command on the other machine write, and what it means. The first match counts.
_EXPLANATIONS = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the machine shows another key than before, which may be an attack. If you know why it changed: "
        "ssh-keygen -R {known_host}, then {by_hand}.",
    ),
    (r"Host key verification failed", "its host key is not known yet. Compare it, and accept it once: {by_hand}."),
    (
        r"Permission denied \(|Too many authentication failures",
        "it asks for a password, or for a key that ssh doesn't have. Install your key there (ssh-copy-id), "
        "or load it (ssh-add). This must work without a question: {by_hand}.",
    ),
    (
        r"dial unix .*permission denied|permission denied while trying to connect",
        "that user may not use the engine's socket there. Join its group on that machine: "
        "sudo usermod -aG docker USER, then connect again.",
    ),
    (r"Could not resolve hostname", 'the name is not known ("{last_line}"). Check the host in the address.'),
    (
        r"Connection refused|Connection timed out|No route to host|Network is unreachable|Operation timed out",
        'it can\'t be reached ("{last_line}"). Check host and port, and that sshd runs there.',
    ),
    (
        r"docker: (command )?not found|not found: docker|docker.*No such file",
        "there is no docker command on that machine. " + _INSTALL_DOCKER,
    ),
    (
        r"is not a docker command|unknown command.*dial-stdio",
        "its docker command has no dial-stdio. Update Docker there to 18.09 or newer.",
    ),
    (
        r"Cannot connect to the Docker daemon|failed to dial|dial unix|error during connect",
        'no engine answers on that machine ("{last_line}"). Start it there, for Docker: sudo systemctl start docker.',
    ),
)
