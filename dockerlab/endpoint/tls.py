"""TLS to an engine: the files that a connection needs, and the ssl context made from them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dockerlab.endpoint import docker_config
from dockerlab.errors import EngineUnreachable

__all__ = ["Tls", "context", "files_in", "from_environment"]

CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"


@dataclass(frozen=True, slots=True)
class Tls:
    """The files for a TLS connection; an empty path means that there is no such file.

    Without `ca` the system's authorities are used. Without `certificate` and `key` the client does not identify itself.
    Without `verify` any server is accepted.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


def from_environment(env: Mapping[str, str], *, https: bool = False) -> Tls | None:
    """Read DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH as the docker command does; None means plain HTTP.

    As in docker, any text in DOCKER_TLS_VERIFY switches TLS on, and DOCKER_TLS alone does not verify the server.
    """
    verify = bool(env.get("DOCKER_TLS_VERIFY")) or https
    if not verify and not env.get("DOCKER_TLS"):
        return None
    cert_path = env.get("DOCKER_CERT_PATH")
    if https and not cert_path and not env.get("DOCKER_TLS_VERIFY"):
        return Tls()
    folder = Path(cert_path) if cert_path else docker_config.folder(env)
    return files_in(folder, verify=verify, needs_ca=verify) if folder else Tls(verify=verify)


def files_in(folder: Path, *, verify: bool, needs_ca: bool = False) -> Tls:
    """Return the files of a directory. With `needs_ca` a missing ca.pem is included, so that `context` reports it."""
    existing = {name for name in (CA, CERTIFICATE, KEY) if (folder / name).exists()}
    ca = str(folder / CA) if needs_ca or CA in existing else ""
    if CERTIFICATE not in existing and KEY not in existing:
        return Tls(ca, verify=verify)
    return Tls(ca, str(folder / CERTIFICATE), str(folder / KEY), verify)  # if one of them is missing, `context` says so


def context(tls: Tls) -> ssl.SSLContext:
    """Return the ssl context. Raises EngineUnreachable, naming the file, if one is missing or invalid."""
    # ssl.create_default_context would reject simple self-made authorities from Python 3.13 on.
    ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        ssl_context.check_hostname = False
        ssl_context.verify_mode = ssl.CERT_NONE
    elif tls.ca:
        _load(tls.ca, lambda: ssl_context.load_verify_locations(tls.ca))
    else:
        ssl_context.load_default_certs()
    if tls.certificate:
        for path in (tls.certificate, tls.key):
            _load(path, Path(path).read_bytes)
        both = f"{tls.certificate} and {tls.key}"
        _load(both, lambda: ssl_context.load_cert_chain(tls.certificate, tls.key, password=_refuse_passphrase))
    return ssl_context


class _PassphraseNeeded(Exception):
    pass


def _refuse_passphrase() -> str:
    """Stop OpenSSL, which would otherwise ask for the passphrase at the terminal."""
    raise _PassphraseNeeded


def _load(path: str, load: Callable[[], object]) -> None:
    fix = f"DOCKER_CERT_PATH names the directory of {CA}, {CERTIFICATE} and {KEY}; a context has its own files."
    try:
        load()
    except _PassphraseNeeded:
        text = f"{path}: the key has a passphrase, which can't be asked for here. Save it without one: openssl pkey."
        raise EngineUnreachable(text) from None
    except FileNotFoundError:
        raise EngineUnreachable(f"TLS needs {path}, which is not there. {fix}") from None
    except OSError as error:  # ssl.SSLError is one
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            text = f"{path} don't belong together. Use a certificate with its own key."
            raise EngineUnreachable(text) from None
        reason = getattr(error, "reason", None) or error.strerror or "it is not a certificate in PEM format"
        raise EngineUnreachable(f"TLS can't use {path}: {reason}. {fix}") from None
