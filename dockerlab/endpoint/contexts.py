"""Reads docker's contexts from their files: contexts/meta/<digest>/meta.json and contexts/tls/<digest>/docker/."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockerlab.endpoint import docker_config
from dockerlab.endpoint.tls import Tls, files_in
from dockerlab.errors import ArgumentError, printable

__all__ = ["DEFAULT", "Context", "current", "names", "read"]

#: The context without files: it means DOCKER_HOST, or else the usual socket.
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Context:
    """A context: its name, the address as in DOCKER_HOST, and the files for TLS."""

    name: str
    host: str
    tls: Tls | None = None


def current(env: Mapping[str, str]) -> str:
    """Return the name of the context that `docker context use` chose, or an empty text for the default one.

    Raises DockerlabError if config.json can't be read.
    """
    name = docker_config.settings(env).get("currentContext")
    return name if isinstance(name, str) and name != DEFAULT else ""


def names(env: Mapping[str, str]) -> list[str]:
    """Return the sorted names of the contexts that have files."""
    folder = docker_config.folder(env)
    if folder is None:
        return []
    metas = [_meta(path) for path in folder.glob("contexts/meta/*/meta.json")]
    return sorted(str(meta["Name"]) for meta in metas if meta and meta.get("Name"))


def read(name: str, env: Mapping[str, str]) -> Context:
    """Read a context. Raises ArgumentError if there is none of that name, or it contains no engine address."""
    folder = docker_config.folder(env)
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = _meta(folder / "contexts/meta" / digest / "meta.json") if folder else None
    if folder is None or meta is None:
        existing = ", ".join(names(env))
        raise ArgumentError(
            f"There is no docker context {name!r} in {folder or 'your home directory'}, which has "
            f"{f'only {printable(existing)}' if existing else 'none'}. "
            "To list the contexts: docker context ls. To go back to the usual socket: docker context use default."
        )
    endpoint = (meta.get("Endpoints") or {}).get("docker") or {}
    host = endpoint.get("Host") if isinstance(endpoint, dict) else None
    if not host or not isinstance(host, str):
        raise ArgumentError(
            f"The docker context {name!r} contains no engine address. Set one: "
            f"docker context update {name} --docker host=ADDRESS."
        )
    files, verify = folder / "contexts/tls" / digest / "docker", not endpoint.get("SkipTLSVerify")
    tls = files_in(files, verify=verify) if files.is_dir() or not verify else None
    return Context(name, host, tls)


def _meta(path: Path) -> dict[str, Any] | None:
    try:
        meta = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return meta if isinstance(meta, dict) else None
