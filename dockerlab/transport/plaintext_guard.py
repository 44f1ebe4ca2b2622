"""Refuses to send credentials over plain TCP to another machine, where anyone on the way could read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dockerlab.errors import ArgumentError

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint

__all__ = ["carries_credentials", "is_unencrypted", "refuse_credentials"]

HEADERS = {"x-registry-auth", "x-registry-config", "authorization"}
#: Requests that have a password, a token, a key or a secret in their body, or in the body of their response.
PATHS = re.compile(
    r"POST /auth|GET /swarm|POST /swarm/(?:init|join|unlock|update)|GET /swarm/unlockkey"
    r"|POST /secrets/(?:create|[^/]+/update)"
)
LOCAL = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1", re.I)


def is_unencrypted(endpoint: Endpoint) -> bool:
    """Return whether others can read what is sent: plain TCP to another machine."""
    return endpoint.kind == "tcp" and not LOCAL.fullmatch(endpoint.host)


def carries_credentials(method: str, target: str, headers: Iterable[str]) -> bool:
    """Return whether a request or its response contains credentials."""
    path = re.sub(r"^/v\d+\.\d+(?=/)", "", target.partition("?")[0])
    return bool(PATHS.fullmatch(f"{method.upper()} {path}")) or any(name.lower() in HEADERS for name in headers)


def refuse_credentials(endpoint: Endpoint, method: str, target: str, headers: Iterable[str]) -> None:
    """Raise ArgumentError if sending this request would show credentials to others."""
    if endpoint.insecure or not is_unencrypted(endpoint) or not carries_credentials(method, target, headers):
        return
    raise ArgumentError(
        f"{method} {target.partition('?')[0]} carries credentials, and {endpoint.url} is not encrypted: anyone on the "
        "way could read them. Use TLS or ssh:// (docs/connecting.md), or allow it with "
        "dockerlab.connect(…, insecure=True) or DOCKERLAB_INSECURE=1."
    )
