"""What goes wrong between dockerlab and an engine, as errors whose messages say what to do."""

from __future__ import annotations

import contextlib
import re
import ssl
import stat
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING

from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)

from dockerlab.endpoint import ssh
from dockerlab.errors import (
    ConnectionFailed,
    DockerlabError,
    EngineTimeout,
    EngineUnreachable,
    PermissionDenied,
    StreamBroken,
    printable,
)
from dockerlab.protocol.advice import engine_error
from dockerlab.transport.ssh_process import SshEnded, SshGarbled

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint
    from dockerlab.protocol.exchange import Exchange

__all__ = [
    "CONNECT_SECONDS",
    "ERROR_BYTES",
    "PLAIN_TO_TLS",
    "SET_TLS",
    "broken_response",
    "error_of",
    "failure",
    "intermediary",
    "unexpected_response",
]

#: Connecting never takes longer than this, whatever the timeout.
CONNECT_SECONDS = 10.0
#: At most this much of an error response is read: its message is short, and it might never end.
ERROR_BYTES = 1 << 20
FIRST_FINAL_STATUS = 200
PRACTICE = 'or use the practice engine: dockerlab.connect("practice")'
BROKEN = (
    "The engine closed the connection before its response was complete. "
    "Check with dockerlab doctor whether it is still running, then try again."
)
SSH_BROKEN = (
    "The ssh connection ended before the response was complete. "
    "Check with dockerlab doctor whether the machine still answers, then try again."
)
#: What an engine, or a library that it uses, sends when plain HTTP arrives at a port for TLS.
PLAIN_TO_TLS = re.compile(r"HTTP request to an HTTPS server|\x15\x03[\x00-\x04]|plain HTTP request was sent to HTTPS")
SET_TLS = (
    "Set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory of ca.pem, cert.pem and key.pem, "
    "or use a docker context that has them."
)
PROXY_HEADERS = ("via", "proxy-", "x-squid", "x-cache")
UNEXPECTED = "Perhaps a proxy on the way did this: exclude the engine's address from it, or connect with ssh://."
CLIENT_FILES = "cert.pem and key.pem in the directory that DOCKER_CERT_PATH names, or in the docker context"


def failure(error: Exception, endpoint: Endpoint, seconds: float) -> ConnectionFailed:
    """Turn an error of urllib3, http.client or the system into a DockerlabError that says what to do."""
    cause = _root_cause(error)
    is_new_connection_error = isinstance(error, NewConnectionError)  # urllib3 derives it from ConnectTimeoutError
    if isinstance(error, ConnectTimeoutError) and not is_new_connection_error:
        return EngineTimeout(_no_connection(endpoint.url, min(seconds, CONNECT_SECONDS)))
    if isinstance(cause, TimeoutError):
        return EngineTimeout(_no_response(endpoint, seconds))
    if isinstance(cause, PermissionError):
        return PermissionDenied(_not_allowed(endpoint))
    text = _unreachable(error, cause, endpoint)
    return EngineUnreachable(text) if text else StreamBroken(_closed_at_once(endpoint))


def _not_allowed(endpoint: Endpoint) -> str:
    """Say who may use the socket, and how to become one of them."""
    import grp  # noqa: PLC0415  (Unix only)
    import pwd  # noqa: PLC0415  (Unix only)

    text, group = f"This user may not use {endpoint.url}", "docker"
    with contextlib.suppress(OSError, KeyError):
        status = Path(endpoint.address).stat()
        group = grp.getgrgid(status.st_gid).gr_name
        if not status.st_mode & stat.S_IWGRP or group == "root":
            owner = pwd.getpwuid(status.st_uid).pw_name
            return f"{text}: only {owner} may. Become {owner} (sudo), or name another socket, {PRACTICE}."
    return (
        f"{text}. Join the socket's group {group}: sudo usermod -aG {group} $USER, "
        f"then log in again or run newgrp {group}, {PRACTICE}."
    )


def _unreachable(error: Exception, cause: BaseException, endpoint: Endpoint) -> str:
    """Say why no engine can be reached; return an empty text if one was there and closed the connection."""
    url, text = endpoint.url, ""
    if isinstance(cause, ssl.SSLEOFError):
        return ""
    if isinstance(cause, SshEnded):
        text = str(cause)
    elif isinstance(error, NameResolutionError):
        text = f"The name {endpoint.host} is not known ({url}). Check DOCKER_HOST, {PRACTICE}."
    elif isinstance(cause, ssl.SSLError):
        text = _tls_failed(cause, endpoint)
    elif isinstance(cause, (FileNotFoundError, ConnectionRefusedError)):
        text = f"No engine answers at {url}. Start it (for Docker: sudo systemctl start docker), check DOCKER_HOST, "
        text += f"{PRACTICE}."
    elif isinstance(cause, SshGarbled) or (
        isinstance(cause, HTTPException) and not isinstance(cause, (ConnectionError, IncompleteRead))
    ):
        text = _not_http(cause, endpoint)
    elif isinstance(cause, OSError) and not isinstance(cause, ConnectionError):
        text = f"{url} can't be used: {cause.strerror or cause}. Check DOCKER_HOST, {PRACTICE}."
    return text


def broken_response(error: Exception, endpoint: Endpoint, seconds: float) -> ConnectionFailed:
    """Turn an error in the middle of a response into a DockerlabError."""
    if isinstance(_root_cause(error), (ProtocolError, HTTPException, ConnectionError)):
        return StreamBroken(SSH_BROKEN if endpoint.kind == "ssh" else BROKEN)
    return failure(error, endpoint, seconds)


def intermediary(exchange: Exchange) -> str:
    """Say which proxy or web server answered in the engine's place; return an empty text if the engine may have.

    An engine responds with JSON or plain text, also through a proxy. A proxy itself sends a page, or requires a login.
    """
    is_page = "html" in exchange.header("Content-Type").lower()
    proxy_headers = [f"{name}: {value}" for name, value in exchange.headers if name.lower().startswith(PROXY_HEADERS)]
    if proxy_headers and (is_page or exchange.header("Proxy-Authenticate")):
        server = f"what answers is a proxy on the way ({printable(proxy_headers[0])[:100]})"
    elif is_page:
        status = f"{exchange.status} {printable(exchange.reason)[:100]}"
        server = f"with a web page, {status}, as a proxy or a web server does"
    else:
        return ""
    return f"{server}. dockerlab uses no proxy: exclude the engine's address from it, or connect with ssh://."


def error_of(exchange: Exchange, url: str) -> DockerlabError:
    """Return the error for an error status: the engine's own, or one that names who answered in its place."""
    if server := intermediary(exchange):
        return EngineUnreachable(f"{url} answers, but {server}")
    return engine_error(exchange)


def unexpected_response(exchange: Exchange) -> StreamBroken | None:
    """Return the error for a response that no engine sends to our requests: an interim one, or a compressed one."""
    encoding = exchange.header("Content-Encoding").strip().lower()
    if exchange.status < FIRST_FINAL_STATUS:
        status = f"{exchange.status} {printable(exchange.reason)[:100]}"
        text = f"The engine sent {status}, which is not a final response to {exchange.method}."
    elif encoding not in ("", "identity"):
        text = f"The response is compressed ({printable(encoding)[:40]}), which the request did not allow."
    else:
        return None
    return StreamBroken(f"{text} {UNEXPECTED}")


def _not_http(cause: BaseException, endpoint: Endpoint) -> str:
    if PLAIN_TO_TLS.search(str(cause)):
        return f"{endpoint.url} speaks TLS, but the request was plain HTTP. {SET_TLS}"
    if endpoint.kind == "ssh":
        return (
            f"What comes back through {endpoint.url} is not an engine's response: {printable(str(cause)[:80])!r}. "
            "Something on that machine prints before docker does, often a shell's start-up file. "
            f"This must print nothing: {ssh.by_hand(endpoint.address)}."
        )
    return f"What answers at {endpoint.url} does not speak HTTP. Check DOCKER_HOST, {PRACTICE}."


def _closed_at_once(endpoint: Endpoint) -> str:
    if endpoint.tls is not None:
        if endpoint.tls.certificate:
            return f"{BROKEN} It may also refuse the client certificate {endpoint.tls.certificate}: try another."
        return f"{endpoint.url} closed the connection. It may require a client certificate: put {CLIENT_FILES}."
    if endpoint.kind == "tcp":
        return f"{BROKEN} If its port is one for TLS: {SET_TLS[0].lower()}{SET_TLS[1:]}"
    return SSH_BROKEN if endpoint.kind == "ssh" else BROKEN


def _tls_failed(cause: ssl.SSLError, endpoint: Endpoint) -> str:
    """Say what was wrong with a certificate, the engine's or the client's."""
    url, reason = endpoint.url, (cause.reason or "").upper()
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{url}: {_not_verified(cause, endpoint)}"
    if re.search(r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE|PACKET_LENGTH_TOO_LONG", reason):
        fix = "Unset DOCKER_TLS_VERIFY and DOCKER_TLS, or check the port."
        return f"{url} does not speak TLS, but perhaps plain HTTP. {fix}"
    if "ALERT" in reason and endpoint.tls and not endpoint.tls.certificate:
        return f"{url} requires a client certificate, and there is none. Put {CLIENT_FILES}."
    if "ALERT" in reason and "VERSION" not in reason:
        alert = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
        certificate = endpoint.tls.certificate if endpoint.tls else ""
        return (
            f"{url} refuses the client certificate {certificate} ({alert}). "
            "Use one that this engine's authority signed, and that has not expired."
        )
    return f"{url}: TLS failed ({reason or cause.strerror or cause}). Check that both sides speak TLS 1.2 or newer."


def _not_verified(cause: ssl.SSLCertVerificationError, endpoint: Endpoint) -> str:
    reason = cause.verify_message
    if "expired" in reason:
        return "its certificate has expired. Renew it on the engine's machine, or correct this machine's clock."
    if "not yet valid" in reason:
        return "its certificate is not valid yet. Correct this machine's clock, or the engine's."
    if re.search(r"[Hh]ostname mismatch|IP address mismatch", reason):
        return (
            f"its certificate is for another name than {endpoint.host}. Use one of the names in the certificate, "
            "or issue a new one with this name among its subjectAltName."
        )
    if re.search(r"self.signed|unable to get (local )?issuer|unable to verify", reason):
        ca = endpoint.tls.ca if endpoint.tls else ""
        scope = f"{ca} did not sign it" if ca else "no authority that this machine trusts signed it"
        return f"its certificate is of an unknown authority: {scope}. Save that authority's certificate as ca.pem."
    return f"its certificate is not accepted ({reason}). Issue a new one on the engine's machine."


def _no_connection(url: str, seconds: float) -> str:
    return (
        f"No connection to {url} within {seconds:g} s. Check DOCKER_HOST, and that no firewall on the way "
        f"blocks it, {PRACTICE}."
    )


def _no_response(endpoint: Endpoint, seconds: float) -> str:
    text = f"The engine did not answer within {seconds:g} s"
    if endpoint.kind == "ssh":
        return (
            f"{text}. Give it more time with timeout=…, and check in a terminal whether ssh works: "
            f"{ssh.by_hand(endpoint.address)}."
        )
    return f"{text}. Give it more time with timeout=…, in connect() for all calls or in one call."


def _root_cause(error: BaseException) -> BaseException:
    """Return the system's error, which urllib3 wraps into its own ones."""
    while True:
        inner = next((item for item in error.args if isinstance(item, BaseException)), None) or error.__cause__
        inner = inner or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or inner is error:
            return error
        error = inner
