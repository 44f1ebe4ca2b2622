"""The sockets where engines usually listen, and whether an engine listens there now."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping

from dockerlab.endpoint import docker_config

__all__ = ["PODMAN_SOCKET", "USUAL_SOCKET", "candidates", "refusal"]

USUAL_SOCKET = "/var/run/docker.sock"
PODMAN_SOCKET = "/run/podman/podman.sock"
PROBE_SECONDS = 1.0
#: Sockets in the user's home, in the order in which they are tried.
IN_HOME = (
    (".docker/run/docker.sock", "Docker Desktop"),
    (".docker/desktop/docker.sock", "Docker Desktop"),
    (".orbstack/run/docker.sock", "OrbStack"),
    (".rd/docker.sock", "Rancher Desktop"),
    (".colima/default/docker.sock", "Colima"),
    (".config/colima/default/docker.sock", "Colima"),
    (".lima/docker/sock/docker.sock", "Lima"),
)
REFUSALS = {
    errno.ENOENT: "not there",
    errno.ENOTDIR: "not there",
    errno.EACCES: "this user may not use it",
    errno.ECONNREFUSED: "nothing listens",
}


def candidates(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield path and engine of each socket, in the order in which they are tried: Docker first, Podman last."""
    runtime = env.get("XDG_RUNTIME_DIR") or (f"/run/user/{os.getuid()}" if hasattr(os, "getuid") else "")
    home = docker_config.home(env)
    yield USUAL_SOCKET, "Docker"
    if runtime:
        yield f"{runtime}/docker.sock", "rootless Docker"
    if home:
        yield from ((str(home / path), engine) for path, engine in IN_HOME)
    if runtime:
        yield f"{runtime}/podman/podman.sock", "rootless Podman"
    yield PODMAN_SOCKET, "Podman"
    if home:
        yield str(home / ".local/share/containers/podman/machine/podman.sock"), "Podman machine"


def refusal(path: str) -> str:
    """Return why a socket accepts no connection from this user, or an empty text if it does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(path)
        except TimeoutError:
            return "it accepts no connection"
        except OSError as error:
            return REFUSALS.get(error.errno or 0) or error.strerror or str(error)
    return ""
