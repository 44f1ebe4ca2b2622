"""Takes passwords, tokens and keys out of requests and responses before they are kept or shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from dockerlab.protocol.operations import Operation

__all__ = ["REDACTED", "SAFE", "redacted_argument", "redacted_headers", "redacted_target", "without_secrets"]

REDACTED = "(hidden)"
#: These characters are not escaped in a query, so that it stays readable.
SAFE = ",:/@"
SECRET_HEADERS = {"x-registry-auth", "x-registry-config", "authorization", "proxy-authorization", "cookie"}
#: Fields that hold a secret, without their separators. Upper case counts too: the engine accepts `PASSWORD`.
SECRET_FIELDS = re.compile(r"auth|secret|unlockkey|signingcakey|\w*(password|passwd|passphrase|tokens?)", re.I)
#: In these operations the field `Data` is the secret itself.
SECRET_DATA = {"SecretCreate", "SecretUpdate"}
#: Secrets inside a text: the login in a URL, `password=…` in a mount's options or a variable, a swarm's tokens.
SECRET_TEXTS = (
    (re.compile(r"(?<=://)[^/@\s\"']+(?=@)"), REDACTED),
    (re.compile(r"((?:password|passwd|passphrase|token|secret)=)[^,\s\"']+", re.I), rf"\g<1>{REDACTED}"),
    (re.compile(r"SWM(TKN|KEY)-[\w-]+"), REDACTED),
)


def without_secrets(operation: Operation, body: bytes) -> bytes:
    """Return a JSON body without its secrets; any other body, such as a tar, stays as it is."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return body
    try:
        document = json.loads(body)
    except ValueError:
        return body
    redacted = _redacted(operation, document)
    return body if redacted == document else json.dumps(redacted).encode()


def redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: REDACTED if name.lower() in SECRET_HEADERS else value for name, value in headers.items()}


def redacted_target(operation: Operation, target: str) -> str:
    """Return a path without the secrets in its query: in URLs, and in the JSON of build arguments."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    parts = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        plain = unquote(value)
        redacted = _redacted_text(without_secrets(operation, plain.encode()).decode())
        parts.append(part if redacted == plain else f"{name}={quote(redacted, safe=SAFE)}")
    return f"{path}?{'&'.join(parts)}"


def redacted_argument(operation: Operation, name: str, value: Any) -> Any:
    parameter = operation.by_argument.get(name)
    if parameter is not None and parameter.name.lower() in SECRET_HEADERS:
        return REDACTED
    if parameter is not None and parameter.place == "path":
        return value
    if name == "body" and isinstance(value, bytes):
        return without_secrets(operation, value)
    return _blank(value) if _is_secret(operation, name) else _redacted(operation, value)


def _redacted_text(text: str) -> str:
    for pattern, replacement in SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def _redacted(operation: Operation, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _blank(item) if _is_secret(operation, str(name)) else _redacted(operation, item)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_redacted(operation, item) for item in value]
    return _redacted_text(value) if isinstance(value, str) else value


def _blank(value: Any) -> Any:
    """Hide every text inside a secret but keep its structure; empty values and numbers reveal nothing."""
    if isinstance(value, Mapping):
        return {name: _blank(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_blank(item) for item in value]
    return REDACTED if isinstance(value, (str, bytes)) and value else value


def _is_secret(operation: Operation, name: str) -> bool:
    plain = name.replace("_", "").replace("-", "").lower()
    return bool(SECRET_FIELDS.fullmatch(plain)) or (plain == "data" and operation.id in SECRET_DATA)
