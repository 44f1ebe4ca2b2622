"""Docker's contexts, read from their files: contexts/meta/<digest>/meta.json and contexts/tls/<digest>/docker/."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.endpoint import docker_config
from dockerlab.endpoint.tls import Tls, in_folder
from dockerlab.errors import ArgumentError, printable

__all__ = ["DEFAULT", "Context", "current", "names", "read"]

#: The context that has no files: DOCKER_HOST, or else the usual socket.
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Context:
    """A context: its name, the address as DOCKER_HOST would write it, and the files of its TLS."""

    name: str
    host: str
    tls: Tls | None = None


def current(env: Mapping[str, str]) -> str:
    """Name the context that `docker context use` chose; empty for the default one.

    Raises DockerlabError if config.json can't be read.
    """
    name = docker_config.settings(env).get("currentContext")
    return name if isinstance(name, str) and name != DEFAULT else ""


def names(env: Mapping[str, str]) -> list[str]:
    """List the contexts that have files, by name."""
    at = docker_config.folder(env)
    if at is None:
        return []
    found = [_meta(path) for path in at.glob("contexts/meta/*/meta.json")]
    return sorted(str(meta["Name"]) for meta in found if meta and meta.get("Name"))


def read(name: str, env: Mapping[str, str]) -> Context:
    """Read a context. Raises ArgumentError if there is none of that name, or it names no engine."""
    at = docker_config.folder(env)
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = _meta(at / "contexts/meta" / digest / "meta.json") if at else None
    if at is None or meta is None:
        known = ", ".join(names(env)) or "none"
        raise ArgumentError(
            f"There is no docker context {name!r} in {at or 'this home'}; there: {printable(known)}. "
            "docker context ls lists them, docker context use default goes back to the usual socket."
        )
    endpoint = (meta.get("Endpoints") or {}).get("docker") or {}
    host = endpoint.get("Host") if isinstance(endpoint, dict) else None
    if not host or not isinstance(host, str):
        raise ArgumentError(
            f"The docker context {name!r} names no engine. Give it one: "
            f"docker context update {name} --docker host=ADDRESS."
        )
    files, verify = at / "contexts/tls" / digest / "docker", not endpoint.get("SkipTLSVerify")
    tls = in_folder(files, verify=verify) if files.is_dir() or not verify else None
    return Context(name, host, tls)


def _meta(path: Path) -> dict[str, Any] | None:
    try:
        read_ = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return read_ if isinstance(read_, dict) else None
