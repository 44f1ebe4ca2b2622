"""One request and its answer, as they went over the wire. Secrets are taken out here, once, when one is made."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from dockerlab.errors import NotJson, printable
from dockerlab.protocol.operations import Operation
from dockerlab.protocol.request import SAFE

if TYPE_CHECKING:
    from dockerlab.endpoint.tls import Tls

__all__ = ["REDACTED", "Exchange", "Shown", "hide", "without_secrets"]

REDACTED = "(hidden)"
#: JupyterLab shows a bare <pre> in the font of its text.
CODE = "font-family:var(--jp-code-font-family,monospace)"
SECRET_HEADERS = {"x-registry-auth", "x-registry-config", "authorization", "proxy-authorization", "cookie"}
#: Fields that hold a secret, without their separators: the engine reads `PASSWORD` as it reads `password`.
SECRET_FIELDS = re.compile(r"auth|secret|unlockkey|signingcakey|\w*(password|passwd|passphrase|tokens?)", re.I)
#: In these operations `Data` is the secret itself.
SECRET_DATA = {"SecretCreate", "SecretUpdate"}
#: Secrets inside a text: of a URL, of a mount's options or a variable, of a swarm.
SECRET_TEXTS = (
    (re.compile(r"(?<=://)[^/@\s\"']+(?=@)"), REDACTED),
    (re.compile(r"((?:password|passwd|passphrase|token|secret)=)[^,\s\"']+", re.I), rf"\g<1>{REDACTED}"),
    (re.compile(r"SWM(TKN|KEY)-[\w-]+"), REDACTED),
)


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    `status`, `reason` and `headers` are the answer's; `body` is its bytes, empty for an answer that was streamed;
    `received` counts them; `tls` names the files of its TLS. `json()` and `text` decode it;
    `raw`, `curl`, `requests`, `helper` and `cli` write the same call in other ways,
    and `show()` shows them.
    """

    operation: Operation
    arguments: dict[str, Any]
    method: str
    target: str
    request_headers: dict[str, str]
    request_body: bytes
    docker_host: str
    started: datetime
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    seconds: float = 0.0
    streamed: bool = False
    received: int = 0
    cut: bool = False
    tls: Tls | None = None

    def __post_init__(self) -> None:
        """Take the secrets out."""
        self.target = _redacted_target(self.operation, self.target)
        self.request_headers = {
            name: REDACTED if name.lower() in SECRET_HEADERS else value for name, value in self.request_headers.items()
        }
        self.request_body = without_secrets(self.operation, self.request_body)
        self.arguments = {
            name: _redacted_argument(self.operation, name, value) for name, value in self.arguments.items()
        }

    def __repr__(self) -> str:
        """Give one line: method, path, status."""
        return f"<Exchange {self.method} {self.target} · {self.status} {self.reason}>"

    def told(self, status: int, reason: str | None, headers: list[tuple[str, str]]) -> None:
        """Take the head of the answer."""
        self.status, self.reason, self.headers = status, reason or "", headers

    def header(self, name: str) -> str:
        """Give one header of the answer, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def text(self) -> str:
        """The answer's body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Give the answer's body as Python. Raises NotJson if it isn't JSON, ValueError if not all of it was kept."""
        if self.cut:
            raise ValueError(f"The wire kept {len(self.body)} of the {self.received} bytes of this body.")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            start = printable(self.body[:200].decode("utf-8", "replace")[:60])
            raise NotJson(
                f"{self.operation.id}: the answer is not JSON, it begins {start!r}. "
                f"What answers at {self.docker_host}? dockerlab doctor tells."
            ) from None

    def kept(self, most: int) -> Exchange:
        """Give itself, or a copy whose bodies are cut to so many bytes: for a log that must not grow."""
        if len(self.body) <= most and len(self.request_body) <= most:
            return self
        cut = copy.copy(self)
        cut.cut = len(self.body) > most
        cut.body, cut.request_body = self.body[:most], self.request_body[:most]
        return cut

    # -- the same call, written in other ways ------------------------------------------------------------------

    @property
    def raw(self) -> str:
        """The exchange as HTTP: request, then answer."""
        return self._render("raw")

    @property
    def curl(self) -> str:
        """A curl command that makes the same request."""
        return self._render("curl")

    @property
    def requests(self) -> str:
        """A line of Python with `lab.session`, a requests session, that makes the same request."""
        return self._render("requests")

    @property
    def helper(self) -> str:
        """The line of dockerlab that makes the same request."""
        return self._render("helper")

    @property
    def cli(self) -> str:
        """A docker command to the same effect, or an empty text if there is none."""
        return self._render("cli")

    def _render(self, way: str) -> str:
        from dockerlab.protocol import render  # noqa: PLC0415  (render reads exchanges; most exchanges are never shown)

        return str(getattr(render, way)(self))

    def show(self, way: str | None = None) -> Shown:
        """Show one way ("raw", "curl", "requests", "helper", "cli"), or without an argument the last four."""
        ways = ("raw", "curl", "requests", "helper", "cli")
        if way and way not in ways:
            raise ValueError(f"There is no way {way!r}. The ways are {', '.join(ways)}.")
        return Shown({name: getattr(self, name) for name in ((way,) if way else ways[1:])})


@dataclass(frozen=True, slots=True)
class Shown:
    """Some ways to write a call: a text in a terminal, escaped HTML in a notebook."""

    ways: dict[str, str]

    def __str__(self) -> str:
        """Give the texts; with headings if there is more than one."""
        if len(self.ways) == 1:
            return next(iter(self.ways.values()))
        width = max(len(name) for name in self.ways) + 2
        return "\n\n".join(_headed(name, text, width) for name, text in self.ways.items() if text)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        import html  # noqa: PLC0415  (only notebooks ask)

        parts = []
        for name, text in self.ways.items():
            if not text:
                continue
            head = f"<div style='font-weight:600;margin-top:.4em'>{name}</div>" if len(self.ways) > 1 else ""
            parts.append(f"{head}<pre style='{CODE};margin:0;white-space:pre-wrap'>{html.escape(text)}</pre>")
        return "".join(parts)


def _headed(name: str, text: str, width: int) -> str:
    first, *rest = text.splitlines()
    return "\n".join([f"{name:{width}}{first}", *(" " * width + line for line in rest)])


# -- secrets -------------------------------------------------------------------------------------------------


def hide(text: str) -> str:
    """Take out of a text what its form shows to be a secret."""
    for pattern, instead in SECRET_TEXTS:
        text = pattern.sub(instead, text)
    return text


def without_secrets(operation: Operation, body: bytes) -> bytes:
    """Take the secrets out of a body. One that isn't JSON, a tar, stays as it is."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return body
    try:
        decoded = json.loads(body)
    except ValueError:
        return body
    hidden = _redacted(operation, decoded)
    return body if hidden == decoded else json.dumps(hidden).encode()


def _redacted_target(operation: Operation, target: str) -> str:
    """Take the secrets out of a query: of URLs, and of the JSON of build arguments."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    parts = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        plain = unquote(value)
        hidden = hide(without_secrets(operation, plain.encode()).decode())
        parts.append(part if hidden == plain else f"{name}={quote(hidden, safe=SAFE)}")
    return f"{path}?{'&'.join(parts)}"


def _redacted(operation: Operation, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _blank(item) if _is_secret(operation, str(name)) else _redacted(operation, item)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_redacted(operation, item) for item in value]
    return hide(value) if isinstance(value, str) else value


def _blank(value: Any) -> Any:
    """Hide every text of a secret, and keep its form: what is empty or a number tells nothing."""
    if isinstance(value, Mapping):
        return {name: _blank(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_blank(item) for item in value]
    return REDACTED if isinstance(value, (str, bytes)) and value else value


def _is_secret(operation: Operation, name: str) -> bool:
    plain = name.replace("_", "").replace("-", "").lower()
    return bool(SECRET_FIELDS.fullmatch(plain)) or (plain == "data" and operation.id in SECRET_DATA)


def _redacted_argument(operation: Operation, name: str, value: Any) -> Any:
    parameter = operation.by_argument.get(name)
    if parameter is not None and parameter.name.lower() in SECRET_HEADERS:
        return REDACTED
    if parameter is not None and parameter.place == "path":
        return value
    if name == "body" and isinstance(value, bytes):
        return without_secrets(operation, value)
    return _blank(value) if _is_secret(operation, name) else _redacted(operation, value)
