"""One request and its answer, as they went over the wire. Secrets are taken out here, once, when one is made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dockerlab.operations import Operation

__all__ = ["REDACTED", "Exchange", "Shown"]

REDACTED = "(hidden)"
#: JupyterLab shows a bare <pre> in the font of its text.
CODE = "font-family:var(--jp-code-font-family,monospace)"
SECRET_HEADERS = {"x-registry-auth", "x-registry-config", "authorization", "proxy-authorization", "cookie"}
SECRET_FIELDS = re.compile(r"passw|token|secret|unlockkey|auth$|signingca(key|cert)$", re.I)
#: In these operations `Data` is the secret itself.
SECRET_DATA = {"SecretCreate", "SecretUpdate"}


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    `status`, `reason` and `headers` are the answer's; `body` is its bytes, empty for an answer that was streamed.
    `json()` and `text` decode it; `raw`, `curl`, `requests`, `helper` and `cli` write the same call in other ways,
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

    def __post_init__(self) -> None:
        """Take the secrets out."""
        self.request_headers = {
            name: REDACTED if name.lower() in SECRET_HEADERS else value for name, value in self.request_headers.items()
        }
        self.request_body = _redacted_body(self.operation, self.request_body)
        self.arguments = {
            name: _redacted_argument(self.operation, name, value) for name, value in self.arguments.items()
        }

    def __repr__(self) -> str:
        """Give one line: method, path, status."""
        return f"<Exchange {self.method} {self.target} · {self.status} {self.reason}>"

    def header(self, name: str) -> str:
        """Give one header of the answer, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def text(self) -> str:
        """The answer's body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Give the answer's body as Python. Raises ValueError if it isn't JSON."""
        return json.loads(self.body)

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
        from dockerlab import render  # noqa: PLC0415  (render reads exchanges; most exchanges are never shown)

        return str(getattr(render, way)(self))

    def show(self, way: str = "") -> Shown:
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


def _redacted_body(operation: Operation, body: bytes) -> bytes:
    if not body.startswith((b"{", b"[")):
        return body
    try:
        decoded = json.loads(body)
    except ValueError:
        return body
    hidden = _redacted(operation, decoded)
    return body if hidden == decoded else json.dumps(hidden).encode()


def _redacted(operation: Operation, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: REDACTED
            if isinstance(item, (str, bytes)) and item and _is_secret(operation, str(name))
            else _redacted(operation, item)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_redacted(operation, item) for item in value]
    return value


def _is_secret(operation: Operation, name: str) -> bool:
    return bool(SECRET_FIELDS.search(name.replace("_", ""))) or (name.lower() == "data" and operation.id in SECRET_DATA)


def _redacted_argument(operation: Operation, name: str, value: Any) -> Any:
    parameter = operation.by_argument.get(name)
    if parameter is not None and parameter.name.lower() in SECRET_HEADERS:
        return REDACTED
    if isinstance(value, (str, bytes)) and _is_secret(operation, name):
        return REDACTED
    return _redacted(operation, value) if isinstance(value, (Mapping, list, tuple)) else value
