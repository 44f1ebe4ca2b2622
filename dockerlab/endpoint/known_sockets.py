"""The sockets at which engines usually listen, and whether one listens there."""

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
#: Below the home, in the order in which they are asked.
IN_HOME = (
    (".docker/run/docker.sock", "Docker Desktop"),
    (".docker/desktop/docker.sock", "Docker Desktop"),
    (".orbstack/run/docker.sock", "OrbStack"),
    (".rd/docker.sock", "Rancher Desktop"),
    (".colima/default/docker.sock", "Colima"),
    (".config/colima/default/docker.sock", "Colima"),
    (".lima/docker/sock/docker.sock", "Lima"),
)


def candidates(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give path and engine of each socket, in the order in which they are asked: Docker first, Podman last."""
    runtime = env.get("XDG_RUNTIME_DIR") or (f"/run/user/{os.getuid()}" if hasattr(os, "getuid") else "")
    yield USUAL_SOCKET, "Docker"
    if runtime:
        yield f"{runtime}/docker.sock", "rootless Docker"
    if at := docker_config.home(env):
        yield from ((str(at / path), name) for path, name in IN_HOME)
    if runtime:
        yield f"{runtime}/podman/podman.sock", "rootless Podman"
    yield PODMAN_SOCKET, "Podman"
    if at:
        yield str(at / ".local/share/containers/podman/machine/podman.sock"), "Podman machine"


def refusal(path: str) -> str:
    """Say why nothing accepts this user's connection at a socket; empty if something does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(path)
        except OSError as error:
            if isinstance(error, TimeoutError):
                return "it accepts no connection"
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return "not there"
            return {errno.EACCES: "this user may not use it", errno.ECONNREFUSED: "nothing listens"}.get(
                error.errno or 0, error.strerror or str(error)
            )
    return ""
