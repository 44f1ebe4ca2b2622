"""What goes wrong on the way to an engine and back, as errors that name the mend."""

from __future__ import annotations

import contextlib
import re
import ssl
import stat
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING

from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)

from dockerlab.endpoint import ssh
from dockerlab.errors import (
    ConnectionFailed,
    EngineTimeout,
    EngineUnreachable,
    PermissionDenied,
    StreamBroken,
    printable,
)
from dockerlab.transport.pools import SshEnded, SshGarbled

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint
    from dockerlab.protocol.exchange import Exchange

__all__ = ["CONNECT_SECONDS", "ERROR_BYTES", "PLAIN_TO_TLS", "SET_TLS", "broken", "failure", "in_between", "not_asked"]

#: Timeouts while connecting never need to be longer than this.
CONNECT_SECONDS = 10.0
#: So much is read of an answer that is an error: its words are short, and what has no end is not read to it.
ERROR_BYTES = 1 << 20
FIRST_FINAL = 200
PRACTICE = 'or use the practice engine: dockerlab.connect("practice")'
BROKEN = (
    "The engine closed the connection before its answer was whole. "
    "Is it still running? dockerlab doctor tells; then ask again."
)
SSH_BROKEN = (
    "The ssh connection ended before the answer was whole. "
    "Does the machine still answer? dockerlab doctor tells; then ask again."
)
#: What an engine, or a library below it, says to plain HTTP at a port that wants TLS.
PLAIN_TO_TLS = re.compile(r"HTTP request to an HTTPS server|\x15\x03[\x00-\x04]|plain HTTP request was sent to HTTPS")
SET_TLS = (
    "Set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory of ca.pem, cert.pem and key.pem, "
    "or use a docker context that has them."
)
PROXY_HEADERS = ("via", "proxy-", "x-squid", "x-cache")
UNASKED = "Something on the way may have done it: let that one pass the engine's address, or reach it by ssh://."
CLIENT_FILES = "cert.pem and key.pem in the directory that DOCKER_CERT_PATH names, or in the docker context"


def failure(error: Exception, endpoint: Endpoint, seconds: float) -> ConnectionFailed:
    """Turn what urllib3 or the system raises into one of ours, with its mend."""
    cause = _root(error)
    refused = isinstance(error, NewConnectionError)  # which urllib3 counts among the timeouts
    connecting = isinstance(error, ConnectTimeoutError) and not refused
    if connecting:
        return EngineTimeout(_too_late(endpoint.url, min(seconds, CONNECT_SECONDS)))
    if isinstance(cause, TimeoutError):
        return EngineTimeout(_too_slow(endpoint, seconds))
    if isinstance(error, ClosedPoolError):
        return ConnectionFailed("This Lab is closed. Connect once more with dockerlab.connect().")
    if isinstance(cause, PermissionError):
        return PermissionDenied(_not_allowed(endpoint))
    text = _unreachable(error, cause, endpoint)
    return EngineUnreachable(text) if text else StreamBroken(_closed_at_once(endpoint))


def _not_allowed(endpoint: Endpoint) -> str:
    """Say whose socket it is, and how to become one of them."""
    import grp  # noqa: PLC0415  (Unix only)
    import pwd  # noqa: PLC0415  (Unix only)

    text, group = f"This user may not use {endpoint.url}", "docker"
    with contextlib.suppress(OSError, KeyError):
        found = Path(endpoint.address).stat()
        group = grp.getgrgid(found.st_gid).gr_name
        if not found.st_mode & stat.S_IWGRP or group == "root":
            owner = pwd.getpwuid(found.st_uid).pw_name
            return f"{text}, which is {owner}'s alone. Become {owner} (sudo), or name another socket, {PRACTICE}."
    return (
        f"{text}. Join the socket's group {group}: sudo usermod -aG {group} $USER, "
        f"then log in again or run newgrp {group}, {PRACTICE}."
    )


def _unreachable(error: Exception, cause: BaseException, endpoint: Endpoint) -> str:
    """Say why there is no engine at an endpoint; empty if one may have been there, and broke off."""
    where, text = endpoint.url, ""
    if isinstance(cause, ssl.SSLEOFError):
        return ""
    if isinstance(cause, SshEnded):
        text = str(cause)
    elif isinstance(error, NameResolutionError):
        text = f"The name {endpoint.host} is not known ({where}). Check DOCKER_HOST, {PRACTICE}."
    elif isinstance(cause, ssl.SSLError):
        text = _tls_refused(cause, endpoint)
    elif isinstance(cause, (FileNotFoundError, ConnectionRefusedError)):
        text = f"No engine answers at {where}. Start it (for Docker: sudo systemctl start docker), check DOCKER_HOST, "
        text += f"{PRACTICE}."
    elif isinstance(cause, SshGarbled) or (
        isinstance(cause, HTTPException) and not isinstance(cause, (ConnectionError, IncompleteRead))
    ):
        text = _not_http(cause, endpoint)
    elif isinstance(cause, OSError) and not isinstance(cause, ConnectionError):
        text = f"{where} can't be used: {cause.strerror or cause}. Check DOCKER_HOST, {PRACTICE}."
    return text


def broken(error: Exception, endpoint: Endpoint, seconds: float) -> ConnectionFailed:
    """Turn what goes wrong in the middle of an answer into one of ours."""
    if isinstance(_root(error), (ProtocolError, HTTPException, ConnectionError)):
        return StreamBroken(SSH_BROKEN if endpoint.kind == "ssh" else BROKEN)
    return failure(error, endpoint, seconds)


def in_between(exchange: Exchange) -> str:
    """Say what answered in the engine's place, a proxy or a web page; empty if the engine may have.

    An engine answers in JSON or in plain text, also through a proxy; a proxy's own words are a page, or want a login.
    """
    page = "html" in exchange.header("Content-Type").lower()
    marks = [f"{name}: {value}" for name, value in exchange.headers if name.lower().startswith(PROXY_HEADERS)]
    if marks and (page or exchange.header("Proxy-Authenticate")):
        said = f"what answers is a proxy on the way ({printable(marks[0])[:100]})"
    elif page:
        said = f"with a web page, {exchange.status} {printable(exchange.reason)[:100]}, as a proxy or a web server does"
    else:
        return ""
    return f"{said}. dockerlab itself uses no proxy: let that one pass the engine's address, or reach it by ssh://."


def not_asked(exchange: Exchange) -> StreamBroken | None:
    """Say what is wrong with an answer that nobody asked for: no final one, or a packed one; None if it is neither."""
    packed = exchange.header("Content-Encoding").strip().lower()
    if exchange.status < FIRST_FINAL:
        said = f"answered {exchange.status} {printable(exchange.reason)[:100]}, which is no answer to {exchange.method}"
    elif packed not in ("", "identity"):
        said = f"packed its answer ({printable(packed)[:40]}), and was asked not to"
    else:
        return None
    return StreamBroken(f"The engine {said}. {UNASKED}")


def _not_http(cause: BaseException, endpoint: Endpoint) -> str:
    where = endpoint.url
    if PLAIN_TO_TLS.search(str(cause)):
        return f"{where} speaks TLS, but the request was plain HTTP. {SET_TLS}"
    if endpoint.kind == "ssh":
        return (
            f"What comes back through {where} is not an engine's answer: {printable(str(cause)[:80])!r}. "
            "Something there prints before docker does, often a shell's start-up file: "
            f"this must print nothing: {ssh.by_hand(endpoint.address)}."
        )
    return f"What answers at {where} does not speak HTTP. Check DOCKER_HOST, {PRACTICE}."


def _closed_at_once(endpoint: Endpoint) -> str:
    if endpoint.tls is not None:
        if endpoint.tls.certificate:
            return f"{BROKEN} It may also refuse the client's certificate {endpoint.tls.certificate}: try another."
        return f"{endpoint.url} closed the connection. It may want a client's certificate: put {CLIENT_FILES}."
    if endpoint.kind == "tcp":
        return f"{BROKEN} If its port is one for TLS: {SET_TLS[0].lower()}{SET_TLS[1:]}"
    return SSH_BROKEN if endpoint.kind == "ssh" else BROKEN


def _tls_refused(cause: ssl.SSLError, endpoint: Endpoint) -> str:
    """Say what was wrong with a certificate, ours or theirs."""
    where, reason = endpoint.url, (cause.reason or "").upper()
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{where}: {_not_verified(cause, endpoint)}"
    if re.search(r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE|PACKET_LENGTH_TOO_LONG", reason):
        mend = "Unset DOCKER_TLS_VERIFY and DOCKER_TLS, or check the port."
        return f"{where} does not speak TLS, but perhaps plain HTTP. {mend}"
    if "ALERT" in reason and endpoint.tls and not endpoint.tls.certificate:
        return f"{where} wants a client's certificate, and none was given. Put {CLIENT_FILES}."
    if "ALERT" in reason and "VERSION" not in reason:
        word = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
        named = endpoint.tls.certificate if endpoint.tls else ""
        return (
            f"{where} refuses the client's certificate {named} ({word}). "
            "Use one that this engine's authority signed, and that has not expired."
        )
    return f"{where}: TLS failed ({reason or cause.strerror or cause}). Check that both sides speak TLS 1.2 or newer."


def _not_verified(cause: ssl.SSLCertVerificationError, endpoint: Endpoint) -> str:
    said = cause.verify_message
    if "expired" in said:
        return "its certificate has expired. Renew it on the engine's machine, or set this machine's clock right."
    if "not yet valid" in said:
        return "its certificate is not valid yet. Set this machine's clock right, or the engine's."
    if re.search(r"[Hh]ostname mismatch|IP address mismatch", said):
        return (
            f"its certificate is for another name than {endpoint.host}. Use a name that stands in it, "
            "or make it anew with this one among its subjectAltName."
        )
    if re.search(r"self.signed|unable to get (local )?issuer|unable to verify", said):
        ca = endpoint.tls.ca if endpoint.tls else ""
        known = f"{ca} does not vouch for it" if ca else "no authority that this machine knows vouches for it"
        return f"its certificate is of an unknown authority: {known}. Put that authority's certificate there as ca.pem."
    return f"its certificate is not accepted ({said}). Make it anew on the engine's machine."


def _too_late(where: str, seconds: float) -> str:
    return (
        f"No connection to {where} within {seconds:g} s. Check DOCKER_HOST, and that nothing between here and there "
        f"blocks it, {PRACTICE}."
    )


def _too_slow(endpoint: Endpoint, seconds: float) -> str:
    late = f"The engine did not answer within {seconds:g} s"
    if endpoint.kind == "ssh":
        by_hand = ssh.by_hand(endpoint.address)
        return f"{late}. Give it more time with timeout=…, and see by hand whether ssh arrives: {by_hand}."
    return f"{late}. Give it more time with timeout=…, in connect() for all calls or in one call."


def _root(error: BaseException) -> BaseException:
    """Find the first cause: urllib3 puts the system's error into its own."""
    while True:
        inner = next((item for item in error.args if isinstance(item, BaseException)), None) or error.__cause__
        inner = inner or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or inner is error:
            return error
        error = inner
