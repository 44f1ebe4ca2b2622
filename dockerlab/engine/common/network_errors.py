"""Says in Docker's words why a host could not be reached, without the names of urllib3's objects."""

from __future__ import annotations

import re
import ssl
from urllib.parse import urlsplit

__all__ = ["words"]

PORTS = {"http": 80, "https": 443}
UNKNOWN = ("self-signed", "self signed", "unable to get local issuer", "unable to verify the first")


def words(error: BaseException, url: str) -> str:
    """Give the reason for which a request for this URL was not answered."""
    from urllib3 import exceptions  # noqa: PLC0415  (few engines ever ask anybody)

    behind = getattr(error, "reason", None) or error
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port or PORTS.get(parts.scheme, 0)}"
    if isinstance(behind, exceptions.NameResolutionError):
        return f"dial tcp: lookup {parts.hostname}: no such host"
    if isinstance(behind, exceptions.ReadTimeoutError):
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if isinstance(behind, exceptions.ConnectTimeoutError) and not isinstance(behind, exceptions.NewConnectionError):
        return f"dial tcp {place}: i/o timeout"
    cause = behind.args[0] if behind.args and isinstance(behind.args[0], OSError) else behind.__cause__ or behind
    if isinstance(behind, exceptions.NewConnectionError) and isinstance(cause, OSError) and cause.strerror:
        return f"dial tcp {place}: connect: {cause.strerror.lower()}"
    return _of_tls(cause) or re.sub(r"<[^>]*>[: ]*|HTTPS?Connection\w*\([^)]*\)[: ]*", "", str(behind))


def _of_tls(cause: object) -> str:
    """Give the reason if it is the certificate, or that the other side doesn't speak TLS."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        told = cause.verify_message
        told = "certificate signed by unknown authority" if any(one in told for one in UNKNOWN) else told
        return f"tls: failed to verify certificate: x509: {told}"
    wrong = isinstance(cause, ssl.SSLError) and cause.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
    return "http: server gave HTTP response to HTTPS client" if wrong else ""
