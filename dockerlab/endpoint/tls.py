"""TLS to an engine: which files a connection needs, and the ssl context that is made from them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dockerlab.endpoint import docker_config
from dockerlab.errors import EngineUnreachable

__all__ = ["Tls", "context", "from_environment", "in_folder"]

CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a TLS connection; an empty path is none.

    Without `ca` the system's authorities are asked. Without `certificate` and `key` the client says nothing of
    itself. Without `verify` any server is believed.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


def from_environment(env: Mapping[str, str], *, https: bool = False) -> Tls | None:
    """Read DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH as the docker command does; None is plain HTTP.

    As there, any text in DOCKER_TLS_VERIFY switches it on, and DOCKER_TLS alone means that no server is verified.
    """
    verify = bool(env.get("DOCKER_TLS_VERIFY")) or https
    if not verify and not env.get("DOCKER_TLS"):
        return None
    named = env.get("DOCKER_CERT_PATH")
    if https and not named and not env.get("DOCKER_TLS_VERIFY"):
        return Tls()
    at = Path(named) if named else docker_config.folder(env)
    return in_folder(at, verify=verify, needs_ca=verify) if at else Tls(verify=verify)


def in_folder(at: Path, *, verify: bool, needs_ca: bool = False) -> Tls:
    """Take the files of a directory. With `needs_ca` a missing ca.pem is named nevertheless, and missed later on."""
    there = {name: str(at / name) for name in (CA, CERTIFICATE, KEY) if (at / name).exists()}
    ca = str(at / CA) if needs_ca or CA in there else ""
    if CERTIFICATE not in there and KEY not in there:
        return Tls(ca, verify=verify)
    return Tls(ca, str(at / CERTIFICATE), str(at / KEY), verify)  # one alone is a fault, which `context` names


def context(tls: Tls) -> ssl.SSLContext:
    """Make the ssl context. Raises EngineUnreachable, naming the file that is missing or wrong."""
    # not ssl.create_default_context: from Python 3.13 on that one refuses the plain authorities that people make
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif tls.ca:
        _load(tls.ca, lambda: made.load_verify_locations(tls.ca))
    else:
        made.load_default_certs()
    if tls.certificate:
        for path in (tls.certificate, tls.key):
            _load(path, Path(path).read_bytes)
        both = f"{tls.certificate} and {tls.key}"
        _load(both, lambda: made.load_cert_chain(tls.certificate, tls.key, password=_no_password))
    return made


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    """Answer OpenSSL, which would ask at the terminal, and wait."""
    raise _Encrypted


def _load(path: str, load: Callable[[], object]) -> None:
    mend = f"DOCKER_CERT_PATH names the directory of {CA}, {CERTIFICATE} and {KEY}; a context has its own."
    try:
        load()
    except _Encrypted:
        text = f"{path}: the key has a passphrase, which can't be asked for here. Write it without one: openssl pkey."
        raise EngineUnreachable(text) from None
    except FileNotFoundError:
        raise EngineUnreachable(f"TLS needs {path}, which is not there. {mend}") from None
    except OSError as error:  # ssl's own errors are of this kind, too
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            text = f"{path} don't belong together. Put a certificate there with its own key."
            raise EngineUnreachable(text) from None
        reason = getattr(error, "reason", None) or error.strerror or "it is no certificate in PEM form"
        raise EngineUnreachable(f"TLS can't use {path}: {reason}. {mend}") from None
