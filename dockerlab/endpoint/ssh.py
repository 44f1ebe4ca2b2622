"""Engines behind ssh: the address, the command that reaches one as the docker command does, and ssh's complaints."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from urllib.parse import quote, unquote

from dockerlab.errors import ArgumentError, printable

__all__ = ["Address", "by_hand", "command", "explained", "parse", "remote"]

#: No name may begin like an option, nor hold what a shell would read: ssh hands both on to other programs.
USER = re.compile(r"[\w.][\w.@+-]*\$?")
HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9a-fA-F:]+(%[\w.-]+)?")
FORM = re.compile(r"(?:(?P<user>[^@/]*)@)?(?P<host>\[[^\]/]+\]|[^:/\[\]@]+)(?::(?P<port>\d{1,5}))?(?P<path>/.*)?")
MOST_PORTS = 65535
NO_COMMAND = 127


@dataclass(frozen=True, slots=True)
class Address:
    """Where ssh goes: an empty user or a port 0 is what ssh's own settings say; `path` is a socket on that machine."""

    host: str
    user: str = ""
    port: int = 0
    path: str = ""

    @property
    def text(self) -> str:
        """The address as it stands after ssh://."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}{f':{self.port}' if self.port else ''}{quote(self.path)}"


def parse(rest: str) -> Address:
    """Read what stands after ssh://. Raises ArgumentError, naming the form."""
    wrong = f"{'ssh://' + rest!r} is not an address. Write ssh://USER@HOST:PORT/PATH; only the host is needed."
    found = FORM.fullmatch(rest)  # and not urlsplit, to which Host and host are one: ssh's settings tell them apart
    if found is None or (found["port"] and not 0 < int(found["port"]) <= MOST_PORTS):
        raise ArgumentError(wrong)
    user, host, path = found["user"], found["host"].strip("[]"), unquote(found["path"] or "").rstrip("/")
    if user and ":" in user:
        raise ArgumentError("A password has no place in an address. Use a key instead: ssh-copy-id puts it there.")
    if (user is not None and not USER.fullmatch(user)) or not HOST.fullmatch(host) or not path.isprintable():
        raise ArgumentError(wrong)
    return Address(host, user or "", int(found["port"] or 0), path)


def remote(address: Address) -> list[str]:
    """Give the words that ssh needs to reach the machine, up to and without the command that runs there."""
    login = ["-l", address.user] if address.user else []
    port = ["-p", str(address.port)] if address.port else []
    return [*login, *port, "--", address.host]


def command(address: Address, seconds: float) -> list[str]:
    """Give the command that makes ssh's input and output a connection to the engine.

    BatchMode lets ssh fail where it would ask for a password, which nobody could answer.
    """
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, math.ceil(seconds))}"]
    socket = ["--host", shlex.quote(f"unix://{address.path}")] if address.path else []
    return ["ssh", *options, *remote(address), "docker", *socket, "system", "dial-stdio"]


def by_hand(address: str) -> str:
    """Give the command that shows whether ssh arrives, and without a question."""
    return f"ssh {shlex.join(remote(parse(address)))} true"


def explained(address: Address, stderr: str, code: int | None) -> str:
    """Say in a sentence or two why ssh ended, from what it wrote, and what to do."""
    tried = by_hand(address.text)
    said = printable(stderr.replace("\r\n", "\n")).strip().rpartition("\n")[2][-300:]
    where = f"ssh to {address.host}"
    known = shlex.quote(f"[{address.host}]:{address.port}") if address.port else address.host
    for pattern, sentence in _COMPLAINTS:
        if re.search(pattern, stderr):
            return f"{where}: {sentence.format(said=said, by_hand=tried, known=known)}"
    if code == NO_COMMAND:
        return f"{where}: there is no docker command there ({said}). {_NO_DOCKER}"
    ended = "closed its end" if code is None else f"ended with code {code}" if code >= 0 else "was ended by a signal"
    quoted = f' and said: "{said}"' if said else " and said nothing"
    return f"{where} {ended}{quoted}. Try it by hand: {tried}."


_NO_DOCKER = "Install it there, or put it into the PATH that ssh's commands have."
#: What ssh, the shell and the docker command on the other side write, and what it means. The first match is taken.
_COMPLAINTS = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the machine shows another key than before, which may be an attack. If you know why it changed: "
        "ssh-keygen -R {known}, then {by_hand}.",
    ),
    (r"Host key verification failed", "its host key is not known yet. Look at it and accept it once: {by_hand}."),
    (
        r"Permission denied \(|Too many authentication failures",
        "it asks for a password or for a key that it isn't given. Put your key there (ssh-copy-id), "
        "or load it (ssh-add); this must work without a question: {by_hand}.",
    ),
    (
        r"dial unix .*permission denied|permission denied while trying to connect",
        "that user may not use the engine's socket there. Join its group on that machine: "
        "sudo usermod -aG docker USER, then connect anew.",
    ),
    (r"Could not resolve hostname", 'the name is not known ("{said}"). Check the host in the address.'),
    (
        r"Connection refused|Connection timed out|No route to host|Network is unreachable|Operation timed out",
        'it can\'t be reached ("{said}"). Check host and port, and that sshd runs there.',
    ),
    (r"docker: (command )?not found|not found: docker|docker.*No such file", "no docker command there. " + _NO_DOCKER),
    (
        r"is not a docker command|unknown command.*dial-stdio",
        "its docker command has no dial-stdio. Update Docker there to 18.09 or newer.",
    ),
    (
        r"Cannot connect to the Docker daemon|failed to dial|dial unix|error during connect",
        'no engine answers on the other side ("{said}"). Start it there, for Docker: sudo systemctl start docker.',
    ),
)
