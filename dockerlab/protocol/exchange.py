"""One request and its response, as they went over the wire. Creating one redacts the secrets, so none is ever kept."""

from __future__ import annotations

import copy
import html
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dockerlab.errors import NotJson, printable
from dockerlab.protocol import docker_command, redaction, render
from dockerlab.protocol.operations import Operation

if TYPE_CHECKING:
    from dockerlab.endpoint.tls import Tls

__all__ = ["Exchange", "Shown"]

#: JupyterLab would show a bare <pre> in the font of its text.
CODE = "font-family:var(--jp-code-font-family,monospace)"
WAYS = ("raw", "curl", "requests", "helper", "cli")


@dataclass(slots=True)
class Exchange:
    """One request and its response.

    `status`, `reason` and `headers` belong to the response; `body` is its bytes, empty if the response was streamed;
    `received` counts them; `tls` names the files of the TLS connection. `json()` and `text` decode the body.
    `raw`, `curl`, `requests`, `helper` and `cli` write the same call in other ways, and `show()` shows them.
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
        self.target = redaction.redacted_target(self.operation, self.target)
        self.request_headers = redaction.redacted_headers(self.request_headers)
        self.request_body = redaction.without_secrets(self.operation, self.request_body)
        self.arguments = {
            name: redaction.redacted_argument(self.operation, name, value) for name, value in self.arguments.items()
        }

    def __repr__(self) -> str:
        return f"<Exchange {self.method} {self.target} · {self.status} {self.reason}>"

    def set_response_head(self, status: int, reason: str | None, headers: list[tuple[str, str]]) -> None:
        """Store the status line and the headers of the response."""
        self.status, self.reason, self.headers = status, reason or "", headers

    def header(self, name: str) -> str:
        """Return one header of the response, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def text(self) -> str:
        """The response's body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the response's body as Python objects.

        Raises NotJson if it is not JSON, ValueError if the wire log kept only a part of it.
        """
        if self.cut:
            raise ValueError(
                f"The wire log kept only {len(self.body)} of the {self.received} bytes of this body. "
                "Use the value that the call returned, or send the request again."
            )
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            start = printable(self.body[:200].decode("utf-8", "replace")[:60])
            raise NotJson(
                f"{self.operation.id}: the response is not JSON, it begins with {start!r}. "
                f"Run dockerlab doctor to find out what answers at {self.docker_host}."
            ) from None

    def shortened(self, limit: int) -> Exchange:
        """Return the exchange itself, or a copy if one of its bodies is longer than `limit` bytes and must be cut."""
        if len(self.body) <= limit and len(self.request_body) <= limit:
            return self
        copied = copy.copy(self)
        copied.cut = len(self.body) > limit
        copied.body, copied.request_body = self.body[:limit], self.request_body[:limit]
        return copied

    # -- the same call, written in other ways ------------------------------------------------------------------

    @property
    def raw(self) -> str:
        """The exchange as HTTP: the request, then the response."""
        return render.raw(self)

    @property
    def curl(self) -> str:
        """A curl command that makes the same request."""
        return render.curl(self)

    @property
    def requests(self) -> str:
        """A line of Python with `lab.session`, a requests session, that makes the same request."""
        return render.requests(self)

    @property
    def helper(self) -> str:
        """The line of dockerlab that makes the same request."""
        return render.helper(self)

    @property
    def cli(self) -> str:
        """A docker command with the same effect, or an empty text if there is none."""
        return docker_command.command_line(self)

    def show(self, way: str | None = None) -> Shown:
        """Show one way ("raw", "curl", "requests", "helper", "cli"), or without an argument the last four."""
        if way and way not in WAYS:
            raise ValueError(f"There is no form {way!r}. Choose one of {', '.join(WAYS)}.")
        return Shown({name: getattr(self, name) for name in ((way,) if way else WAYS[1:])})


@dataclass(frozen=True, slots=True)
class Shown:
    """Some ways to write a call: plain text in a terminal, escaped HTML in a notebook."""

    ways: dict[str, str]

    def __str__(self) -> str:
        if len(self.ways) == 1:
            return next(iter(self.ways.values()))
        width = max(len(name) for name in self.ways) + 2
        return "\n\n".join(_with_heading(name, text, width) for name, text in self.ways.items() if text)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = []
        for name, text in self.ways.items():
            if not text:
                continue
            head = f"<div style='font-weight:600;margin-top:.4em'>{name}</div>" if len(self.ways) > 1 else ""
            parts.append(f"{head}<pre style='{CODE};margin:0;white-space:pre-wrap'>{html.escape(text)}</pre>")
        return "".join(parts)


def _with_heading(name: str, text: str, width: int) -> str:
    first, *rest = text.splitlines()
    return "\n".join([f"{name:{width}}{first}", *(" " * width + line for line in rest)])
