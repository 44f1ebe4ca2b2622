"""Explains, as Docker does, why a request to another host failed, without the names of urllib3's objects."""

from __future__ import annotations

import re
import ssl
from urllib.parse import urlsplit

__all__ = ["failure_message"]

PORTS = {"http": 80, "https": 443}
UNKNOWN_AUTHORITY = (
    "self-signed",
    "self signed",
    "unable to get local issuer",
    "unable to verify the first",
)
#: What urllib3's messages contain about its own objects.
OBJECTS = re.compile(r"<[^<>]*+>[: ]*|HTTPS?Connection\w*+\([^()]*+\)[: ]*")


def failure_message(error: BaseException, url: str) -> str:
    """Return why a request for this URL got no response."""
    from urllib3 import exceptions  # noqa: PLC0415  (few engines ever send a request)

    reason = getattr(error, "reason", None) or error
    try:
        parts = urlsplit(url)
        address = f"{parts.hostname}:{parts.port or PORTS.get(parts.scheme, 0)}"
    except ValueError:
        return "invalid URL"
    if isinstance(reason, exceptions.NameResolutionError):
        return f"dial tcp: lookup {parts.hostname}: no such host"
    if isinstance(reason, exceptions.ReadTimeoutError):
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if isinstance(reason, exceptions.ConnectTimeoutError) and not isinstance(reason, exceptions.NewConnectionError):
        return f"dial tcp {address}: i/o timeout"
    cause = reason.args[0] if reason.args and isinstance(reason.args[0], OSError) else reason.__cause__ or reason
    if isinstance(reason, exceptions.NewConnectionError) and isinstance(cause, OSError) and cause.strerror:
        return f"dial tcp {address}: connect: {cause.strerror.lower()}"
    return _tls_message(cause) or OBJECTS.sub("", str(reason))


def _tls_message(cause: object) -> str:
    """Return the message if the certificate is wrong, or if the other side doesn't speak TLS; otherwise nothing."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        message = cause.verify_message
        if any(words in message for words in UNKNOWN_AUTHORITY):
            message = "certificate signed by unknown authority"
        return f"tls: failed to verify certificate: x509: {message}"
    is_plain_http = isinstance(cause, ssl.SSLError) and cause.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
    return "http: server gave HTTP response to HTTPS client" if is_plain_http else ""
